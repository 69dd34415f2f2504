// The console's script. Every page works without it; it only saves round trips:
//  - links with data-dialog open the dialog of that URL over the page (the server answers X-Dialog: 1 with a fragment);
//  - forms in dialogs, and forms with data-enhance, are sent in the background: a dialog that comes back takes the form's place
//    (with its errors, or with what is shown once); anything else ends on a page whose <main> and messages take the place of the present ones;
//  - links and GET forms with data-swap (sorting, filters, pages) do the same without sending anything;
//  - /live tells when something changed that this page shows; it is fetched again, and changes in place.
// The files of this folder are joined into one script, a module: they share its scope, and run in the order of view/assets.rs.
const byId = (id) => document.getElementById(id);
const main = () => byId("main");
const dialog = () => document.querySelector("dialog[open]");
const parse = (html) => new DOMParser().parseFromString(html, "text/html");
