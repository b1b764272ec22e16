// What the database takes, how far back it goes, and what is kept for how long.
import { html } from "../html.js";
import { get } from "../api.js";
import { changes } from "../live.js";
import { bytes, dateTime, duration } from "../format.js";
import { Ago, Failed, TaskLink, useLoaded, useThrottled } from "../ui.js";

const kept = (seconds) => (seconds === null ? "for ever" : duration(seconds));

export function Storage() {
  const { value, error, look } = useLoaded(() => get("storage"), [useThrottled(changes.value, 5000)]);
  return html`<h1>Storage</h1>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value && html`<dl class="facts">
      <div><dt>Database</dt><dd>${bytes(value.database_bytes)}</dd></div>
      <div><dt>Free in it</dt><dd>${bytes(value.free_bytes)}</dd></div>
      <div><dt>Write-ahead log</dt><dd>${bytes(value.wal_bytes)}</dd></div>
      <div><dt>Oldest task</dt><dd>${value.oldest_task ? html`<${TaskLink} id=${value.oldest_task.id}>…${value.oldest_task.id.slice(-8)}</${TaskLink}>
        <span class="total"> ${dateTime(value.oldest_task.created_at)}</span>` : "none"}</dd></div>
      <div><dt>COMPLETED is kept</dt><dd>${kept(value.retention_completed)}</dd></div>
      <div><dt>FAILED is kept</dt><dd>${kept(value.retention_failed)}</dd></div>
    </dl>
    <p>The settings <code>retention_completed</code> and <code>retention_failed</code> say how long finished tasks are kept.${" "}<code>venom export FILE</code> writes all tasks to a file, while the service runs.</p>`}`;
}
