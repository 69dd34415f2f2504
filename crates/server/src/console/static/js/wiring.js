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
  else if (on("button[data-unselect]")) { unselect(); byId("heading")?.focus({ preventScroll: true }); }
  else if (on("[data-keys]")) { byId("user-menu").hidePopover(); showKeys(); }
  else if ((it = on("[data-fold]"))) fold(it);
  else if ((it = on("#show-new"))) showNew(it);
  else if (!plainClick(event)) return;
  else if (on("dialog [data-close]")) { event.preventDefault(); closeDialog(); }
  else if ((it = on("a[data-dialog]"))) { event.preventDefault(); openDialog(it.href, it); }
  else if ((it = on("a[data-swap]"))) { event.preventDefault(); visit(it.href, { push: true, focus: it.id || "heading" }); }
});
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const url = () => addressOf(form, submitter);
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
  if (target.matches("[data-keys-on]")) localStorage.setItem("keys", target.checked ? "on" : "off");
  if (target.matches("[data-select-all]")) for (const box of boxes()) box.checked = target.checked;
  if (target.closest(".select, .col-select")) countSelected();
  if (target.matches("select[data-replaces]")) replacePart(target);
  const group = target.closest("fieldset:has([data-all])");
  if (group) {
    if (target.matches("[data-all]")) {
      for (const box of group.querySelectorAll(".choice:not([hidden]) input")) box.checked = target.checked;
    }
    count(group);
  }
  if (target.matches("[name=event_types]")) countAll(target.closest("dialog"));
});
document.addEventListener("input", (event) => { if (event.target.matches("[data-filter]")) filterChoices(event.target); });
document.addEventListener("keydown", (event) => {
  // Enter in the filter box must not send the form.
  if (event.key === "Enter" && event.target.matches?.("[data-filter]")) event.preventDefault();
  else onKey(event);
});
addEventListener("popstate", () => { dialog()?.remove(); visit(location.href); });

if (main()) { settle(main()); countSelected(); }
const opened = dialog();
if (opened) { opened.dataset.url = location.pathname; showDialog(opened); }
letGo();
listen();
