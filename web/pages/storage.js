// The storage page: size and age of the database, retention, export and import.
import { html, useState } from "../html.js";
import { call, get } from "../api.js";
import { changes } from "../live.js";
import { bytes, dateTime, duration, number, plural } from "../format.js";
import { gate, refusal } from "../session.js";
import { Ago, Failed, TaskLink, Why, useLoaded, useThrottled } from "../ui.js";

const kept = (seconds) => (seconds === null ? "unlimited" : duration(seconds));

export function Storage() {
  const { value, error, look } = useLoaded(() => get("storage"), [useThrottled(changes.value, 5000)]);
  return html`<h1>Storage</h1>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value && html`<dl class="facts">
      <div><dt>Database</dt><dd>${bytes(value.database_bytes)}</dd></div>
      <div><dt>Free space in it</dt><dd>${bytes(value.free_bytes)}</dd></div>
      <div><dt>Write-ahead log</dt><dd>${bytes(value.wal_bytes)}</dd></div>
      <div><dt>Oldest task</dt><dd>${value.oldest_task ? html`<${TaskLink} id=${value.oldest_task.id}>…${value.oldest_task.id.slice(-8)}</${TaskLink}>
        <div class="total" title=${dateTime(value.oldest_task.created_at)}><${Ago} time=${value.oldest_task.created_at}/></div>` : "none"}</dd></div>
      <div><dt>COMPLETED tasks kept for</dt><dd>${kept(value.retention_completed)}</dd></div>
      <div><dt>FAILED tasks kept for</dt><dd>${kept(value.retention_failed)}</dd></div>
    </dl>
    <p>Change how long finished tasks are kept with the settings <code>retention_completed</code> and <code>retention_failed</code>.</p>`}
    <${Why} role="admin" whole/>
    <section aria-labelledby="export"><h2 id="export">Export</h2>
      <p>Downloads all tasks as one file in the format of <code>state_dump.json</code>.</p>
      ${refusal("admin", true) === null ? html`<a class="button" href="api/v1/export" download="state_dump.json">Download state_dump.json</a>`
        : html`<button type="button" ...${gate("admin", true)}>Download state_dump.json</button>`}</section>
    <${Import} done=${look}/>`;
}

function Import({ done }) {
  const [state, setState] = useState({ isBusy: false, report: null, error: null });
  const bring = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    setState({ isBusy: true, report: null, error: null });
    try {
      const { answer } = await call("POST", "import", { file: given.get("file"), query: { replace: given.has("replace") } });
      setState({ isBusy: false, report: answer, error: null });
      done();
    } catch (error) {
      setState({ isBusy: false, report: null, error: error.message });
    }
  };
  return html`<section aria-labelledby="import"><h2 id="import">Import</h2>
    <p>The whole file is checked before any task is imported. Tasks that were running become pending.</p>
    <form class="import" onSubmit=${bring}>
      <label>File <input type="file" name="file" accept=".json,application/json" required/></label>
      <label><input type="checkbox" name="replace"/> Replace tasks that have the same id</label>
      <button type="submit" disabled=${state.isBusy} ...${gate("admin", true)}>${state.isBusy ? "Importing…" : "Import"}</button>
    </form>
    ${state.error && html`<${Failed} error=${state.error}/>`}
    ${state.report && html`<${Report} ...${state.report}/>`}</section>`;
}

function Report({ imported, unchanged, replaced, conflict_count: left, conflicts }) {
  return html`<div role="status"><p>${plural(imported, "task")} imported, ${number(unchanged)} already present, ${number(replaced)} replaced.</p>
    ${left > 0 && html`<p>${plural(left, "task")} skipped, because another task has the same ID or unique key:</p>
      <ul>${conflicts.slice(0, 20).map((id) => html`<li key=${id}><${TaskLink} id=${id}/></li>`)}</ul>`}</div>`;
}
