// Forms that are sent in the background.
// Where a form of GET leads.
const addressOf = (form, button) => `${form.action.split("?")[0]}?${new URLSearchParams([...new FormData(form, button)].filter(([, value]) => value))}`.replace(/\?$/, "");
const send = async (form, button) => {
  const body = new URLSearchParams(new FormData(form, button ?? undefined));
  button?.setAttribute("aria-busy", "true");
  const inDialog = form.closest("dialog");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: inDialog ? { "X-Dialog": "1" } : {}, credentials: "same-origin" });
    const page = parse(await answer.text());
    // A dialog alone takes the place of the one that was sent: what is wrong with it, or what came of it.
    const next = inDialog && !page.getElementById("main") ? page.querySelector("dialog") : null;
    if (next) { missed ||= answer.ok; showDialog(document.adoptNode(next)); return; }
    if (!answer.ok && answer.status !== 422) {
      if (page.querySelector("#toasts-alert .toast")) showToasts(page);
      else fail(page.getElementById("heading")?.textContent ?? NO_ANSWER);
      return;
    }
    const focus = inDialog ? opener : button?.id;
    if (inDialog) { inDialog.close(); inDialog.remove(); }
    if (form.matches("[data-unselect]")) unselect();
    takeOver(page, answer.status === 422 ? location.href : answer.url, { push: true, focus: focus || "heading" });
    const refusedDialog = page.querySelector("dialog");
    if (refusedDialog) showDialog(document.adoptNode(refusedDialog));
  } catch { fail(NO_ANSWER); } finally { button?.removeAttribute("aria-busy"); }
};
