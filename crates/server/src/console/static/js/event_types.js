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
