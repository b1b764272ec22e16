// The service itself: its version, and its settings, read again.
import { html, useState } from "../html.js";
import { post } from "../api.js";
import { overview } from "../live.js";
import { gate } from "../session.js";
import { Failed, Why } from "../ui.js";

export function Doctor() {
  return html`<h1>Doctor</h1>
    <dl class="facts"><div><dt>Version</dt><dd>${overview.value?.version ?? "…"}</dd></div>
      <div><dt>Metrics</dt><dd><a href="metrics">for Prometheus</a></dd></div></dl>
    <${Reload}/>`;
}

function Reload() {
  const [state, setState] = useState({ isBusy: false, answer: null, error: null });
  const reload = async () => {
    setState((old) => ({ ...old, isBusy: true }));
    try {
      setState({ isBusy: false, answer: await post("reload"), error: null });
    } catch (error) {
      setState({ isBusy: false, answer: null, error: error.message });
    }
  };
  const { isBusy, answer, error } = state;
  return html`<section aria-labelledby="reload"><h2 id="reload">Read the settings again</h2>
    <p>What has changed in <code>venom.toml</code>, <code>.env</code> and the environment holds at once, where it needs no restart; with a mistake in it nothing changes.</p>
    <${Why} role="operate" whole/>
    <button type="button" disabled=${isBusy} ...${gate("operate", true)} onClick=${reload}>Reload</button>
    ${error && html`<${Failed} error=${error}/>`}
    ${answer && html`<div role="status"><p>${answer.message}</p>
      <${Keys} title="Holds" keys=${answer.applied}/><${Keys} title="Needs a restart" keys=${answer.needs_restart}/></div>`}</section>`;
}

const Keys = ({ title, keys }) => keys.length > 0 && html`<dl><div><dt>${title}</dt><dd>${keys.map((key) => html`<div key=${key}><code>${key}</code></div>`)}</dd></div></dl>`;
