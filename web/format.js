// Formats values for people. Every function returns text, but `between`.

const DAY = 86400;

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 0) seconds = 0;
  if (seconds < 0.001) return "under 1 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  seconds = Math.round(seconds);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < DAY) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / DAY)} d ${Math.floor((seconds % DAY) / 3600)} h`;
}

// Returns the seconds between two RFC 3339 timestamps, to the microsecond (Date has milliseconds only).
export function between(from, to) {
  if (!from || !to) return null;
  const micros = (time) => Number((/\.(\d+)/.exec(time)?.[1] ?? "").slice(0, 6).padEnd(6, "0"));
  const whole = (time) => Math.floor(Date.parse(time) / 1000);
  return whole(to) - whole(from) + (micros(to) - micros(from)) / 1e6;
}

export function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds < -1) return `in ${coarse(-seconds)}`;
  if (seconds < 1.5) return "just now";
  return `${coarse(seconds)} ago`;
}

function coarse(exact) {
  const seconds = Math.round(exact);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / DAY)} d`;
}

const pad = (number) => String(number).padStart(2, "0");

export function dateTime(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${clock(time)}`;
}

export function clock(time) {
  const date = new Date(time);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count : count.toFixed(count < 10 ? 1 : 0)} ${units[unit]}`;
}

export const number = (count) => Number(count).toLocaleString("en");

export const plural = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

// Replaces control characters except tab and line ends by visible symbols.
export function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (letter) => String.fromCharCode(0x2400 + letter.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421").replace(/[\u0080-\u009f]/g, "\ufffd");
}

// Returns one line of at most `limit` characters, for tables. Never truncates inside an emoji.
export function oneLine(text, limit = 160) {
  const start = visible(String(text ?? "").slice(0, limit * 4).replace(/\s+/g, " ").trim());
  const letters = Array.from(start);
  return letters.length > limit || text?.length > limit * 4 ? `${letters.slice(0, limit).join("")}…` : start;
}

// A JSON token: punctuation, a string, or a number or keyword.
const TOKEN = /[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+/g;
// Deepest nesting to indent.
const DEPTH = 100;

// Returns JSON with indents, or null if `text` is no JSON. Tokens stay as written, so no number loses precision and no
// duplicate field is lost.
export function indented(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const parts = [];
  let depth = 0;
  let before = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    const isEnd = token === "}" || token === "]";
    if (isEnd) depth -= 1;
    const isEmpty = isEnd && (before === "{" || before === "[");
    if (before !== "" && (isEnd || before === "{" || before === "[" || before === ",") && !isEmpty) parts.push(line());
    parts.push(token === ":" ? ": " : token);
    if (token === "{" || token === "[") depth += 1;
    if (depth > DEPTH) return null;
    before = token;
  }
  return parts.join("");
}
