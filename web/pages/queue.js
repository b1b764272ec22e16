// The queue page: pause, resume, purge and emergency stop.
import { html, useState } from "../html.js";
import { post } from "../api.js";
import { look, overview } from "../live.js";
import { dateTime, number, plural } from "../format.js";
import { gate } from "../session.js";
import { Why, ask, attempt, pauseTerms } from "../ui.js";

export function Queue() {
  const now = overview.value;
  if (!now) return html`<h1>Queue</h1><p class="empty">Loading…</p>`;
  const { queue, pause } = now;
  const act = async (work) => { await attempt(work); look(); };
  const purge = async () => {
    const text = `${plural(queue.pending, "pending task")} will become FAILED (purged). Running tasks continue.`;
    if (await ask({ title: "Purge the queue?", text, confirm: "Purge", danger: true })) act(() => post("queue/purge"));
  };
  const stop = async () => {
    const text = `Pauses the queue, stops ${plural(queue.processing, "running task")} and purges ${plural(queue.pending, "pending task")}. Nothing starts until you resume the queue.`;
    if (await ask({ title: "Emergency stop?", text, confirm: "Stop everything", word: "STOP", danger: true })) act(() => post("queue/emergency-stop"));
  };
  const steer = gate("operate", true);
  return html`<h1>Queue</h1>
    <${Why} role="operate" whole/>
    <dl class="facts">
      <div><dt>State</dt><dd id="queue-state">${pause?.emergency_stop ? "emergency stop" : queue.paused ? "paused" : "active"}</dd></div>
      ${pause?.since && html`<div><dt>Since</dt><dd>${dateTime(pause.since)}</dd></div>`}
      ${pause?.by && html`<div><dt>By</dt><dd dir="auto">${pause.by}</dd></div>`}
      ${pause?.until && html`<div><dt>Until</dt><dd>${dateTime(pause.until)}</dd></div>`}
      ${pause?.reason && !pause.emergency_stop && html`<div><dt>Reason</dt><dd dir="auto">${pause.reason}</dd></div>`}
      <div><dt>Pending</dt><dd><a href="#/tasks?status=PENDING">${number(queue.pending)}</a></dd></div>
      <div><dt>Running</dt><dd><a href="#/tasks?status=PROCESSING">${number(queue.processing)}</a>${queue.limit === null ? ", no slot limit" : ` of ${queue.limit} slots`}</dd></div>
      ${queue.hive && html`<div><dt>Hive</dt><dd>${queue.hive.state}</dd></div>`}
    </dl>
    ${queue.paused
      ? html`<section><h2>Resume</h2><p>Pending tasks start again.</p>
          <button type="button" class="main" id="resume" ...${steer} onClick=${() => act(() => post("queue/resume"))}>Resume queue</button></section>`
      : html`<${Pause} act=${act}/>`}
    <section><h2>Purge</h2><p>All pending tasks become FAILED (purged). Running tasks continue.</p>
      <button type="button" class="danger" id="purge" ...${steer} onClick=${purge}>Purge…</button></section>
    <section><h2>Emergency stop</h2><p>Pauses the queue, stops all running tasks and purges all pending tasks.</p>
      <button type="button" class="danger" id="stop" ...${steer} onClick=${stop}>Emergency stop…</button></section>`;
}

function Pause({ act }) {
  const [until, setUntil] = useState("");
  const [reason, setReason] = useState("");
  const pause = (event) => {
    event.preventDefault();
    act(() => post("queue/pause", pauseTerms({ until, reason })));
  };
  return html`<section><h2>Pause</h2><p>No further task starts. Running tasks continue, and new tasks stay pending.</p>
    <form class="filters" onSubmit=${pause}>
      <label>Until <small>leave empty to pause until resumed</small><input name="until" type="datetime-local" value=${until} onInput=${(event) => setUntil(event.target.value)}/></label>
      <label>Reason<input name="reason" autocomplete="off" value=${reason} onInput=${(event) => setReason(event.target.value)}/></label>
      <button type="submit" class="main" id="pause" ...${gate("operate", true)}>Pause queue</button>
    </form></section>`;
}
