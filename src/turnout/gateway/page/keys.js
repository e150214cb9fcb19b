// The dialog that asks for a key, and the button that forgets it.

import { keep, key } from "./api.js";
import { byId } from "./dom.js";

/** Set up; `changed` is called when there is another key. */
export function setUpKeys(changed) {
  const dialog = byId("key-dialog");
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = byId("key").value.trim();
    if (!value) return;
    keep(value);
    byId("key").value = "";
    dialog.close();
    showForget();
    changed();
  });
  byId("key-later").addEventListener("click", () => dialog.close());
  byId("forget-key").addEventListener("click", () => {
    keep(null);
    location.reload(); // so that nothing of what was seen with it stays
  });
  showForget();
}

/** Ask, unless the question stands already; `wrong` where the key that was given is unknown. */
export function askForKey(wrong) {
  const dialog = byId("key-dialog");
  const error = byId("key-error");
  error.hidden = !wrong;
  error.textContent = wrong ? "This key is unknown." : "";
  if (!dialog.open) dialog.showModal();
}

function showForget() {
  byId("forget-key").hidden = key() === null;
}
