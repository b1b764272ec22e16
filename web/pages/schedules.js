// The schedules: tasks that the service submits at set times.
import { html } from "../html.js";
import { get } from "../api.js";
import { changes } from "../live.js";
import { dateTime, duration, oneLine } from "../format.js";
import { Ago, Empty, Failed, TaskLink, useLoaded, useThrottled } from "../ui.js";

export function Schedules() {
  const { value, error, look } = useLoaded(() => get("schedules"), [useThrottled(changes.value, 5000)]);
  return html`<h1>Schedules</h1>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value?.length === 0 && html`<${Empty}>No schedules. To add one, write a table <code>[schedules.NAME]</code> in <code>venom.toml</code>.</${Empty}>`}
    ${value?.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Schedules"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Schedule</th><th scope="col">Processor</th><th scope="col">Content</th>
        <th scope="col">Next run</th><th scope="col">Last run</th><th scope="col">Last task</th></tr></thead>
      <tbody>${value.map((it) => html`<tr key=${it.name} data-row tabindex="-1">
        <th scope="row">${it.name}${!it.enabled && html` <span class="failure">off</span>`}</th>
        <td><code>${it.cron ?? `every ${typeof it.every === "number" ? duration(it.every) : it.every}`}</code> ${it.timezone}</td>
        <td>${it.processor}</td><td class="content" dir="auto">${oneLine(it.content)}</td>
        <td>${it.next_run ? html`${dateTime(it.next_run)} (<${Ago} time=${it.next_run}/>)` : "–"}</td>
        <td>${it.last_due ? dateTime(it.last_due) : "–"}</td>
        <td>${it.last_task_id ? html`<${TaskLink} id=${it.last_task_id}>…${it.last_task_id.slice(-8)}</${TaskLink}>` : "–"}</td></tr>`)}</tbody>
    </table></div>`}`;
}
