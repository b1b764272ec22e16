// Turns coloured log lines into elements.
//
// The service sends colours in one form only: ESC [ numbers m.
import { html } from "./html.js";
import { visible } from "./format.js";

const SEQUENCE = /\u001b\[([\d;]*)m/;
const CLASSES = { 1: "ansi-bold", 2: "ansi-dim", 3: "ansi-italic", 4: "ansi-underline", 7: "ansi-inverse", 9: "ansi-strike" };

// Returns a coloured line as spans, truncated to `limit` characters.
export function colored(ansi, limit) {
  const parts = ansi.split(SEQUENCE);
  const spans = [];
  let left = limit;
  let look = { classes: [], style: {} };
  parts.forEach((part, index) => {
    if (index % 2 === 1) {
      look = lookOf(part);
      return;
    }
    if (part === "" || left <= 0) return;
    const text = visible(part.slice(0, left));
    left -= part.length;
    const isPlain = look.classes.length === 0 && Object.keys(look.style).length === 0;
    spans.push(isPlain ? text : html`<span class=${look.classes.join(" ")} style=${look.style}>${text}</span>`);
  });
  return spans;
}

// Returns the style of one sequence. Each begins with 0, so it needs no earlier one.
function lookOf(numbers) {
  const codes = numbers.split(";").map(Number);
  const classes = [];
  const style = {};
  while (codes.length > 0) {
    const code = codes.shift();
    if (CLASSES[code]) classes.push(CLASSES[code]);
    else if (code >= 30 && code <= 37) classes.push(`ansi-fg${code - 30}`);
    else if (code >= 90 && code <= 97) classes.push(`ansi-fg${code - 82}`);
    else if (code >= 40 && code <= 47) classes.push(`ansi-bg${code - 40}`);
    else if (code >= 100 && code <= 107) classes.push(`ansi-bg${code - 92}`);
    else if (code === 38 || code === 48) {
      const color = codes.shift() === 5 ? indexed(codes.shift()) : `rgb(${codes.splice(0, 3).join(" ")})`;
      style[code === 38 ? "color" : "backgroundColor"] = color;
    }
  }
  return { classes, style };
}

// Returns a colour of the 256-colour palette: its 6 × 6 × 6 cube or its greys.
function indexed(number) {
  if (number >= 232) {
    const grey = 8 + 10 * (number - 232);
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (step) => (step === 0 ? 0 : 55 + 40 * step);
  const cube = number - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
