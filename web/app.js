// The frame around the pages: navigation, search, live state, theme, keys.
import { html, render, signal, useEffect } from "./html.js";
import { connection, held, liveOn, missed, overviewError, setLive, start } from "./live.js";
import { go, route, tasksHash } from "./router.js";
import { PauseBanner, Question, Words } from "./ui.js";
import { listenToKeys, Help, isHelpOpen } from "./keys.js";
import { Overview } from "./pages/overview.js";
import { Tasks } from "./pages/tasks.js";
import { TaskPage } from "./pages/task.js";
import { Submit } from "./pages/submit.js";
import { Queue } from "./pages/queue.js";
import { Processors } from "./pages/processors.js";
import { Schedules } from "./pages/schedules.js";
import { Hive } from "./pages/hive.js";
import { Storage } from "./pages/storage.js";

const PAGES = [
  ["", "Overview", Overview],
  ["tasks", "Tasks", Tasks],
  ["submit", "Submit", Submit],
  ["queue", "Queue", Queue],
  ["processors", "Processors", Processors],
  ["schedules", "Schedules", Schedules],
  ["hive", "Hive", Hive],
  ["storage", "Storage", Storage],
];

const theme = signal(document.documentElement.dataset.theme ?? "auto");

function setTheme(next) {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("venom.theme", next);
  } catch {
    // It holds for this visit then.
  }
}

const CONNECTION = { live: "Live", connecting: "Connecting", away: "Connection lost, trying again" };

function LiveState() {
  const words = liveOn.value ? CONNECTION[connection.value] : `Paused${held.value > 0 ? `, ${held.value} new` : ""}`;
  return html`<span class=${`live ${liveOn.value ? connection.value : "paused"}`} role="status">${words}</span>
    <button type="button" id="live" aria-pressed=${!liveOn.value} onClick=${() => setLive(!liveOn.value)}>${
      liveOn.value ? "Pause updates" : "Resume updates"}</button>`;
}

function Search() {
  const search = (event) => {
    event.preventDefault();
    go(tasksHash({ q: new FormData(event.target).get("q").trim() }));
  };
  return html`<form role="search" class="search" onSubmit=${search}>
    <input id="search" name="q" type="search" placeholder="Search tasks ( / )" aria-label="Search tasks"/>
  </form>`;
}

function Nav({ current }) {
  return html`<nav aria-label="Pages"><ul>${PAGES.map(([path, name]) => html`<li key=${path}>
    <a href=${`#/${path}`} aria-current=${path === current ? "page" : null}>${name}</a></li>`)}</ul></nav>`;
}

function App() {
  const { parts } = route.value;
  const [first = "", second] = parts;
  const [, name, Page] = PAGES.find(([path]) => path === first) ?? [null, "No such page", null];
  const title = second ? `Task ${second.slice(-8)}` : name;
  useEffect(() => { document.title = `${title} – Venom Core`; }, [title]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to content</a>
    <header>
      <a class="brand" href="#/"><img src="web/icon.svg" alt="" width="24" height="24"/>Venom Core</a>
      <${Search}/>
      <div class="tools"><${LiveState}/>
        <label class="theme"><span class="unseen">Theme</span><select id="theme" value=${theme.value} onChange=${(event) => setTheme(event.target.value)}>
          <option value="auto">System theme</option><option value="light">Light</option><option value="dark">Dark</option></select></label>
        <button type="button" id="help" aria-label="Keyboard shortcuts" onClick=${() => { isHelpOpen.value = true; }}>?</button>
      </div>
    </header>
    <${Nav} current=${first}/>
    <${PauseBanner}/>
    ${overviewError.value && html`<div class="banner stop" role="alert">${overviewError.value}</div>`}
    ${missed.value > 0 && html`<div class="banner" role="region" aria-label="Missed events">${missed.value} events went by too fast to be shown; counts and lists are up to date.
      <button type="button" onClick=${() => { missed.value = 0; }}>Dismiss</button></div>`}
    <main id="main" tabindex="-1">
      ${Page === null ? html`<h1>No such page</h1><p><a href="#/">Overview</a></p>`
        : first === "tasks" && second ? html`<${TaskPage} key=${second} id=${second}/>` : html`<${Page} key=${first}/>`}
    </main>
    <${Words}/><${Question}/><${Help}/>`;
}

start();
listenToKeys();
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App}/>`, place);
