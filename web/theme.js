// Sets the chosen theme before anything is painted. A script of its own, because modules run later.
(() => {
  try {
    const theme = localStorage.getItem("venom.theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden; the system's theme it is.
  }
})();
