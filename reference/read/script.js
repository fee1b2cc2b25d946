"use strict";

// --- light or dark: what the system says, until a reader says otherwise ---------------------------------------------

const root = document.documentElement;
const toggle = document.querySelector(".theme");
toggle.hidden = false;
toggle.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a page from disk may have no storage */ }
});

// --- a symbol that is pointed at, focused or pressed is marked wherever it stands ------------------------------------

const symbols = document.querySelectorAll("[data-symbol]");
let pressed = null;

function mark(name) {
  for (const element of symbols) element.classList.toggle("on", element.dataset.symbol === name);
}
function symbolAt(event) {
  const element = event.target.closest?.("[data-symbol]");
  return element ? element.dataset.symbol : null;
}
if (symbols.length) {
  document.addEventListener("pointerover", (event) => mark(symbolAt(event) ?? pressed));
  document.addEventListener("focusin", (event) => mark(symbolAt(event) ?? pressed));
  document.addEventListener("focusout", () => mark(pressed));
  document.addEventListener("click", (event) => {
    const name = symbolAt(event);
    if (name === null) return;
    pressed = pressed === name ? null : name;
    for (const button of document.querySelectorAll("button[data-symbol]")) {
      button.setAttribute("aria-pressed", String(button.dataset.symbol === pressed));
    }
    mark(pressed ?? name);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pressed = null;
    for (const button of document.querySelectorAll("button[data-symbol]")) button.setAttribute("aria-pressed", "false");
    mark(null);
  });
}
