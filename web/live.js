// Live updates: one WebSocket with the service's events for all views.
//
// Events are collected and delivered a few times a second, so that hundreds of events cost a view one repaint. After
// a lost connection the next one resumes after the last event.
//
// A token that is limited to some processors may follow only one task at a time. It does so on that task's page; all
// other views poll every few seconds.
import { signal, batch, computed, effect } from "./html.js";
import { get, renew } from "./api.js";
import { route } from "./router.js";
import { isIn, ownProcessors } from "./session.js";

// Milliseconds between deliveries to the views.
const STEP = 250;
// Least time in milliseconds between two requests for the counts. It grows if a request takes long, because the
// service counts all tasks.
const LOOK = 1000;
// Milliseconds between two polls for a token that is limited to some processors.
const POLL = 3000;
const PATIENCE = 500;
// Events kept in the list of recent events, and events held while live updates are paused.
const RECENT = 200;
const HELD = 5000;
// Characters to keep of each text of an event.
const TEXT = 1000;
// Events that change no list of tasks.
const QUIET = new Set(["TASK_LOG", "TASK_LIVE_LINE", "TASK_PROGRESS", "TASK_OUTPUT", "SYSTEM_LOG"]);

// connecting, live, away, or polling if there is no socket.
export const connection = signal("connecting");
export const liveOn = signal(true);
export const held = signal(0);
export const recent = signal([]);
// Counts, queue and pause from GET /api/v1/overview; for a limited token, those of its own processors.
export const overview = signal(null);
export const overviewError = signal(null);
// Grows whenever a list of tasks may have changed.
export const changes = signal(0);
// Grows when the service has another journal, as after a restore. Everything shown before is then outdated.
export const epoch = signal(0);
// Number of events that were dropped because this client was too slow.
export const missed = signal(0);

let position = null;
let waiting = [];
let dropped = 0;
// Whether something may have changed without an event, as between the first list and the socket.
let isUnsure = false;
let socket = null;
let patience = PATIENCE;
let retrying = null;
const followers = new Set();

// Calls `follower` with each batch of events and whether events may be missing. Returns a function that ends this.
export function follow(follower) {
  followers.add(follower);
  return () => followers.delete(follower);
}

export function setLive(on) {
  liveOn.value = on;
  if (on) deliver();
}

const EVERYTHING = "";
// What the socket follows: everything, one task by its id, or null for nothing.
const scope = computed(() => {
  if (!isIn()) return null;
  if (!ownProcessors()) return EVERYTHING;
  const [page, id] = route.value.parts;
  return page === "tasks" && id ? id : null;
});

// Closes the socket and opens one for `next`.
function listen(next) {
  clearTimeout(retrying);
  const earlier = socket;
  socket = null;
  earlier?.close();
  position = null;
  patience = PATIENCE;
  connection.value = next === null ? "polling" : "connecting";
  if (next !== null) connect(next);
}

function connect(task) {
  const address = new URL("ws/events", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  if (position !== null) address.searchParams.set("since", position);
  if (task !== EVERYTHING) address.searchParams.set("task_id", task);
  const own = new WebSocket(address);
  socket = own;
  let isFirst = true;
  own.onmessage = ({ data }) => {
    if (own !== socket) return;
    const event = JSON.parse(data);
    if (isFirst) {
      isFirst = false;
      patience = PATIENCE;
      greet(event.id);
      return;
    }
    // The last frame before a shutdown has the id of an event that was already sent.
    if (event.type === "EVENTS_MISSED") dropped += event.data.to - event.data.from + 1;
    // A live line is not in the journal; it has the id of the event before it.
    else if (event.id > position || event.type === "SYSTEM_LOG" || event.type === "TASK_LIVE_LINE") waiting.push(brief(event));
    position = Math.max(position, event.id);
    if (waiting.length > HELD) dropped += waiting.splice(0, waiting.length - HELD).length;
  };
  own.onclose = () => { if (own === socket) lose(own, task); };
}

function lose(own, task) {
  connection.value = "away";
  clearTimeout(retrying);
  retrying = setTimeout(() => connectAgain(own, task), patience);
  patience = Math.min(patience * 2, 5000);
}

// The first frame has the id of the newest event. If that is below the last event received, an older database was
// restored: everything shown is outdated.
function greet(newest) {
  patience = PATIENCE;
  if (position !== null && newest < position) {
    waiting = [];
    dropped = 0;
    position = newest;
    batch(() => { recent.value = []; epoch.value += 1; });
  }
  position ??= newest;
  connection.value = "live";
  isUnsure = true;
  look();
}

// Truncates the texts of an event, because thousands of events may be held while updates are paused.
function brief(event) {
  const { line, ansi, content, error } = event.data;
  if (!isLong(line) && !isLong(ansi) && !isLong(content) && !isLong(error)) return event;
  const data = { ...event.data };
  // A truncated colour sequence would be invalid.
  if (isLong(ansi)) delete data.ansi;
  for (const name of ["line", "content", "error"]) if (isLong(data[name])) data[name] = data[name].slice(0, TEXT);
  return { ...event, data, message: event.message.slice(0, TEXT) };
}

const isLong = (text) => text?.length > TEXT;

// Abandons the socket of a service that hangs, because it would not close it, and reconnects after the last event.
function leave() {
  const silent = socket;
  if (connection.value !== "live" || silent === null) return;
  silent.onclose = null;
  silent.close();
  lose(silent, scope.value);
}

// A browser does not say why a socket was closed. Asks for the session first: it ends if the token is invalid.
async function connectAgain(closed, task) {
  await renew().catch(() => {});
  if (socket === closed) connect(task);
}

// Clears everything, so that the next token does not see what the last one saw.
function forget() {
  waiting = [];
  dropped = 0;
  isUnsure = false;
  batch(() => {
    held.value = 0;
    missed.value = 0;
    recent.value = [];
    overview.value = null;
    overviewError.value = null;
  });
}

function deliver() {
  if (!liveOn.value) {
    if (held.value !== waiting.length + dropped) held.value = waiting.length + dropped;
    return;
  }
  if (waiting.length === 0 && dropped === 0 && !isUnsure) return;
  const mayMiss = dropped > 0 || isUnsure;
  isUnsure = false;
  const events = waiting;
  const lost = dropped;
  waiting = [];
  dropped = 0;
  batch(() => {
    held.value = 0;
    if (lost > 0) missed.value += lost;
    recent.value = events.filter((event) => event.type !== "TASK_LIVE_LINE").slice(-RECENT).reverse().concat(recent.value).slice(0, RECENT);
    if (mayMiss || events.some((event) => !QUIET.has(event.type))) changes.value += 1;
  });
  for (const follower of followers) follower(events, mayMiss);
}

let isLooking = false;
let looked = 0;
let took = 0;
let again = null;

// Requests the counts now, or as soon as the last request is long enough ago.
export async function look() {
  const wait = looked + Math.max(LOOK, Math.min(10 * took, 10 * LOOK)) - Date.now();
  if (isLooking || wait > 0) {
    again ??= setTimeout(() => { again = null; look(); }, Math.max(wait, 100));
    return;
  }
  if (!isIn()) return;
  isLooking = true;
  looked = Date.now();
  try {
    const found = await (ownProcessors() ? ownOverview() : get("overview"));
    if (isIn()) overview.value = found;
    overviewError.value = null;
  } catch (error) {
    if (isIn()) overviewError.value = error.message;
    if (error.status === 0) leave();
  }
  took = Date.now() - looked;
  isLooking = false;
}

async function ownOverview() {
  const [queue, processors] = await Promise.all([get("queue/status"), get("processors")]);
  const sum = (name) => processors.reduce((all, it) => all + it[name], 0);
  return { tasks: { PENDING: sum("pending"), PROCESSING: sum("running") }, queue, pause: queue.paused ? {} : null };
}

// Requests the session until the service answers.
async function enter() {
  try {
    await renew();
  } catch (error) {
    if (error.status === 401) return;
    overviewError.value = error.message;
    setTimeout(enter, 1000);
  }
}

const isWatching = () => isIn() && liveOn.value && !document.hidden;

export function start() {
  effect(() => { listen(scope.value); });
  effect(() => { if (isIn()) look(); else forget(); });
  enter();
  setInterval(deliver, STEP);
  changes.subscribe((count) => { if (count > 0) look(); });
  setInterval(() => { if (isWatching() && ownProcessors()) changes.value += 1; }, POLL);
  // A pause may end and a schedule may advance without an event.
  setInterval(() => { if (isWatching()) look(); }, 10_000);
}
