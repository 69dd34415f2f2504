// The console's script. Every page works without it; it only saves round trips:
//  - links with data-dialog open the dialog of that URL over the page (the server answers X-Dialog: 1 with a fragment);
//  - forms in dialogs, and forms with data-enhance, are sent in the background: a dialog that comes back takes the form's place
//    (with its errors, or with what is shown once); anything else ends on a page whose <main> and messages take the place of the present ones;
//  - links and GET forms with data-swap (sorting, filters, pages) do the same without sending anything;
//  - /live tells when something changed that this page shows; it is fetched again when no dialog is open.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const main = () => byId("main");
  const dialog = () => document.querySelector("dialog[open]");
  const parse = (html) => new DOMParser().parseFromString(html, "text/html");

  // ---- Times in the reader's zone ------------------------------------------------------------------------------
  const formats = {
    datetime: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
    date: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
  };
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-time]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = formats[time.dataset.time].format(at);
    }
  };

  // ---- Messages ------------------------------------------------------------------------------------------------
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

  // ---- Fetching ------------------------------------------------------------------------------------------------
  const NO_ANSWER = "The server did not answer. Check your connection and try again.";
  const get = (url, headers = {}) => fetch(url, { headers, credentials: "same-origin" });
  const pathOf = (url) => { const { pathname, search } = new URL(url, location.href); return pathname + search; };

  // ---- Taking over another page's content ----------------------------------------------------------------------
  // What was used may be gone (the dot of a webhook that is active again): then its row, whose id ends the button's.
  const rowOf = (id) => byId(id.slice(id.indexOf("-") + 1))?.querySelector(".switch, .row-link") ?? null;
  let fresh = 0; // counts page changes, so that a slow answer never replaces a newer page
  // Finds an element again on the next page: by its id, or as the same link or button within the nearest thing with one.
  const place = (element) => {
    if (!element || element === document.body) return () => null;
    if (element.id) return () => byId(element.id);
    const inside = (home) => [...(home?.querySelectorAll("a, button, input, select, textarea, summary") ?? [])];
    const home = element.closest("[id]");
    const at = inside(home).indexOf(element);
    return () => inside(byId(home?.id))[at] ?? null;
  };
  const takeOver = (page, url, { push = false, focus } = {}) => {
    const next = page.getElementById("main");
    if (!next || !page.getElementById("shell") || !byId("shell")) { location.assign(url); return; }
    fresh += 1;
    const active = document.activeElement;
    const wanted = focus ?? active?.id ?? "";
    const again = focus === undefined ? place(active) : () => byId(focus);
    const typed = wanted === "q" && active?.id === "q" ? [active.selectionStart, active.selectionEnd] : null;
    const [x, y] = [scrollX, scrollY];
    const unfolded = [...main().querySelectorAll("details")].map((details) => details.open);
    const samePath = new URL(url, location.href).pathname === location.pathname;
    if (push && pathOf(url) !== pathOf(location.href)) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    document.title = page.title;
    document.documentElement.dataset.theme = page.documentElement.dataset.theme;
    main().replaceWith(document.adoptNode(next));
    // The open menu must stay open: only what says something about the page is taken from the rest of the shell.
    byId("nav").replaceChildren(...page.getElementById("nav").children);
    for (const button of byId("user-menu").querySelectorAll("[aria-pressed]")) {
      button.setAttribute("aria-pressed", page.getElementById(button.id)?.getAttribute("aria-pressed") ?? "false");
    }
    for (const back of byId("user-menu").querySelectorAll("[name=return_to]")) back.value = pathOf(url);
    showToasts(page);
    settle(main());
    scrollTo(x, samePath ? y : 0);
    const folds = main().querySelectorAll("details");
    if (samePath && folds.length === unfolded.length) folds.forEach((details, at) => { details.open = unfolded[at]; });
    const target = again() || rowOf(wanted) || (wanted || !samePath ? byId("heading") : null);
    target?.focus({ preventScroll: samePath });
    if (typed && target?.id === "q") target.setSelectionRange(...typed);
  };
  const visit = async (url, options = {}) => {
    const ours = ++fresh;
    try {
      const answer = await get(url);
      const page = parse(await answer.text());
      if (ours === fresh) takeOver(page, answer.url, options);
    } catch { fail(NO_ANSWER); }
  };

  // ---- Dialogs -------------------------------------------------------------------------------------------------
  let opener = ""; // the id of what opened the dialog: where the focus goes back to
  const settleDialog = (element) => {
    settle(element);
    for (const group of element.querySelectorAll("fieldset:has([data-all])")) count(group);
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
    if (back && location.pathname === open.dataset.url) history.replaceState(null, "", back);
    (byId(opener) ?? byId("heading"))?.focus({ preventScroll: true });
    if (missed) refresh();
  };
  const openDialog = async (url, from) => {
    try {
      const answer = await get(url, { "X-Dialog": "1" });
      const element = parse(await answer.text()).querySelector("dialog");
      if (!element || answer.redirected) { location.assign(answer.redirected ? answer.url : url); return; }
      if (!from.closest("dialog")) opener = from.id;
      showDialog(document.adoptNode(element));
    } catch { fail(NO_ANSWER); }
  };

  // ---- Sending forms -------------------------------------------------------------------------------------------
  const send = async (form, button) => {
    const body = new URLSearchParams(new FormData(form, button ?? undefined));
    button?.setAttribute("aria-busy", "true");
    const inDialog = form.closest("dialog");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: inDialog ? { "X-Dialog": "1" } : {}, credentials: "same-origin" });
      const page = parse(await answer.text());
      // A dialog alone takes the place of the one that was sent: what is wrong with it, or what came of it.
      const next = inDialog && !answer.redirected && !page.getElementById("main") ? page.querySelector("dialog") : null;
      if (next) { missed ||= answer.ok; showDialog(document.adoptNode(next)); return; }
      if (!answer.ok && answer.status !== 422) {
        if (page.querySelector("#toasts-alert .toast")) showToasts(page);
        else fail(page.getElementById("heading")?.textContent ?? NO_ANSWER);
        return;
      }
      const focus = inDialog ? opener : button?.id;
      if (inDialog) { inDialog.close(); inDialog.remove(); }
      takeOver(page, answer.status === 422 ? location.href : answer.url, { push: true, focus: focus || "heading" });
      const refusedDialog = page.querySelector("dialog");
      if (refusedDialog) showDialog(document.adoptNode(refusedDialog));
    } catch { fail(NO_ANSWER); } finally { button?.removeAttribute("aria-busy"); }
  };

  // ---- Checkboxes of event types -------------------------------------------------------------------------------
  const count = (group) => {
    const boxes = [...group.querySelectorAll(".choice input")];
    const all = group.querySelector("[data-all]");
    if (all.checked && all.dataset.counted === undefined) for (const box of boxes) box.checked = true;
    all.dataset.counted = "";
    const checked = boxes.filter((box) => box.checked).length;
    all.checked = checked === boxes.length;
    all.indeterminate = checked > 0 && checked < boxes.length;
    group.querySelector("[data-count]").textContent = `${checked} of ${boxes.length}`;
  };
  const filterChoices = (input) => {
    const wanted = input.value.trim().toLowerCase();
    const scope = input.closest("dialog");
    let any = false;
    for (const group of scope.querySelectorAll("fieldset:has([data-all])")) {
      const title = group.querySelector("legend").textContent.toLowerCase();
      let some = false;
      for (const choice of group.querySelectorAll(".choice")) {
        const text = `${title} ${choice.textContent} ${choice.title}`.toLowerCase();
        choice.hidden = !text.includes(wanted);
        some ||= !choice.hidden;
      }
      group.hidden = !some;
      any ||= some;
    }
    scope.querySelector("[data-nothing]").hidden = any;
  };

  // ---- Copying -------------------------------------------------------------------------------------------------
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // Without a secure context there is no clipboard object; the old command still works.
      const area = document.createElement("textarea");
      area.value = button.dataset.copy;
      (button.closest("dialog") ?? document.body).append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      button.focus();
      if (!done) { fail("Copying is not possible here. Select the text and copy it by hand."); return; }
    }
    button.classList.add("copied");
    announce(button.dataset.said);
    setTimeout(() => button.classList.remove("copied"), 2000);
  };

  // ---- Live updates --------------------------------------------------------------------------------------------
  let missed = false; // something changed while a dialog was open
  let soon = 0;
  const refresh = async () => {
    missed = false;
    const ours = fresh;
    try {
      const answer = await get(location.href);
      if (!answer.ok || answer.redirected) return;
      const page = parse(await answer.text());
      // Nothing may be taken from under the reader's hands.
      if (dialog() || main().querySelector("input:focus, textarea:focus, select:focus")) missed = true;
      // Another page came in between, and may have been made before the change.
      else if (ours !== fresh) soon = setTimeout(refresh, 300);
      else if (page.getElementById("main")?.innerHTML !== seen) takeOver(page, location.href);
    } catch { /* the next change tries again */ }
  };
  const listen = () => {
    if (!main()?.dataset.live) return;
    let source = null;
    // A browser keeps few connections to one server: pages that nobody looks at hold none, and catch up afterwards.
    const open = () => {
      source = new EventSource("/live");
      source.addEventListener("changed", (event) => {
        if (!main().dataset.live?.split(" ").includes(event.data)) return;
        if (dialog()) { missed = true; return; }
        clearTimeout(soon);
        soon = setTimeout(refresh, 300);
      });
      // What changed between the page and this moment, or while there was no connection, nobody told.
      source.addEventListener("open", () => { if (dialog()) missed = true; else refresh(); });
    };
    const close = () => { source?.close(); source = null; };
    if (!document.hidden) open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { close(); return; }
      if (!source) open();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted && !source && !document.hidden) open(); });
  };

  // ---- Wiring --------------------------------------------------------------------------------------------------
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
    else if (!plainClick(event)) return;
    else if (on("dialog [data-close]")) { event.preventDefault(); closeDialog(); }
    else if ((it = on("a[data-dialog]"))) { event.preventDefault(); openDialog(it.href, it); }
    else if ((it = on("a[data-swap]"))) { event.preventDefault(); visit(it.href, { push: true, focus: it.id || "heading" }); }
  });
  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    const url = () => `${form.action.split("?")[0]}?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value))}`.replace(/\?$/, "");
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
})();
