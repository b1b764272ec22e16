// Everything at a glance: counts, what runs, what failed last, events as they come.
import { html } from "../html.js";
import { listTasks } from "../api.js";
import { changes, overview, recent } from "../live.js";
import { clock, dateTime, number, oneLine } from "../format.js";
import { Empty, Failed, useLoaded, useThrottled } from "../ui.js";
import { Charts } from "./charts.js";
import { Table } from "./tasks.js";

const STATUSES = [["PENDING", "Waiting"], ["PROCESSING", "Running"], ["COMPLETED", "Completed"], ["FAILED", "Failed"]];
const FEW = 5;
// Events in the list; the rest is in `venom watch`.
const EVENTS = 50;

export function Overview() {
  const counts = overview.value?.tasks;
  return html`<h1 class="unseen">Overview</h1>
    <ul class="counters">${STATUSES.map(([status, name]) => html`<li key=${status}><a class=${status.toLowerCase()} href=${`#/tasks?status=${status}`}>
      <span class="count">${counts ? number(counts[status]) : "…"}</span> <span>${name}</span></a></li>`)}</ul>
    <${Charts}/>
    <${Few} title="Running" status="PROCESSING" none="Nothing runs."/>
    <${Few} title="Failed last" status="FAILED" none="No task has failed."/>
    <${Events}/>`;
}

function Few({ title, status, none }) {
  const { value, error, look } = useLoaded(() => listTasks({ status, limit: FEW }), [useThrottled(changes.value)]);
  return html`<section aria-label=${title}><h2>${title}</h2>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value && (value.tasks.length === 0 ? html`<${Empty}>${none}</${Empty}>` : html`<${Table} tasks=${value.tasks}/>`)}</section>`;
}

function Events() {
  const events = recent.value.slice(0, EVENTS);
  return html`<section aria-label="Events"><h2>Events</h2>
    ${events.length === 0 ? html`<${Empty}>Events are shown here as they happen.</${Empty}>`
      : html`<div class="scroll events" tabindex="0" role="region" aria-label="Latest events"><table><thead><tr><th scope="col">Time</th><th scope="col">Event</th><th scope="col">Task</th><th scope="col">What</th></tr></thead>
      <tbody>${events.map((event) => html`<tr key=${event.id}>
        <td><time datetime=${event.timestamp} title=${dateTime(event.timestamp)}>${clock(event.timestamp)}</time></td><td class="type">${event.type}</td>
        <td>${event.data.task_id && html`<a class="id" href=${`#/tasks/${event.data.task_id}`}>…${event.data.task_id.slice(-8)}</a>`}</td>
        <td class="content" dir="auto">${oneLine(what(event))}</td></tr>`)}</tbody></table></div>`}</section>`;
}

const what = ({ data, message }) => data.error ?? data.line ?? data.content ?? data.reason ??
  (data.progress !== undefined ? `${Math.round(data.progress * 100)} %` : message);
