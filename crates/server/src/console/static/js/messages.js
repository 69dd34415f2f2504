// Messages at the top of the page, in an open dialog, and to those who listen to the page.
const STAYS_MS = 8000;
const announce = (text) => {
  // Outside an open dialog nothing is announced: the region moves into it, and a new one is made when it went with it.
  const region = byId("announce") ?? Object.assign(document.createElement("p"), { id: "announce", className: "vh", role: "status" });
  (dialog() ?? document.body).append(region);
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
};
const letGo = () => {
  for (const toast of document.querySelectorAll("#toasts-status .toast:not([data-timed])")) {
    toast.dataset.timed = "";
    const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove());
    setTimeout(leave, STAYS_MS);
  }
};
const showToasts = (page) => {
  for (const id of ["toasts-status", "toasts-alert"]) {
    const arrived = page.getElementById(id);
    if (!arrived) continue;
    const toasts = arrived.querySelectorAll(".toast");
    // Success messages of an earlier act give way to new ones; errors stay until they are dismissed.
    if (id === "toasts-status" && toasts.length > 0) byId(id).replaceChildren();
    byId(id).append(...toasts);
  }
  letGo();
};
const fail = (text) => {
  const body = dialog()?.querySelector(".dialog-body");
  if (body) {
    const problem = Object.assign(document.createElement("p"), { className: "problem", role: "alert", textContent: text });
    body.querySelector(".problem")?.remove();
    body.prepend(problem);
    problem.scrollIntoView({ block: "nearest" });
    return;
  }
  const toast = document.createElement("div");
  toast.className = "toast tone-bad";
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  toast.append(words, close);
  byId("toasts-alert").replaceChildren(toast);
};
