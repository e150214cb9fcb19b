// The switch between light and dark; theme.js applies what was chosen before the page is painted.

import { byId } from "./dom.js";

const KEPT = "turnout.theme";

export function setUpTheme() {
  const place = byId("theme");
  place.value = document.documentElement.dataset.theme ?? "system";
  place.addEventListener("change", () => {
    if (place.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = place.value;
    try {
      localStorage.setItem(KEPT, place.value);
    } catch {
      // Storage is switched off: it holds until the page is left.
    }
  });
}
