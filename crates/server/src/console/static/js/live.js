// Live updates.
let missed = false; // something changed while a dialog was open
let soon = 0;
// `holds`: nobody asked for it, so new rows of a list wait until they are wanted.
const refresh = async (holds = true) => {
  missed = false;
  const ours = fresh;
  try {
    const answer = await get(location.href);
    if (!answer.ok || answer.redirected) return;
    const page = parse(await answer.text());
    // Nothing may be taken from under the reader's hands.
    if (dialog() || main().querySelector("input:not([type=radio], [type=checkbox]):focus, textarea:focus, select:focus")) missed = true;
    // Another page came in between, and may have been made before the change.
    else if (ours !== fresh) soon = setTimeout(refresh, 300, holds);
    else if (page.getElementById("main")?.innerHTML !== seen) takeOver(page, location.href, { holds });
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
