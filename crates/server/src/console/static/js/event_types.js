// Checkboxes of event types: whole groups, counts, the filter.
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
const countAll = (scope) => {
  const said = scope.querySelector("[data-total]");
  if (!said) return;
  const boxes = [...scope.querySelectorAll(".choice input[name=event_types]")];
  said.textContent = `${boxes.filter((box) => box.checked).length} of ${boxes.length}`;
};
// Folds all groups, or unfolds them when none is open.
const fold = (button) => {
  const groups = [...button.closest("dialog").querySelectorAll(".group details")];
  const open = !groups.some((group) => group.open);
  for (const group of groups) group.open = open;
  button.textContent = open ? "Fold all" : "Unfold all";
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
    const details = group.querySelector("details");
    if (details && wanted && some) details.open = true;
    any ||= some;
  }
  scope.querySelector("[data-nothing]").hidden = any;
};
