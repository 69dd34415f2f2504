// Making one tree like another in place. What stays the same is not touched, so that the focus, what is hovered, scrolled,
// selected, typed or ticked stays as it is. Children are found again by their ids, others by their order.
const likeAttributes = (old, next) => {
  for (const { name } of [...old.attributes]) {
    // What is unfolded is the reader's choice.
    if (!next.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" && old.localName === "details")) old.setAttribute(name, value);
  }
};
const morph = (old, next) => {
  if (old.isEqualNode(next)) return;
  likeAttributes(old, next);
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const wanted = new Set([...next.children].map((child) => child.id).filter(Boolean));
  let at = old.firstChild;
  // What the next tree lacks goes first: then what stays need not be moved past it.
  const skipGone = () => {
    while (at?.id && !wanted.has(at.id)) { const gone = at; at = at.nextSibling; gone.remove(); }
  };
  for (const child of [...next.childNodes]) {
    skipGone();
    const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
    if (!same || same.nodeName !== child.nodeName) { old.insertBefore(document.adoptNode(child), at); continue; }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    if (same.nodeType === Node.ELEMENT_NODE) morph(same, child);
    else if (same.nodeValue !== child.nodeValue) same.nodeValue = child.nodeValue;
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
};
