// The task list: filters, search, paging, and actions on many tasks.
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
// Requests to run in parallel for an action on selected tasks.
const AT_ONCE = 6;

const VERBS = {
  retry: { name: "Retry", done: "requeued", role: "operate", fits: (task) => task.status === "FAILED", which: "failed" },
  abort: { name: "Abort", done: "aborted", role: "operate", fits: (task) => task.status === "PROCESSING", which: "running", danger: true },
  delete: { name: "Delete", done: "deleted", role: "admin", fits: (task) => task.status === "COMPLETED" || task.status === "FAILED", which: "finished", danger: true },
};

// Reads the filters from the address. A token that is limited to some processors lists one of them at a time.
function read(query) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  return { ...filters, processor: filters.processor || (ownProcessors()?.[0] ?? "") };
}

// Returns the filters for the API: times in UTC instead of local time.
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
  const { value, isOld, error, look } = useLoaded(
    (signal) => listTasks({ ...asked(filters), cursor, limit: PAGE }, signal), [useThrottled(changes.value)], address);
  const { shown, selected, setSelected, fresh, showFresh } = useSelection(value?.tasks ?? [], address);
  const set = (changed) => replace(tasksHash({ ...filters, ...changed }));
  return html`
    <h1>Tasks</h1>
    <${Filters} filters=${filters} set=${set}/>
    <${Bulk} filters=${filters} chosen=${isOld ? [] : [...selected.values()]} isOff=${isOld} done=${() => { setSelected(new Map()); look(); }}/>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    ${fresh > 0 && !isOld && html`<p class="fresh" role="status">The list does not update while tasks are selected. ${number(fresh)} new,
      <button type="button" id="fresh" onClick=${showFresh}>show</button></p>`}
    ${value && html`<div class=${isOld ? "old" : ""} inert=${isOld} aria-busy=${isOld}>
      <${Table} tasks=${isOld ? value.tasks : shown} ...${{ selected, setSelected }}/></div>`}
    ${(!value || isOld) && !error && html`<p class="empty">Loading…</p>`}
    <div class="pages">
      <span>${value && !isOld && (value.total !== null ? plural(value.total, "task") : `${plural(value.tasks.length, "task")} on this page`)}</span>
      ${cursor && html`<a class="button" href=${tasksHash(filters)}>First page</a>`}
      ${value?.next && !isOld && html`<a class="button" id="next" href=${tasksHash({ ...filters, cursor: value.next })}>Next page</a>`}
    </div>`;
}

// The selected tasks by ID. While tasks are selected, the rows keep their positions and are updated in place; `fresh`
// counts the tasks that would have been added.
function useSelection(tasks, address) {
  const [selection, setSelection] = useState({ tasks: new Map(), rows: null });
  useEffect(() => setSelection({ tasks: new Map(), rows: null }), [address]);
  const latest = new Map(tasks.map((task) => [task.id, task]));
  const current = (task) => latest.get(task.id) ?? task;
  const shown = selection.rows ? selection.rows.map(current) : tasks;
  const selected = new Map([...selection.tasks].map(([id, task]) => [id, current(task)]));
  const standing = new Set(shown.map((task) => task.id));
  return {
    shown,
    selected,
    setSelected: (chosen) => setSelection({ tasks: chosen, rows: chosen.size > 0 ? shown : null }),
    fresh: tasks.filter((task) => !standing.has(task.id)).length,
    showFresh: () => setSelection({ tasks: selected, rows: tasks }),
  };
}

// An input that applies its value on Enter or blur. Unfinished input survives repaints.
function Typed({ label, value, set, ...field }) {
  const [typed, setTyped] = useState(null);
  useEffect(() => setTyped(null), [value]);
  const done = (event) => {
    setTyped(null);
    set(event.target.value.trim());
  };
  return html`<label>${label}<input ...${field} value=${typed ?? value}
    onInput=${(event) => setTyped(event.target.value)} onChange=${done}/></label>`;
}

function Filters({ filters, set }) {
  const text = (name, label, more = {}) => html`<${Typed} key=${name} label=${label} name=${name} value=${filters[name]}
    set=${(value) => set({ [name]: value })} ...${more}/>`;
  const choice = (name, label, all, values) => html`<label key=${name}>${label}
    <select name=${name} value=${filters[name]} onChange=${(event) => set({ [name]: event.target.value })}>
      <option value="">${all}</option>${values.map((value) => html`<option key=${value} value=${value}>${value}</option>`)}</select></label>`;
  const own = ownProcessors();
  const isSet = FILTERS.some((name) => filters[name]);
  return html`<form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
    ${text("q", "Search", { type: "search", placeholder: "content, result, error" })}
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

function Bulk({ filters, chosen, isOff, done }) {
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
      const text = `${plural(matched, "task")} ${matched === 1 ? "matches" : "match"} the filter and ${matched === 1 ? "is" : "are"} ${VERBS[verb].which}.`;
      if (!await ask({ title: `${name} all matching tasks?`, text, confirm: `${name} ${number(matched)}`, danger })) return undefined;
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
    <span class="or">${isFiltered ? "or all matching tasks:" : "set a filter to act on all matching tasks"}</span>
    ${isFiltered && Object.entries(VERBS).map(([verb, { name, danger, role }]) => html`<button key=${`all-${verb}`} type="button"
      class=${danger ? "danger" : ""} disabled=${isOff} ...${gate(role)} onClick=${() => matching(verb)}>${name} all</button>`)}
  </div><${Why} role="admin"/>`;
}

// Applies an action to each task, a few in parallel. Returns a sentence with the result.
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
  const refused = errors.length === 0 ? "" : ` ${plural(errors.length, "task")} failed: ${errors[0]}`;
  return `${number(count)} of ${plural(tasks.length, "task")} ${VERBS[verb].done}.${refused}`;
}

export function Table({ tasks, selected, setSelected }) {
  if (tasks.length === 0) return html`<${Empty}>No tasks found.</${Empty}>`;
  const toggle = (some, on) => {
    const next = new Map(selected);
    for (const task of some) on ? next.set(task.id, task) : next.delete(task.id);
    setSelected(next);
  };
  const all = selected && tasks.every((task) => selected.has(task.id));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="List of tasks"><table class="tasks">
    <thead><tr>
      ${selected && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${all} onChange=${(event) => toggle(tasks, event.target.checked)}/></th>`}
      <th scope="col">Task</th><th scope="col">Status</th><th scope="col">Processor</th>
      <th scope="col">Content</th><th scope="col">Attempt</th><th scope="col">Duration</th><th scope="col">Created</th></tr></thead>
    <tbody>${tasks.map((task) => html`<tr key=${task.id} data-row tabindex="-1">
      ${selected && html`<td><input type="checkbox" aria-label=${`Select task ${task.id}`} checked=${selected.has(task.id)}
        onChange=${(event) => toggle([task], event.target.checked)}/></td>`}
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
