// Live updates: /live names what has changed; what is shown of it is fetched again and changes in place.
let missed = false; // something is shown that has changed since
let soon = 0;
let due = 0;
// Deliveries come and go all the time: a moment later is early enough for them.
const WAIT_MS = { deliveries: 1000 };
const refreshIn = (wait) => {
  const at = Date.now() + wait;
  if (soon && due <= at) return;
  clearTimeout(soon);
  due = at;
  soon = setTimeout(() => { soon = 0; refreshDialog(); refresh(); }, wait);
};
const order = (page) => [...page.querySelectorAll("tbody tr[id]")].map((row) => row.id).join();
// The page beneath a dialog that was opened by its own URL: the dialog isn't asked for again with it, for it may show a secret, and
// each time that is written down.
const beneath = () => {
  const open = dialog();
  return open?.dataset.url === location.pathname ? open.querySelector("[data-close]")?.href ?? location.href : location.href;
};
// `holds`: nobody asked for it, so new rows of a list that holds them back wait until they are wanted.
const refresh = async (holds = true) => {
  // What is wrong with what was sent is read until it is sent again.
  if (main().querySelector("form :is([aria-invalid=true], .problem)")) return;
  missed = false;
  const ours = fresh;
  try {
    const answer = await get(beneath());
    if (!answer.ok || answer.redirected) return;
    const page = parse(await answer.text());
    const next = page.getElementById("main");
    // Another page came in between, and may have been made before the change.
    if (ours !== fresh) { refreshIn(300); return; }
    if (!next || next.innerHTML === seen) return;
    const table = matchMedia("(hover: hover)").matches ? main().querySelector("table:not([data-holds-back]) tbody:hover") : null;
    if (table && order(next) !== order(main())) {
      // No row moves under the pointer: others come and go when it has left.
      localise(next);
      for (const row of rows()) {
        const now = row.id ? page.getElementById(row.id) : null;
        if (now) morph(row, now);
      }
      table.addEventListener("pointerleave", () => refreshIn(0), { once: true });
    } else takeOver(page, location.href, { holds });
  } catch { /* the next change tries again */ }
};
const listen = () => {
  if (!main()?.dataset.live) return;
  let source = null;
  let patience = 5_000;
  // A browser keeps few connections to one server: pages that nobody looks at hold none, and catch up afterwards.
  const open = () => {
    source = new EventSource("/live");
    source.addEventListener("changed", (event) => {
      if (main().dataset.live?.split(" ").includes(event.data)) refreshIn(WAIT_MS[event.data] ?? 300);
    });
    // What changed between the page and this moment, or while there was no connection, nobody told.
    source.addEventListener("open", () => { patience = 5_000; refreshIn(0); });
    // Browsers come back by themselves when a connection breaks, but not when something in between answered instead.
    const ended = source;
    source.addEventListener("error", () => {
      if (ended.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { if (source === ended) open(); }, patience);
      patience = Math.min(2 * patience, 60_000);
    });
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
