// The processors: limits, running and pending tasks, and pausing each of them.
import { html, useState } from "../html.js";
import { get, post } from "../api.js";
import { changes } from "../live.js";
import { dateTime, number, plural } from "../format.js";
import { gate } from "../session.js";
import { Failed, Why, askPause, attempt, pauseWords, useLoaded, useThrottled } from "../ui.js";

// Rows to show; others are found by name.
const SHOWN = 200;
// Number of processors above which a search field appears.
const FEW = 20;

export function Processors() {
  const [part, setPart] = useState("");
  const { value, error, look } = useLoaded(() => get("processors"), [useThrottled(changes.value)]);
  const act = async (verb, processor, terms = {}) => { await attempt(() => post(`queue/${verb}`, { processor, ...terms })); look(); };
  const pause = async (name) => {
    const terms = await askPause(`Pause processor ${name}?`, "No further task of this processor starts. Running tasks continue, and new tasks stay pending.");
    if (terms) act("pause", name, terms);
  };
  const found = (value ?? []).filter((it) => it.name.includes(part.trim()));
  return html`<h1>Processors</h1>
    <${Why} role="operate"/>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value?.length > FEW && html`<form class="filters" role="search" aria-label="Processors" onSubmit=${(event) => event.preventDefault()}>
      <label>Filter by name<input name="part" type="search" autocomplete="off" value=${part} onInput=${(event) => setPart(event.target.value)}/></label>
      <span class="total" role="status">${found.length > SHOWN ? `${SHOWN} of ${plural(found.length, "processor")} shown` : plural(found.length, "processor")}</span></form>`}
    ${value && html`<div class="scroll" tabindex="0" role="region" aria-label="Processors"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">Running</th><th scope="col">Pending</th>
        <th scope="col">Slots</th><th scope="col">Rate limit</th><th scope="col">State</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${found.slice(0, SHOWN).map((it) => html`<tr key=${it.name} data-row tabindex="-1">
        <th scope="row"><a href=${`#/tasks?processor=${encodeURIComponent(it.name)}`}>${it.name}</a></th>
        <td>${it.kind ?? html`<span class="failure">not configured</span>`}</td>
        <td class="number">${number(it.running)}</td><td class="number">${number(it.pending)}</td>
        <td class="number">${it.concurrency ?? "no limit"}</td>
        <td>${it.rate ?? "no limit"}${it.rate_frees_at && html`<div>next start ${dateTime(it.rate_frees_at)}</div>`}</td>
        <td>${it.paused ? html`<span class="status failed">paused</span> <span dir="auto">${pauseWords(it.paused)}</span>` : html`<span class="status completed">active</span>`}</td>
        <td>${it.paused
          ? html`<button type="button" ...${gate("operate")} onClick=${() => act("resume", it.name)}>Resume<span class="unseen"> ${it.name}</span></button>`
          : it.kind !== null && html`<button type="button" ...${gate("operate")} onClick=${() => pause(it.name)}>Pause…<span class="unseen"> ${it.name}</span></button>`}</td></tr>`)}</tbody>
    </table></div>`}`;
}
