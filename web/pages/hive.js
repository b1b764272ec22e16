// The Hive page: the connection to Redis, queues, nodes, and commands to all nodes.
import { html, useState } from "../html.js";
import { get, post } from "../api.js";
import { changes, look, overview } from "../live.js";
import { dateTime, number } from "../format.js";
import { gate } from "../session.js";
import { Ago, Empty, Failed, Why, ask, askPause, attempt, pauseTerms, useLoaded, useThrottled, useTick } from "../ui.js";

// Milliseconds between two reports of a node.
const REPORT = 5000;

const both = async () => {
  const [status, nodes] = await Promise.allSettled([get("hive/status"), get("hive/nodes")]);
  if (status.status === "rejected") throw status.reason;
  return { status: status.value, nodes: nodes.value ?? null, problem: nodes.reason?.message };
};

export function Hive() {
  const isOff = overview.value !== null && !overview.value.queue.hive;
  if (overview.value === null) return html`<h1>Hive</h1><p class="empty">Loading…</p>`;
  if (isOff) return html`<h1>Hive</h1><${Empty}>The Hive is off. To turn it on, set <code>enable_hive = true</code> in <code>venom.toml</code>.</${Empty}>`;
  return html`<${Nodes}/>`;
}

function Nodes() {
  const { value, error, look: again } = useLoaded(both, [useThrottled(changes.value, 2000), useTick(REPORT)]);
  if (error && !value) return html`<h1>Hive</h1><${Failed} error=${error} again=${again}/>`;
  if (!value) return html`<h1>Hive</h1><p class="empty">Loading…</p>`;
  const { status, nodes, problem } = value;
  const tell = async (path, body) => { await attempt(() => post(path, body, { hive: true })); look(); again(); };
  const steer = gate("operate", true);
  const pause = async () => {
    const terms = await askPause("Pause the whole Hive?", "No further task starts on any node, including nodes that join later. Running tasks continue.");
    if (terms) tell("queue/pause", terms);
  };
  const stop = async () => {
    const text = "Every node of the Hive pauses, stops its running tasks and purges its pending tasks.";
    if (await ask({ title: "Emergency stop of the whole Hive?", text, confirm: "Stop the Hive", word: "STOP", danger: true })) tell("queue/emergency-stop");
  };
  return html`<h1>Hive</h1>
    <dl class="facts">
      <div><dt>Redis</dt><dd>${status.state}${status.reason ? `: ${status.reason}` : ""}</dd></div>
      ${["high", "background"].map((name) => html`<div key=${name}><dt>${status.queues[name].name}</dt>
        <dd>${status.queues[name].length === null ? "–" : number(status.queues[name].length)}</dd></div>`)}
      <div><dt>In flight</dt><dd>${number(status.in_flight)}</dd></div>
      <div><dt>Completed</dt><dd>${number(status.completed)}</dd></div>
      <div><dt>Failed</dt><dd>${number(status.failed)}</dd></div>
    </dl>
    <section><div class="buttons" role="group" aria-label="Commands to all nodes">
      <button type="button" ...${steer} onClick=${pause}>Pause all nodes…</button>
      <button type="button" ...${steer} onClick=${() => tell("queue/resume")}>Resume all nodes</button>
      <button type="button" class="danger" ...${steer} onClick=${stop}>Emergency stop of all nodes…</button></div>
    <${Why} role="operate" whole/></section>
    <section aria-labelledby="nodes"><h2 id="nodes">Nodes</h2>
    ${problem && html`<${Failed} error=${problem} again=${again}/>`}
    ${nodes && html`<div class="scroll" tabindex="0" role="region" aria-label="Nodes"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Running</th>
        <th scope="col">Load</th><th scope="col">Version</th><th scope="col">Started</th><th scope="col">Last seen</th></tr></thead>
      <tbody>${nodes.map((node) => html`<tr key=${node.id} data-row tabindex="-1"><th scope="row"><bdi>${node.name}</bdi> <small>process ${node.pid}</small></th><td>${node.kind}</td>
        <td>${node.silent ? html`<span class="status failed">silent</span>` : node.paused ? html`<span class="status pending">paused</span>` : html`<span class="status completed">active</span>`}</td>
        <td class="number">${number(node.running)}${node.max ? ` of ${node.max}` : ""}</td>
        <td class="number">${typeof node.load === "number" ? node.load.toFixed(2) : "–"}</td><td>${node.version}</td>
        <td class="time">${dateTime(node.started_at)}</td><td class="time"><${Ago} time=${node.last_seen}/></td></tr>`)}</tbody></table></div>`}</section>
    <${Order} done=${again}/>`;
}

// Further commands: for a processor that this service may not have, and for a report.
const ORDERS = [["pause", "Pause a processor"], ["resume", "Resume a processor"], ["status", "Request a status report"]];

function Order({ done }) {
  const [command, setCommand] = useState("pause");
  const isOfProcessor = command !== "status";
  const send = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    const data = isOfProcessor ? { processor: given.processor.trim(), ...command === "pause" && pauseTerms(given) } : {};
    await attempt(() => post("hive/broadcast", { command, data }));
    done();
  };
  return html`<section aria-labelledby="order"><h2 id="order">Broadcast a command</h2>
    <form class="filters" onSubmit=${send}>
      <label>Command<select name="command" value=${command} onChange=${(event) => setCommand(event.target.value)}>
        ${ORDERS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select></label>
      ${isOfProcessor && html`<label>Processor<input name="processor" required autocomplete="off"/></label>`}
      ${command === "pause" && html`<label>Until <small>leave empty to pause until resumed</small><input name="until" type="datetime-local"/></label>
        <label>Reason<input name="reason" autocomplete="off"/></label>`}
      <button type="submit" ...${gate("operate", true)}>Send</button>
    </form></section>`;
}
