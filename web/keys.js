// Keyboard shortcuts: search, next and previous row, open, select, help.
import { html, signal, useLayoutEffect, useRef } from "./html.js";
import { go } from "./router.js";
import { isIn } from "./session.js";

export const isHelpOpen = signal(false);

// Single-key shortcuts can be turned off, for users whose speech input or screen reader types letters.
const KEPT = "venom.keys";
const areOn = signal(kept() !== "off");

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function turn(on) {
  areOn.value = on;
  try {
    localStorage.setItem(KEPT, on ? "on" : "off");
  } catch {
    // Storage is blocked: the choice lasts for this visit.
  }
}

const KEYS = [
  ["/", "search tasks"],
  ["j or ↓", "next row"],
  ["k or ↑", "previous row"],
  ["Enter or o", "open the row"],
  ["x", "select the row"],
  ["n", "submit a task"],
  ["t", "task list"],
  ["p", "pause or resume live updates"],
  ["?", "show this help"],
];

export function Help() {
  const dialog = useRef();
  const isOpen = isHelpOpen.value;
  useLayoutEffect(() => {
    if (isOpen && !dialog.current.open) dialog.current.showModal();
    if (!isOpen && dialog.current.open) dialog.current.close();
  }, [isOpen]);
  return html`<dialog ref=${dialog} aria-labelledby="keys" onClose=${() => { isHelpOpen.value = false; }}>
    <h2 id="keys">Keyboard shortcuts</h2>
    <table><tbody>${KEYS.map(([key, what]) => html`<tr key=${key}><th scope="row"><kbd>${key}</kbd></th><td>${what}</td></tr>`)}</tbody></table>
    <label class="check"><input type="checkbox" id="keys-on" checked=${areOn.value} onChange=${(event) => turn(event.target.checked)}/> Enable single-key shortcuts</label>
    <div class="buttons"><button type="button" class="main" onClick=${() => { isHelpOpen.value = false; }}>Close</button></div>
  </dialog>`;
}

// Moves the focus by `step` rows. Rows carry data-row; the focused row is the current one.
function move(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at === -1 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[next].focus();
}

const row = () => document.activeElement?.closest?.("[data-row]");

const ACTIONS = {
  "/": () => document.getElementById("search").focus(),
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  o: () => row()?.querySelector("a")?.click(),
  x: () => row()?.querySelector("input[type=checkbox]")?.click(),
  n: () => go("#/submit"),
  t: () => go("#/tasks"),
  p: () => document.getElementById("live").click(),
  "?": () => { isHelpOpen.value = true; },
};

export function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (!isIn() || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.closest("input:not([type=checkbox]), textarea, select, dialog")) {
      if (event.key === "Escape" && target.id === "search") target.blur();
      return;
    }
    if (event.key.length === 1 && !areOn.value) return;
    const isArrow = event.key.startsWith("Arrow");
    if (isArrow && !row()) return;
    const action = event.key === "Enter" && target.matches("[data-row]") ? ACTIONS.o : ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
