// Lists that grow while somebody reads them: rows that are there change in place, new ones wait behind a button that says how
// many there are. So nothing moves under the pointer. The server says which tables: data-holds-back="delivery deliveries".
const heldTable = () => main().querySelector("table[data-holds-back]");
const rowsOf = (table) => [...(table?.tBodies[0]?.rows ?? [])];
// `before` are the rows that were shown until now, the newest first.
const holdBack = (before) => {
  const table = heldTable();
  if (!table || before.length === 0) return;
  const known = new Set(before.map((row) => row.id));
  const rows = rowsOf(table);
  const first = rows.findIndex((row) => known.has(row.id));
  const arrived = first < 0 ? rows : rows.slice(0, first);
  if (arrived.length === 0) return;
  for (const row of arrived) row.remove();
  // As many went at the end of a full page: they stay for as long as nobody asks for the new ones.
  const last = before.findIndex((row) => row.id === rowsOf(table).at(-1)?.id);
  table.tBodies[0].append(...before.slice(last + 1, last + 1 + arrived.length));
  const [one, many] = table.dataset.holdsBack.split(" ");
  const button = Object.assign(document.createElement("button"), { type: "button", id: "show-new", className: "button small" });
  button.textContent = arrived.length === 1 ? `1 new ${one}` : `${arrived.length} new ${many}`;
  main().querySelector("[data-new]")?.replaceChildren(button);
};
// What was new is shown: the button is gone, so the focus goes to the list's name.
const showNew = (button) => visit(location.href, { focus: button.closest("[data-new]").dataset.new });
