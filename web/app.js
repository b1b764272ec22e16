// The frame around the pages: navigation, search, live state, theme, keys.
import { html, render, signal, useEffect, useRef } from "./html.js";
import { logout } from "./api.js";
import { connection, epoch, held, liveOn, missed, overviewError, setLive, start } from "./live.js";
import { number } from "./format.js";
import { go, route, tasksHash } from "./router.js";
import { OUT, isIn, session } from "./session.js";
import { PauseBanner, Question, Words, attempt } from "./ui.js";
import { listenToKeys, Help, isHelpOpen } from "./keys.js";
import { Login } from "./pages/login.js";
import { Overview } from "./pages/overview.js";
import { Tasks } from "./pages/tasks.js";
import { TaskPage } from "./pages/task.js";
import { Submit } from "./pages/submit.js";
import { Queue } from "./pages/queue.js";
import { Processors } from "./pages/processors.js";
import { Schedules } from "./pages/schedules.js";
import { Hive } from "./pages/hive.js";
import { Storage } from "./pages/storage.js";
import { Doctor } from "./pages/doctor.js";

const PAGES = [
  ["", "Overview", Overview],
  ["tasks", "Tasks", Tasks],
  ["submit", "Submit", Submit],
  ["queue", "Queue", Queue],
  ["processors", "Processors", Processors],
  ["schedules", "Schedules", Schedules],
  ["hive", "Hive", Hive],
  ["storage", "Storage", Storage],
  ["doctor", "Doctor", Doctor],
];

const theme = signal(document.documentElement.dataset.theme ?? "auto");

function setTheme(next) {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("venom.theme", next);
  } catch {
    // Storage is blocked: the theme lasts for this visit.
  }
}

const CONNECTION = { live: "Live", connecting: "Connecting", away: "Connection lost, reconnecting", polling: "Refreshes every 3 s" };

function LiveState() {
  const label = liveOn.value ? CONNECTION[connection.value] : "Paused";
  return html`<span class=${`live is-${liveOn.value ? connection.value : "paused"}`} role="status">${label}</span>
    ${!liveOn.value && held.value > 0 && html`<span class="held">${number(held.value)} new</span>`}
    <button type="button" id="live" onClick=${() => setLive(!liveOn.value)}>${
      liveOn.value ? "Pause updates" : "Resume updates"}</button>`;
}

// A search for a task id opens the task.
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function Search() {
  const search = (event) => {
    event.preventDefault();
    const words = new FormData(event.target).get("q").trim();
    go(ID.test(words) ? `#/tasks/${words}` : tasksHash({ q: words }));
  };
  return html`<form role="search" class="search" onSubmit=${search}>
    <input id="search" name="q" type="search" placeholder="Search or task ID ( / )" aria-label="Search tasks"/>
  </form>`;
}

function Nav({ current }) {
  const bar = useRef();
  // On a narrow screen the bar scrolls: it shows the current page.
  useEffect(() => {
    const link = bar.current.querySelector("[aria-current]");
    if (link) bar.current.scrollLeft = link.offsetLeft + link.offsetWidth / 2 - bar.current.clientWidth / 2;
  }, [current]);
  return html`<nav aria-label="Pages" ref=${bar}><ul>${PAGES.map(([path, name]) => html`<li key=${path}>
    <a href=${`#/${path}`} aria-current=${path === current ? "page" : null}>${name}</a></li>`)}</ul></nav>`;
}

// The logged-in token, if the service requires authentication.
function Who() {
  const { auth, name, role, processors } = session.value;
  if (!auth) return null;
  return html`<span class="who" title=${processors ? `restricted to ${processors.join(", ")}` : null}><bdi>${name}</bdi>, ${role}</span>
    <button type="button" id="logout" onClick=${() => attempt(logout, "Logged out.")}>Log out</button>`;
}

function Theme() {
  return html`<label class="theme"><span class="unseen">Theme</span><select id="theme" value=${theme.value} onChange=${(event) => setTheme(event.target.value)}>
    <option value="auto">System theme</option><option value="light">Light</option><option value="dark">Dark</option></select></label>`;
}

const Brand = () => html`<a class="brand" href="#/"><img src="web/icon.svg" alt="" width="24" height="24"/>Venom Core</a>`;

const useTitle = (title) => useEffect(() => { document.title = `${title} – Venom Core`; }, [title]);

// Moves the focus to the start of a page when it opens, so that screen readers begin there.
function useFocus(page) {
  const shown = useRef(page);
  useEffect(() => {
    if (shown.current !== page) document.getElementById("main").focus();
    shown.current = page;
  }, [page]);
}

function App() {
  if (session.value === OUT) return html`<${Outside}/><${Words}/>`;
  return html`${isIn() ? html`<${Inside}/><${Question}/><${Help}/>` : html`<${Unknown}/>`}<${Words}/>`;
}

// Shown until the session is known.
function Unknown() {
  return html`<header><${Brand}/></header><${Trouble}/><main><p class="empty">Loading…</p></main>`;
}

function Outside() {
  useTitle("Log in");
  return html`<header><${Brand}/><div class="tools"><${Theme}/></div></header><main id="main" tabindex="-1"><${Login}/></main>`;
}

const Trouble = () => overviewError.value && html`<div class="banner stop" role="alert">${overviewError.value}</div>`;

function Inside() {
  const { parts } = route.value;
  const [first = "", second] = parts;
  useFocus(parts.join("/"));
  const [, name, Page] = PAGES.find(([path]) => path === first) ?? [null, "Page not found", null];
  useTitle(second ? `Task ${second.slice(-8)}` : name);
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to content</a>
    <header>
      <${Brand}/>
      <${Search}/>
      <div class="tools"><${LiveState}/><${Theme}/>
        <button type="button" id="help" aria-label="Keyboard shortcuts" onClick=${() => { isHelpOpen.value = true; }}>?</button>
        <${Who}/>
      </div>
    </header>
    <${Nav} current=${first}/>
    <${PauseBanner}/>
    <${Trouble}/>
    ${missed.value > 0 && html`<div class="banner" role="region" aria-label="Missed events">${missed.value} events arrived too fast and are not shown. Counts and lists are up to date.
      <button type="button" onClick=${() => { missed.value = 0; }}>Dismiss</button></div>`}
    <main id="main" tabindex="-1">
      ${Page === null ? html`<h1>Page not found</h1><p><a href="#/">Overview</a></p>`
        : first === "tasks" && second ? html`<${TaskPage} key=${`${second} ${epoch.value}`} id=${second}/>` : html`<${Page} key=${first}/>`}
    </main>`;
}

start();
listenToKeys();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App}/>`, root);
