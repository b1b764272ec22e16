// UI parts that the pages share: messages, dialogs, status labels, and hooks that load data.
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { ago, dateTime } from "./format.js";
import { liveOn, overview } from "./live.js";
import { refusal, session } from "./session.js";

// --- Messages, which screen readers announce -------------------------------------------------

const words = signal(null);
let silence = null;

export function say(text, kind = "good") {
  words.value = { text, kind };
  clearTimeout(silence);
  silence = setTimeout(() => { words.value = null; }, kind === "bad" ? 12_000 : 6000);
}

// Runs an action and shows a message with its result. Returns whether it succeeded.
export async function attempt(work, done) {
  try {
    const answer = await work();
    say(done ?? answer?.message ?? "Done.");
    return true;
  } catch (error) {
    say(error.message, "bad");
    return false;
  }
}

export function Words() {
  const now = words.value;
  return html`<div class="words" role="status" aria-live="polite">
    ${now && html`<p class=${now.kind}>${now.text}
      <button class="plain" aria-label="Dismiss message" onClick=${() => { words.value = null; }}>✕</button></p>`}
  </div>`;
}

// --- Dialogs -------------------------------------------------------------------------------------------

const question = signal(null);

// Opens a dialog. Resolves to the values of `fields` by name, or to null if it was cancelled. With `word`, the user
// must type that word to confirm.
export function ask({ title, text, confirm, word = null, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    question.value = { title, text, confirm, word, danger, fields, resolve };
  });
}

// Asks until when and why to pause. Resolves to the request body, or to null if it was cancelled.
export async function askPause(title, text) {
  const given = await ask({ title, text, confirm: "Pause", fields: [
    { name: "until", label: "Until", hint: "leave empty to pause until resumed", type: "datetime-local" }, { name: "reason", label: "Reason" }] });
  return given && pauseTerms(given);
}

export function pauseTerms({ until, reason }) {
  return { ...until && { until: new Date(until).toISOString() }, ...reason.trim() && { reason: reason.trim() } };
}

export function Question() {
  const now = question.value;
  const dialog = useRef();
  const [typed, setTyped] = useState("");
  useLayoutEffect(() => {
    setTyped("");
    if (now && !dialog.current.open) dialog.current.showModal();
  }, [now]);
  // When the login page replaces this one, the dialog counts as cancelled.
  useEffect(() => () => {
    question.peek()?.resolve(null);
    question.value = null;
  }, []);
  const answer = (given) => {
    question.value = null;
    dialog.current.close();
    now.resolve(given);
  };
  return html`<dialog ref=${dialog} aria-labelledby="question" onCancel=${(event) => { event.preventDefault(); answer(null); }}>
    ${now && html`<form method="dialog" onSubmit=${(event) => { event.preventDefault(); answer(Object.fromEntries(new FormData(event.target))); }}>
      <h2 id="question">${now.title}</h2>
      <p>${now.text}</p>
      ${now.fields.map(({ label, hint, ...field }) => html`<label key=${field.name}>${label}${hint && html` <small>${hint}</small>`}
        <input autocomplete="off" ...${field}/></label>`)}
      ${now.word && html`<label>Type <code>${now.word}</code> to confirm
        <input autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)}/></label>`}
      <div class="buttons">
        <button type="button" onClick=${() => answer(null)}>Cancel</button>
        <button type="submit" class=${now.danger ? "danger" : "main"} disabled=${now.word !== null && typed !== now.word}>${now.confirm}</button>
      </div>
    </form>`}
  </dialog>`;
}

// --- Small components ------------------------------------------------------------------------------------

export const Status = ({ task }) => html`<span class=${`status ${task.status.toLowerCase()}`}>${task.status}</span>${
  task.failure && task.failure !== "error" ? html`<span class="failure">${task.failure}</span>` : null}`;

// The age of a timestamp, with the timestamp itself on hover and for screen readers.
export function Ago({ time }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 5000);
    return () => clearInterval(timer);
  }, []);
  if (!time) return "–";
  return html`<time datetime=${time} title=${dateTime(time)}>${ago(time)}</time>`;
}

export const TaskLink = ({ id, children }) => html`<a class="id" href=${`#/tasks/${id}`}>${children ?? id}</a>`;

export function Copy({ text, what }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(`${what} copied.`);
    } catch {
      say("The browser blocked access to the clipboard.", "bad");
    }
  };
  return html`<button type="button" onClick=${copy}>Copy<span class="unseen"> ${what.toLowerCase()}</span></button>`;
}

export function Progress({ value }) {
  if (value === null || value === undefined) return null;
  const percent = Math.round(value * 100);
  return html`<span class="progress"><progress max="1" value=${value} aria-label="Progress"></progress> ${percent} %</span>`;
}

export const Failed = ({ error, again }) => html`<p class="problem" role="alert">${error}
  ${again && html` <button type="button" onClick=${again}>Try again</button>`}</p>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// Loads a value, and loads it again when `trigger` changes. Only one request runs at a time, and the old value stays
// until the next arrives.
//
// `address` names what is loaded. When it changes, the running request is aborted; `isOld` is true while `value`
// still belongs to the earlier address.
export function useLoaded(load, trigger, address = "") {
  const [state, setState] = useState({ value: null, of: null, error: null, failed: null });
  const run = useRef({ request: null, isWanted: false });
  Object.assign(run.current, { load, address });
  const giveUp = () => {
    run.current.request?.abort();
    run.current.request = null;
  };
  const look = async () => {
    const now = run.current;
    now.isWanted = true;
    if (now.request) return;
    const request = new AbortController();
    now.request = request;
    while (now.isWanted && now.request === request) {
      now.isWanted = false;
      const of = now.address;
      try {
        const value = await now.load(request.signal);
        if (now.request === request) setState({ value, of, error: null, failed: null });
      } catch (error) {
        if (now.request === request) setState((old) => ({ ...old, error: error.message, failed: of }));
      }
    }
    if (now.request === request) now.request = null;
  };
  useEffect(() => giveUp, [address]);
  useEffect(() => { look(); }, [address, ...trigger]);
  const { value, of, error, failed } = state;
  return { value, isOld: value !== null && of !== address, error: failed === address ? error : null, look };
}

// Returns `value`, but changes at most once in `least` milliseconds.
export function useThrottled(value, least = 1000) {
  const [shown, setShown] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    if (value === shown) return undefined;
    const wait = Math.max(0, last.current + least - Date.now());
    const timer = setTimeout(() => { last.current = Date.now(); setShown(value); }, wait);
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown;
}

// Describes a pause: since when, by whom, until when and why, as far as these are known.
export function pauseWords({ since, by, until, reason }) {
  return [since && `since ${dateTime(since)}`, by && `by ${by}`, until && `until ${dateTime(until)}`, reason && `– ${reason}`]
    .filter(Boolean).join(" ");
}

// Returns a number that grows every `period` milliseconds while the page is visible, for data that changes without
// events.
export function useTick(period) {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (liveOn.value && !document.hidden) setTick((count) => count + 1); }, period);
    return () => clearInterval(timer);
  }, [period]);
  return tick;
}

// The banner on every page while the queue is paused.
export function PauseBanner() {
  const pause = overview.value?.pause;
  if (!pause) return null;
  const isStop = pause.emergency_stop;
  const words = pauseWords({ ...pause, reason: isStop ? null : pause.reason });
  return html`<div class=${isStop ? "banner stop" : "banner"} role="region" aria-label="Queue is paused">
    <strong>${isStop ? "Emergency stop" : "The queue is paused"}</strong>
    <span dir="auto">${words}${words && ". "}${isStop ? "Nothing starts until the queue is resumed." : "Running tasks continue."}</span>
    <a href="#/queue">Queue</a>
  </div>`;
}

// Explains why the actions of a page are disabled for this token. Empty if none is.
export function Why({ role, whole = false }) {
  const why = refusal(role, whole);
  if (why === null) return null;
  const words = refusal(role) === null ? why
    : `The token ${session.value.name} has the role ${session.value.role}. The disabled actions need a higher role.`;
  return html`<p class="why">${words}</p>`;
}
