// The current page: the part of the address after #, so that no proxy has to know the pages.
import { signal } from "./html.js";

function read() {
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  return { parts: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query ?? "") };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal(read());

export function go(hash) {
  location.hash = hash;
}

// Changes the address without a new entry in the browser's history.
export function replace(hash) {
  history.replaceState(null, "", hash);
  route.value = read();
}

// Returns #/tasks with these filters, without the empty ones.
export function tasksHash(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  return query.size === 0 ? "#/tasks" : `#/tasks?${query}`;
}

addEventListener("hashchange", () => { route.value = read(); });
