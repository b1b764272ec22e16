// The overview: counts, charts, running tasks, recent failures and live events.
import { html } from "../html.js";
import { listTasks } from "../api.js";
import { changes, overview, recent } from "../live.js";
import { clock, dateTime, number, oneLine } from "../format.js";
import { ownProcessors } from "../session.js";
import { Empty, Failed, useLoaded, useThrottled } from "../ui.js";
import { Charts } from "./charts.js";
import { Table } from "./tasks.js";

const STATUSES = [["PENDING", "Pending"], ["PROCESSING", "Running"], ["COMPLETED", "Completed"], ["FAILED", "Failed"]];
const FEW = 5;
// Events to show; `venom watch` shows all.
const EVENTS = 50;

export function Overview() {
  const counts = overview.value?.tasks;
  const own = ownProcessors();
  const known = STATUSES.filter(([status]) => !counts || status in counts);
  return html`<h1 class="unseen">Overview</h1>
    <ul class="counters">${known.map(([status, name]) => html`<li key=${status}><a class=${status.toLowerCase()} href=${`#/tasks?status=${status}`}>
      <span class="count">${counts ? number(counts[status]) : "…"}</span> <span>${name}</span></a></li>`)}</ul>
    ${own ? html`<p class="why">This token is restricted to ${own.join(", ")}. Charts and events cover all tasks, so they are hidden.</p>` : html`<${Charts}/>`}
    <${Few} title="Running" status="PROCESSING" none="No running tasks."/>
    <${Few} title="Recent failures" status="FAILED" none="No failed tasks."/>
    ${!own && html`<${Events}/>`}`;
}

// Returns the newest tasks of all processors, or of those that the token is limited to.
async function newest(query) {
  const own = ownProcessors() ?? [null];
  const found = await Promise.all(own.map((processor) => listTasks({ ...query, processor, limit: FEW })));
  const tasks = found.flatMap((page) => page.tasks);
  return own.length === 1 ? tasks : tasks.sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, FEW);
}

function Few({ title, status, none }) {
  const { value, error, look } = useLoaded(() => newest({ status }), [useThrottled(changes.value)]);
  return html`<section aria-label=${title}><h2>${title}</h2>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value && (value.length === 0 ? html`<${Empty}>${none}</${Empty}>` : html`<${Table} tasks=${value}/>`)}</section>`;
}

function Events() {
  const events = recent.value.slice(0, EVENTS);
  return html`<section aria-label="Events"><h2>Events</h2>
    ${events.length === 0 ? html`<${Empty}>No events yet. Events appear here as they happen.</${Empty}>`
      : html`<div class="scroll events" tabindex="0" role="region" aria-label="Latest events"><table><thead><tr><th scope="col">Time</th><th scope="col">Event</th><th scope="col">Task</th><th scope="col">Details</th></tr></thead>
      <tbody>${events.map((event) => html`<tr key=${event.id}>
        <td><time datetime=${event.timestamp} title=${dateTime(event.timestamp)}>${clock(event.timestamp)}</time></td><td class="type">${event.type}</td>
        <td>${event.data.task_id && html`<a class="id" href=${`#/tasks/${event.data.task_id}`}>…${event.data.task_id.slice(-8)}</a>`}</td>
        <td class="content" dir="auto">${oneLine(what(event))}</td></tr>`)}</tbody></table></div>`}</section>`;
}

const said = ({ data, message }) => data.error ?? data.line ?? data.content ??
  (data.progress !== undefined ? `${Math.round(data.progress * 100)} %` : message);
const what = (event) => [said(event), event.data.by && `by ${event.data.by}`, event.data.reason && `– ${event.data.reason}`].filter(Boolean).join(" ");
