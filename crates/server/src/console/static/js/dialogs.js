// Dialogs: fetched by their URL, shown over the page.
let opener = ""; // the id of what opened the dialog: where the focus goes back to
const settleDialog = (element) => {
  settle(element);
  for (const group of element.querySelectorAll("fieldset:has([data-all])")) count(group);
  countAll(element);
  element.addEventListener("cancel", (event) => { event.preventDefault(); closeDialog(); });
  element.addEventListener("pointerdown", (event) => { element.dataset.outside = event.target === element ? "yes" : ""; });
  element.addEventListener("click", (event) => {
    const keeps = element.dataset.changed || element.dataset.once !== undefined; // typed, or shown this once
    if (event.target === element && element.dataset.outside && !keeps) closeDialog();
  });
  element.addEventListener("change", () => { element.dataset.changed = "yes"; });
};
const showDialog = (element) => {
  dialog()?.remove();
  element.removeAttribute("open");
  if (!element.isConnected) document.body.append(element);
  byId("shell")?.removeAttribute("inert");
  element.showModal();
  settleDialog(element);
  const refused = element.querySelector("[aria-invalid=true], .field-error[tabindex]");
  (refused ?? element.querySelector("[autofocus]") ?? element.querySelector(".dialog-foot .button"))?.focus();
  if (refused) announce(element.querySelector(".field-error")?.textContent.trim() ?? "");
};
const closeDialog = () => {
  const open = dialog();
  if (!open) return;
  const back = open.querySelector("[data-close]")?.getAttribute("href");
  open.close();
  open.remove();
  // A dialog that was opened by its own URL leaves the page's URL behind.
  if (back && location.pathname === open.dataset.url) { history.replaceState(null, "", back); shown = pathOf(back); }
  (inSight(byId(opener)) ?? byId("heading"))?.focus({ preventScroll: true });
  if (missed) refresh(false);
};
// A choice in a dialog that another part of it hangs on: the part is fetched anew, the focus stays.
let replaced = 0; // counts, so that a slow answer never replaces a newer one
const replacePart = async (select) => {
  const ours = ++replaced;
  try {
    const answer = await get(addressOf(select.form), { "X-Dialog": "1" });
    const part = parse(await answer.text()).getElementById(select.dataset.replaces);
    if (part && ours === replaced) byId(part.id)?.replaceWith(document.adoptNode(part));
  } catch { fail(NO_ANSWER); }
};
const openDialog = async (url, from) => {
  try {
    const answer = await get(url, { "X-Dialog": "1" });
    const element = parse(await answer.text()).querySelector("dialog");
    if (!element || answer.redirected) { location.assign(answer.redirected ? answer.url : url); return; }
    if (!from.closest("dialog")) opener = from.id;
    element.dataset.from = pathOf(url);
    showDialog(document.adoptNode(element));
  } catch { fail(NO_ANSWER); }
};
// An open dialog of something that goes on, such as why a webhook fails, says what is true now.
const refreshDialog = async () => {
  const open = dialog();
  if (!open?.matches("[data-live][data-from]") || open.dataset.changed) return;
  try {
    const answer = await get(open.dataset.from, { "X-Dialog": "1" });
    const next = answer.ok && !answer.redirected ? parse(await answer.text()).querySelector("dialog") : null;
    if (!next || open !== dialog() || open.dataset.changed) return;
    localise(next);
    for (const part of [".dialog-head", ".dialog-body", ".dialog-foot"]) {
      const [old, now] = [open.querySelector(part), next.querySelector(part)];
      if (old && now) morph(old, now);
    }
  } catch { /* the next change tries again */ }
};
