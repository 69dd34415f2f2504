// Rows of a list: selecting them, and going through them with keys.
const rows = () => [...(main()?.querySelectorAll("tbody tr") ?? [])];
const boxes = () => [...(main()?.querySelectorAll("tbody .select input") ?? [])];
const countSelected = () => {
  const all = boxes();
  const checked = all.filter((box) => box.checked).length;
  const whole = main()?.querySelector("[data-select-all]");
  if (whole) {
    whole.checked = checked > 0 && checked === all.length;
    whole.indeterminate = checked > 0 && checked < all.length;
  }
  const said = main()?.querySelector("[data-selected]");
  if (said) said.textContent = checked > 0 ? `${checked} selected` : "";
};
const unselect = () => {
  for (const box of boxes()) box.checked = false;
  countSelected();
};

// ---- Single keys -------------------------------------------------------------------------------------------------
// Whoever speaks to their computer can turn them off: the choice is kept in this browser.
const keysAreOn = () => localStorage.getItem("keys") !== "off";
const showKeys = () => {
  if (dialog()) return;
  opener = document.activeElement?.id ?? "";
  const element = byId("keys").content.querySelector("dialog").cloneNode(true);
  element.querySelector("[data-keys-on]").checked = keysAreOn();
  showDialog(element);
};
const goTo = (row) => (row?.querySelector(".row-link, .actions a, .actions button") ?? row?.querySelector("a, button"))?.focus();
const step = (by) => {
  const all = rows();
  const here = all.indexOf(document.activeElement?.closest?.("tr"));
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
  goTo(all[next]);
};
const onKey = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog() || !byId("shell") || !keysAreOn()) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select, :popover-open")) return;
  const row = document.activeElement?.closest?.("tbody tr");
  // Arrows scroll the page as ever where there is no row to go from.
  const begins = row || (document.activeElement === document.body && rows().length > 0);
  const keys = {
    "/": byId("q") && (() => byId("q").focus()),
    "?": showKeys,
    c: () => (byId("create") ?? byId("invite"))?.click(),
    x: row && (() => row.querySelector(".select input")?.click()),
    ArrowDown: begins && (() => step(1)),
    ArrowUp: row && (() => step(-1)),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
};
