// What happens in the service, as it happens: one event socket for all views.
//
// Events are collected and handed on a few times a second, so that hundreds of them cost a view one
// repaint. The id of the last event survives a lost connection: the next one asks for all since then.
import { signal, batch } from "./html.js";
import { get } from "./api.js";

// Milliseconds between two deliveries to the views.
const STEP = 250;
// The least time between two looks at the counts; longer where a look takes long, because it counts all tasks.
const LOOK = 1000;
// Events that the list of recent ones keeps, and that are held while live updates are paused.
const RECENT = 200;
const HELD = 5000;
// Log lines and progress change no list of tasks.
const QUIET = new Set(["TASK_LOG", "TASK_PROGRESS", "TASK_OUTPUT", "SYSTEM_LOG"]);

export const connection = signal("connecting");
export const liveOn = signal(true);
export const held = signal(0);
export const recent = signal([]);
// Counts, queue and pause, as GET /api/v1/overview says them.
export const overview = signal(null);
export const overviewError = signal(null);
// Grows whenever a list of tasks may have changed.
export const changes = signal(0);
// Events that went by unseen, because this listener or the browser was too slow.
export const missed = signal(0);

let position = null;
let waiting = [];
let dropped = 0;
let socket = null;
let patience = 500;
const followers = new Set();

// Calls `follower` with each batch of events; returns what ends that.
export function follow(follower) {
  followers.add(follower);
  return () => followers.delete(follower);
}

export function setLive(on) {
  liveOn.value = on;
  if (on) deliver();
}

function connect() {
  const address = new URL("ws/events", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  if (position !== null) address.searchParams.set("since", position);
  socket = new WebSocket(address);
  let isFirst = true;
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (isFirst) {
      isFirst = false;
      patience = 500;
      if (position === null) position = event.id;
      connection.value = "live";
      look();
      return;
    }
    // The last words at a stop carry the place of an event that has been told.
    if (event.type === "EVENTS_MISSED") dropped += event.data.to - event.data.from + 1;
    else if (event.id > position || event.type === "SYSTEM_LOG") waiting.push(event);
    position = Math.max(position, event.id);
    if (waiting.length > HELD) dropped += waiting.splice(0, waiting.length - HELD).length;
  };
  socket.onclose = () => {
    connection.value = "away";
    setTimeout(connect, patience);
    patience = Math.min(patience * 2, 5000);
  };
}

function deliver() {
  if (!liveOn.value) {
    if (held.value !== waiting.length + dropped) held.value = waiting.length + dropped;
    return;
  }
  if (waiting.length === 0 && dropped === 0) return;
  const events = waiting;
  const lost = dropped;
  waiting = [];
  dropped = 0;
  batch(() => {
    held.value = 0;
    if (lost > 0) missed.value += lost;
    recent.value = events.slice(-RECENT).reverse().concat(recent.value).slice(0, RECENT);
    if (lost > 0 || events.some((event) => !QUIET.has(event.type))) changes.value += 1;
  });
  for (const follower of followers) follower(events, lost);
}

let isLooking = false;
let looked = 0;
let took = 0;
let again = null;

// Asks for the counts now, or as soon as the last look is long enough ago.
export async function look() {
  const wait = looked + Math.max(LOOK, Math.min(10 * took, 10 * LOOK)) - Date.now();
  if (isLooking || wait > 0) {
    again ??= setTimeout(() => { again = null; look(); }, Math.max(wait, 100));
    return;
  }
  isLooking = true;
  looked = Date.now();
  try {
    overview.value = await get("overview");
    overviewError.value = null;
  } catch (error) {
    overviewError.value = error.message;
  }
  took = Date.now() - looked;
  isLooking = false;
}

export function start() {
  connect();
  look();
  setInterval(deliver, STEP);
  changes.subscribe((count) => { if (count > 0) look(); });
  // A pause may end by its time alone, and schedules go on while nothing happens.
  setInterval(() => { if (liveOn.value && !document.hidden) look(); }, 10_000);
}
