// Light, dark, or as the system has it; remembered by the browser.

const THEMES = ["system", "light", "dark"];

function keptTheme() {
  try {
    return localStorage.getItem("memvault-theme");
  } catch {
    // Some browsers keep nothing for pages without a name.
    return null;
  }
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  setText(byId("theme"), `Theme: ${theme}`);
  try {
    localStorage.setItem("memvault-theme", theme);
  } catch {
    // Then it is asked for again the next time.
  }
}

function startTheme() {
  let theme = THEMES.includes(keptTheme()) ? keptTheme() : "system";
  setTheme(theme);
  byId("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme);
  });
}
