// Copying to the clipboard.
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
