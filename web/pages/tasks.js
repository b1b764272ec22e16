// The list of tasks: filters, search, pages, and what can be done to many at once.
import { html, useEffect, useState } from "../html.js";
import { listTasks, many, task as one } from "../api.js";
import { changes } from "../live.js";
import { between, duration, number, oneLine, plural } from "../format.js";
import { replace, route, tasksHash } from "../router.js";
import { gate, ownProcessors } from "../session.js";
import { Ago, Empty, Failed, Progress, Status, Why, ask, say, attempt, useLoaded, useThrottled } from "../ui.js";

const STATUSES = ["PENDING", "PROCESSING", "COMPLETED", "FAILED"];
const FAILURES = ["error", "timeout", "aborted", "purged", "emergency_stop", "lost", "upstream"];
const FILTERS = ["q", "status", "processor", "tag", "session_id", "failure", "since", "until", "order"];
const PAGE = 50;
// Requests of one order to selected tasks that are under way together.
const AT_ONCE = 6;

const VERBS = {
  retry: { name: "Retry", done: "wait again", role: "operate", fits: (task) => task.status === "FAILED", which: "failed" },
  abort: { name: "Abort", done: "aborted", role: "operate", fits: (task) => task.status === "PROCESSING", which: "running", danger: true },
  delete: { name: "Delete", done: "deleted", role: "admin", fits: (task) => task.status === "COMPLETED" || task.status === "FAILED", which: "finished", danger: true },
};

// A token of some processors sees one of them at a time.
function read(query) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  return { ...filters, processor: filters.processor || (ownProcessors()?.[0] ?? "") };
}

// A filter with times as the API wants them: what a person typed is local time.
function asked(filters) {
  const instant = (text) => {
    const date = new Date(text);
    return text && !Number.isNaN(date.getTime()) ? date.toISOString() : text;
  };
  return { ...filters, since: instant(filters.since), until: instant(filters.until) };
}

export function Tasks() {
  const query = route.value.query;
  const filters = read(query);
  const cursor = query.get("cursor") ?? "";
  const address = query.toString();
  const trigger = useThrottled(changes.value);
  const { value, error, look } = useLoaded(
    () => listTasks({ ...asked(filters), cursor, limit: PAGE }), [address, trigger]);
  const [selected, setSelected] = useState(new Set());
  useEffect(() => setSelected(new Set()), [address]);
  const tasks = value?.tasks ?? [];
  const set = (changed) => replace(tasksHash({ ...filters, ...changed }));
  const chosen = tasks.filter((task) => selected.has(task.id));
  return html`
    <h1>Tasks</h1>
    <${Filters} filters=${filters} set=${set}/>
    <${Bulk} filters=${filters} chosen=${chosen} done=${() => { setSelected(new Set()); look(); }}/>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${value && html`<${Table} ...${{ tasks, selected, setSelected }}/>`}
    ${!value && !error && html`<p class="empty">Loading…</p>`}
    <div class="pages">
      <span>${value && (value.total !== null ? plural(value.total, "task") : `${plural(tasks.length, "task")} on this page`)}</span>
      ${cursor && html`<a class="button" href=${tasksHash(filters)}>First page</a>`}
      ${value?.next && html`<a class="button" id="next" href=${tasksHash({ ...filters, cursor: value.next })}>Next page</a>`}
    </div>`;
}

function Filters({ filters, set }) {
  const text = (name, label, more = {}) => html`<label key=${name}>${label}
    <input name=${name} value=${filters[name]} ...${more} onChange=${(event) => set({ [name]: event.target.value.trim() })}/></label>`;
  const choice = (name, label, all, values) => html`<label key=${name}>${label}
    <select name=${name} value=${filters[name]} onChange=${(event) => set({ [name]: event.target.value })}>
      <option value="">${all}</option>${values.map((value) => html`<option key=${value} value=${value}>${value}</option>`)}</select></label>`;
  const own = ownProcessors();
  const isSet = FILTERS.some((name) => filters[name]);
  return html`<form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
    ${text("q", "Words", { type: "search", placeholder: "content, result, error" })}
    ${choice("status", "Status", "any", STATUSES)}
    ${own ? html`<label>Processor<select name="processor" value=${filters.processor} onChange=${(event) => set({ processor: event.target.value })}>
      ${own.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>` : text("processor", "Processor")}
    ${choice("failure", "Failure", "any", FAILURES)}
    ${text("tag", "Tag")}
    ${text("session_id", "Session")}
    ${text("since", "Created since", { type: "datetime-local" })}
    ${text("until", "Created before", { type: "datetime-local" })}
    <label>Order<select name="order" value=${filters.order} onChange=${(event) => set({ order: event.target.value })}>
      <option value="">newest first</option><option value="asc">oldest first</option></select></label>
    ${isSet && html`<a class="button" href="#/tasks">Clear filters</a>`}
  </form>`;
}

function Bulk({ filters, chosen, done }) {
  const { order, ...filter } = filters;
  const isFiltered = Object.values(filter).some(Boolean);
  const selected = async (verb) => {
    const { name, fits, which, danger } = VERBS[verb];
    const fitting = chosen.filter(fits);
    if (fitting.length === 0) return say(`None of the selected tasks is ${which}.`, "bad");
    const text = `${plural(fitting.length, "task")} of ${chosen.length} selected ${fitting.length === 1 ? "is" : "are"} ${which}.`;
    if (!await ask({ title: `${name} selected tasks?`, text, confirm: `${name} ${number(fitting.length)}`, danger })) return undefined;
    say(await eachOf(fitting, verb));
    return done();
  };
  const matching = async (verb) => {
    const { name, danger } = VERBS[verb];
    try {
      const { matched } = await many[verb]({ ...asked(filter), dry_run: true });
      if (matched === 0) return say(`No ${VERBS[verb].which} task matches the filter.`, "bad");
      const text = `${plural(matched, "task")} that ${matched === 1 ? "matches" : "match"} the filter and ${matched === 1 ? "is" : "are"} ${VERBS[verb].which}.`;
      if (!await ask({ title: `${name} all that match?`, text, confirm: `${name} ${number(matched)}`, danger })) return undefined;
    } catch (error) {
      return say(error.message, "bad");
    }
    await attempt(() => many[verb](asked(filter)));
    return done();
  };
  return html`<div class="bulk" role="group" aria-label="Actions on many tasks">
    <span>${chosen.length} selected</span>
    ${Object.entries(VERBS).map(([verb, { name, danger, role }]) => html`<button key=${verb} type="button" class=${danger ? "danger" : ""}
      disabled=${chosen.length === 0} ...${gate(role)} onClick=${() => selected(verb)}>${name} selected</button>`)}
    <span class="or">${isFiltered ? "or all that match:" : "set a filter to act on all that match"}</span>
    ${isFiltered && Object.entries(VERBS).map(([verb, { name, danger, role }]) => html`<button key=${`all-${verb}`} type="button"
      class=${danger ? "danger" : ""} ...${gate(role)} onClick=${() => matching(verb)}>${name} all</button>`)}
  </div><${Why} role="admin"/>`;
}

// Orders them one by one, a few together; a sentence on how it went.
async function eachOf(tasks, verb) {
  const left = [...tasks];
  const errors = [];
  const work = async () => {
    for (let task = left.shift(); task; task = left.shift()) {
      try {
        await one[verb](task.id);
      } catch (error) {
        errors.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const count = tasks.length - errors.length;
  const refused = errors.length === 0 ? "" : ` ${plural(errors.length, "task")} refused: ${errors[0]}`;
  return `${number(count)} of ${plural(tasks.length, "task")} ${VERBS[verb].done}.${refused}`;
}

export function Table({ tasks, selected, setSelected }) {
  if (tasks.length === 0) return html`<${Empty}>No task here.</${Empty}>`;
  const toggle = (ids, on) => {
    const next = new Set(selected);
    for (const id of ids) on ? next.add(id) : next.delete(id);
    setSelected(next);
  };
  const ids = tasks.map((task) => task.id);
  const all = selected && ids.every((id) => selected.has(id));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="List of tasks"><table class="tasks">
    <thead><tr>
      ${selected && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${all} onChange=${(event) => toggle(ids, event.target.checked)}/></th>`}
      <th scope="col">Task</th><th scope="col">Status</th><th scope="col">Processor</th>
      <th scope="col">Content</th><th scope="col">Attempt</th><th scope="col">Ran</th><th scope="col">Created</th></tr></thead>
    <tbody>${tasks.map((task) => html`<tr key=${task.id} data-row tabindex="-1">
      ${selected && html`<td><input type="checkbox" aria-label=${`Select task ${task.id}`} checked=${selected.has(task.id)}
        onChange=${(event) => toggle([task.id], event.target.checked)}/></td>`}
      <td><a class="id" href=${`#/tasks/${task.id}`} title=${task.id}>…${task.id.slice(-8)}</a></td>
      <td><${Status} task=${task}/></td>
      <td>${task.processor}</td>
      <td class="content"><bdi>${oneLine(task.content) || html`<i>empty</i>`}</bdi>${
        task.error && html`<div class="error"><bdi>${oneLine(task.error)}</bdi></div>`}${
        task.status === "PROCESSING" && html`<${Progress} value=${task.progress}/>`}${
        task.tags.map((tag) => html`<a key=${tag} class="tag" href=${tasksHash({ tag })}>${oneLine(tag, 30)}</a>`)}</td>
      <td class="number">${task.attempt} of ${task.max_attempts}</td>
      <td class="number">${duration(between(task.started_at, task.finished_at))}</td>
      <td class="number"><${Ago} time=${task.created_at}/></td></tr>`)}</tbody>
  </table></div>`;
}
