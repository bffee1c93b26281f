// Dark or light as Airflow shows itself around this page, or else as the system is set. Runs before anything is painted.
"use strict";
(() => {
  const around = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null;
    }
  };
  const told = () => {
    const outside = around();
    if (outside) return outside.classList.contains("dark") || outside.dataset.theme === "dark" ? "dark" : "light";
    try {
      const kept = localStorage.getItem("theme");
      if (kept === "dark" || kept === "light") return kept;
    } catch {
      // no storage here: the system decides
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };
  const show = () => document.documentElement.setAttribute("data-theme", told());
  show();
  const outside = around();
  if (outside) new MutationObserver(show).observe(outside, { attributes: true, attributeFilter: ["class", "data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  addEventListener("storage", show);
})();
