// Sets the chosen theme before the first paint. It is a script of its own, because modules run later.
(() => {
  try {
    const theme = localStorage.getItem("venom.theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is blocked: the system's theme applies.
  }
})();
