// Re-exports what every view needs. `html` makes elements; a value in ${} is text, never markup.
import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { h, render } from "./vendor/preact.js";
export { useEffect, useLayoutEffect, useRef, useState, useCallback, useMemo } from "./vendor/hooks.js";
export { signal, computed, batch, effect } from "./vendor/signals.js";
