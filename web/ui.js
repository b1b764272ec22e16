// Small parts that the pages share.
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { ago, dateTime } from "./format.js";
import { liveOn, overview } from "./live.js";
import { refusal, session } from "./session.js";

// --- Words to the person, spoken by screen readers too -------------------------------------------------

const words = signal(null);
let silence = null;

export function say(text, kind = "good") {
  words.value = { text, kind };
  clearTimeout(silence);
  silence = setTimeout(() => { words.value = null; }, kind === "bad" ? 12_000 : 6000);
}

// Does what a button promises, and says how it went.
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

// --- Questions -------------------------------------------------------------------------------------------

const question = signal(null);

// Asks in a dialog; answers what was filled in by the names of `fields`, or null if it was not confirmed. With
// `word`, that word has to be typed first.
export function ask({ title, text, confirm, word = null, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    question.value = { title, text, confirm, word, danger, fields, resolve };
  });
}

// Asks for how long and why something is to be paused; answers what the service is sent, or null.
export async function askPause(title, text) {
  const given = await ask({ title, text, confirm: "Pause", fields: [
    { name: "until", label: "Until", hint: "empty: until resumed", type: "datetime-local" }, { name: "reason", label: "Reason" }] });
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
  // Where the login takes the page's place, nothing was confirmed.
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

// --- Small things ------------------------------------------------------------------------------------

export const Status = ({ task }) => html`<span class=${`status ${task.status.toLowerCase()}`}>${task.status}</span>${
  task.failure && task.failure !== "error" ? html`<span class="failure">${task.failure}</span>` : null}`;

// How long ago, with the moment itself on hover and for screen readers.
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
      say(`${what} is copied.`);
    } catch {
      say("The browser did not allow to copy.", "bad");
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

// Looks anew when `trigger` changes, one look at a time, and keeps what it had meanwhile.
//
// What is looked for is named by `address`. With another one a look that is under way is given up; `isOld` is
// true for as long as `value` is still that of the address before.
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

// The same at most once a second, for what changes with every event.
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

// Since when something is paused, by whom, until when and why; each as far as it is known.
export function pauseWords({ since, by, until, reason }) {
  return [since && `since ${dateTime(since)}`, by && `by ${by}`, until && `until ${dateTime(until)}`, reason && `– ${reason}`]
    .filter(Boolean).join(" ");
}

// Grows every `period` milliseconds while somebody looks, for what changes without an event.
export function useTick(period) {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (liveOn.value && !document.hidden) setTick((count) => count + 1); }, period);
    return () => clearInterval(timer);
  }, [period]);
  return tick;
}

// What holds the queue, on every page for as long as it does.
export function PauseBanner() {
  const pause = overview.value?.pause;
  if (!pause) return null;
  const isStop = pause.emergency_stop;
  const words = pauseWords({ ...pause, reason: isStop ? null : pause.reason });
  return html`<div class=${isStop ? "banner stop" : "banner"} role="region" aria-label="Queue is paused">
    <strong>${isStop ? "Emergency stop" : "The queue is paused"}</strong>
    <span dir="auto">${words}${words && ". "}${isStop ? "Nothing starts until it is resumed." : "Running tasks go on."}</span>
    <a href="#/queue">Queue</a>
  </div>`;
}

// Why what stands here cannot be done with this token, if it cannot.
export function Why({ role, whole = false }) {
  const why = refusal(role, whole);
  if (why === null) return null;
  const words = refusal(role) === null ? why
    : `The token ${session.value.name} has the role ${session.value.role}; what cannot be pressed here needs a higher one.`;
  return html`<p class="why">${words}</p>`;
}
