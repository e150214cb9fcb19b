// Runs before anything is painted: the theme that was chosen last, else the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("turnout.theme");
  } catch {
    // Storage is switched off: the system's theme will do.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
