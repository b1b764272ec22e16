// The doctor page: health checks, reloading the configuration, and all settings with their sources.
import { html, useState } from "../html.js";
import { get, post } from "../api.js";
import { overview } from "../live.js";
import { dateTime, plural } from "../format.js";
import { gate, refusal } from "../session.js";
import { Ago, Failed, Why, useLoaded } from "../ui.js";

const STATES = { ok: ["ok", "completed"], warn: ["warning", "pending"], fail: ["failed", "failed"] };

export function Doctor() {
  const isShut = refusal("operate", true) !== null;
  return html`<h1>Doctor</h1>
    <${Why} role="operate" whole/>
    ${isShut ? html`<p>Version ${overview.value?.version}</p>` : html`<${Report}/>`}`;
}

// The checks read from the disk, so they run once, and again only on request.
function Report() {
  const [isFull, setFull] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const { value, error, look } = useLoaded(async () => {
    setBusy(true);
    try {
      return await get("doctor", { full: isFull }, undefined, { patience: null });
    } finally {
      setBusy(false);
    }
  }, [isFull]);
  const again = (full) => { if (full === isFull) look(); else setFull(full); };
  return html`${error && html`<${Failed} error=${error} again=${look}/>`}
    <section aria-label="Checks">
      <div class="buttons">
        <button type="button" disabled=${isBusy} onClick=${() => again(false)}>Refresh</button>
        <button type="button" disabled=${isBusy} onClick=${() => again(true)}>Full integrity check</button>
        <span class="total" role="status">${isBusy ? (isFull ? "Checking the whole database. This may take a while." : "Checking…") : value && verdict(value)}</span>
      </div>
      ${value && html`<${Checks} checks=${value.checks}/>`}</section>
    <${Reload} done=${() => again(false)}/>
    ${value && html`<${Settings} settings=${value.settings}/>`}
    <p><a href="metrics">Metrics for Prometheus</a></p>`;
}

function verdict({ healthy, checks, checked_at: at }) {
  const warnings = checks.filter(({ state }) => state === "warn").length;
  const words = healthy ? (warnings === 0 ? "No problems found" : `Works, with ${plural(warnings, "warning")}`) : "Problems found";
  return html`<b>${words}.</b> Version ${overview.value?.version}, checked <${Ago} time=${at}/>.`;
}

const Checks = ({ checks }) => html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table class="checks">
  <thead><tr><th scope="col">Check</th><th scope="col">State</th><th scope="col">Finding</th></tr></thead>
  <tbody>${checks.map(({ name, state, message, advice }, index) => html`<tr key=${index} data-row tabindex="-1"><th scope="row">${name}</th>
    <td><span class=${`status ${STATES[state]?.[1] ?? ""}`}>${STATES[state]?.[0] ?? state}</span></td>
    <td class="content"><bdi>${message}</bdi>${advice && html`<div class="advice">What to do: ${commands(advice)}</div>`}</td></tr>`)}</tbody></table></div>`;

// Shows text between backticks as code.
const commands = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? html`<code key=${index}>${part}</code>` : part));

function Reload({ done }) {
  const [state, setState] = useState({ isBusy: false, answer: null, error: null });
  const reload = async () => {
    setState((old) => ({ ...old, isBusy: true }));
    try {
      setState({ isBusy: false, answer: await post("reload"), error: null });
    } catch (error) {
      setState({ isBusy: false, answer: null, error: error.message });
    }
    done();
  };
  const { isBusy, answer, error } = state;
  return html`<section aria-labelledby="reload"><h2 id="reload">Reload the configuration</h2>
    <p>Applies changes in <code>venom.toml</code>, <code>.env</code> and the environment, except those that need a restart. If a setting is invalid, nothing changes.</p>
    <button type="button" disabled=${isBusy} ...${gate("operate", true)} onClick=${reload}>Reload</button>
    ${error && html`<${Failed} error=${error}/>`}
    ${answer && html`<div role="status"><p>${answer.message}</p>
      <${Keys} title="Applied" keys=${answer.applied}/><${Keys} title="Needs a restart" keys=${answer.needs_restart}/></div>`}</section>`;
}

const Keys = ({ title, keys }) => keys.length > 0 && html`<dl><div><dt>${title}</dt><dd>${keys.map((key) => html`<div key=${key}><code>${key}</code></div>`)}</dd></div></dl>`;

function Settings({ settings }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? settings : settings.filter(({ source }) => source !== "default");
  return html`<section aria-labelledby="settings"><h2 id="settings">Settings</h2>
    <p><label><input type="checkbox" checked=${isAll} onChange=${(event) => setAll(event.target.checked)}/> Show settings that have their default value</label></p>
    <div class="scroll" tabindex="0" role="region" aria-label="Settings"><table>
      <thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Source</th></tr></thead>
      <tbody>${shown.map(({ key, value, source, place }) => html`<tr key=${key} data-row tabindex="-1"><th scope="row"><code>${key}</code></th>
        <td class="content"><bdi>${value}</bdi></td><td>${place ?? source}</td></tr>`)}</tbody></table></div></section>`;
}
