// Taking over another page's content: <main> and the messages take the place of the present ones.
const NO_ANSWER = "The server did not answer. Check your connection and try again.";
const get = (url, headers = {}) => fetch(url, { headers, credentials: "same-origin" });
const pathOf = (url) => { const { pathname, search } = new URL(url, location.href); return pathname + search; };

const inSight = (element) => (element?.checkVisibility({ visibilityProperty: true }) ? element : null);
// What was used may be gone (the dot of a webhook that is active again): then its row, whose id ends the button's.
const rowOf = (id) => byId(id.slice(id.indexOf("-") + 1))?.querySelector(".switch, .row-link") ?? null;
let shown = pathOf(location.href); // the page that is seen; the address may be ahead of it
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
const takeOver = (page, url, { push = false, focus, holds = false } = {}) => {
  const next = page.getElementById("main");
  if (!next || !page.getElementById("shell") || !byId("shell")) { location.assign(url); return; }
  fresh += 1;
  const active = document.activeElement;
  const wanted = focus ?? active?.id ?? "";
  const again = focus === undefined ? place(active) : () => byId(focus);
  const typed = wanted === "q" && active?.id === "q" ? [active.selectionStart, active.selectionEnd] : null;
  const [x, y] = [scrollX, scrollY];
  const inPlace = pathOf(url) === shown;
  shown = pathOf(url);
  const before = holds ? rowsOf(heldTable()) : [];
  const chosen = [...main().querySelectorAll("input[type=radio]:checked")].map((input) => input.id);
  const unfolded = [...main().querySelectorAll("details")].map((details) => details.open);
  const samePath = new URL(url, location.href).pathname === location.pathname;
  if (push && pathOf(url) !== pathOf(location.href)) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  document.title = page.title;
  document.documentElement.dataset.theme = page.documentElement.dataset.theme;
  settle(next);
  // The same page again changes in place; another one takes the place of all that was there.
  if (inPlace) morph(main(), next);
  else main().replaceWith(document.adoptNode(next));
  countSelected();
  // The open menu must stay open: only what says something about the page is taken from the rest of the shell.
  morph(byId("nav"), page.getElementById("nav"));
  for (const button of byId("user-menu").querySelectorAll("[aria-pressed]")) {
    button.setAttribute("aria-pressed", page.getElementById(button.id)?.getAttribute("aria-pressed") ?? "false");
  }
  for (const back of byId("user-menu").querySelectorAll("[name=return_to]")) back.value = pathOf(url);
  showToasts(page);
  holdBack(before);
  for (const id of samePath ? chosen : []) if (byId(id)) byId(id).checked = true;
  scrollTo(x, samePath ? y : 0);
  const folds = main().querySelectorAll("details");
  if (samePath && folds.length === unfolded.length) folds.forEach((details, at) => { details.open = unfolded[at]; });
  const target = inSight(again()) || inSight(rowOf(wanted)) || (wanted || !samePath ? byId("heading") : null);
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
