// What happens when something is clicked, typed or sent; and the start.
let seen = ""; // the server's own text of <main>, before times were localised
const settle = (root) => {
  if (root.id === "main") seen = root.innerHTML;
  localise(root);
};
const plainClick = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  let it;
  if ((it = on("[data-copy]"))) copy(it);
  else if ((it = on("[data-dismiss]"))) { it.closest(".toast").remove(); byId("heading")?.focus({ preventScroll: true }); }
  else if ((it = on("#show-new"))) showNew(it);
  else if (!plainClick(event)) return;
  else if (on("dialog [data-close]")) { event.preventDefault(); closeDialog(); }
  else if ((it = on("a[data-dialog]"))) { event.preventDefault(); openDialog(it.href, it); }
  else if ((it = on("a[data-swap]"))) { event.preventDefault(); visit(it.href, { push: true, focus: it.id || "heading" }); }
});
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const url = () => addressOf(form);
  if (form.matches("form[data-dialog]")) { event.preventDefault(); openDialog(url(), submitter ?? form); }
  else if (form.matches("form[data-swap]")) { event.preventDefault(); visit(url(), { push: true }); }
  else if (form.matches("dialog form, form[data-enhance]")) {
    event.preventDefault();
    if (submitter?.getAttribute("aria-busy") !== "true") send(form, submitter);
  }
});
document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.matches("form[data-swap] :is(select, [type=date])")) target.form.requestSubmit();
  if (target.matches("select[data-replaces]")) replacePart(target);
  const group = target.closest("fieldset:has([data-all])");
  if (!group) return;
  if (target.matches("[data-all]")) {
    for (const box of group.querySelectorAll(".choice:not([hidden]) input")) box.checked = target.checked;
  }
  count(group);
});
document.addEventListener("input", (event) => { if (event.target.matches("[data-filter]")) filterChoices(event.target); });
document.addEventListener("keydown", (event) => {
  // Enter in the filter box must not send the form.
  if (event.key === "Enter" && event.target.matches?.("[data-filter]")) event.preventDefault();
});
addEventListener("popstate", () => { dialog()?.remove(); visit(location.href); });

if (main()) settle(main());
const opened = dialog();
if (opened) { opened.dataset.url = location.pathname; showDialog(opened); }
letGo();
listen();
