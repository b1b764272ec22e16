// The page of one task: status, actions, timeline, details, live log and texts.
import { html, useEffect, useRef, useState } from "../html.js";
import { task as api } from "../api.js";
import { colored } from "../ansi.js";
import { changes, follow } from "../live.js";
import { between, bytes, clock, dateTime, duration, indented, number, plural, visible } from "../format.js";
import { go } from "../router.js";
import { gate } from "../session.js";
import { Ago, Copy, Failed, Progress, Status, TaskLink, Why, ask, attempt, useLoaded, useThrottled } from "../ui.js";
import { prefill } from "./submit.js";

// Log lines to request at once, and log lines to show.
const LINES = 1000;
const SHOWN = 2000;
// Events that change only the log, not the task.
const LINES_ALONE = new Set(["TASK_LOG", "TASK_OUTPUT", "TASK_LIVE_LINE"]);
// Returns whether an event ends the live line.
const endsLive = ({ type, data }) => data.replaces === true || !LINES_ALONE.has(type) && type !== "TASK_PROGRESS";
// Characters of a text to show at first.
const TEXT_LIMIT = 20_000;

export function TaskPage({ id }) {
  const [version, setVersion] = useState(0);
  const { value: task, error, look } = useLoaded(() => api.show(id), [id, version]);
  const log = useLog(id, () => setVersion((count) => count + 1));
  if (error && !task) return html`<h1>Task</h1><${Failed} error=${error} again=${look}/><p><a href="#/tasks">All tasks</a></p>`;
  if (!task) return html`<h1>Task</h1><p class="empty">Loading…</p>`;
  return html`
    <h1>Task <span class="id">${task.id}</span> <${Copy} text=${task.id} what="ID"/></h1>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    <div class="state"><${Status} task=${task}/> <${Progress} value=${task.status === "PROCESSING" ? task.progress : null}/>
      <${Actions} task=${task} look=${look}/></div>
    ${task.error && html`<section aria-labelledby="error"><h2 id="error">Error</h2><${Text} text=${task.error} what="Error"/></section>`}
    ${task.status === "PENDING" && html`<${Explain} id=${id}/>`}
    <div class="columns">
      <section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2><${Timeline} task=${task} steps=${log.steps}/></section>
      <section aria-labelledby="fields"><h2 id="fields">Details</h2><${Fields} task=${task}/></section>
    </div>
    <${Relations} task=${task}/>
    <section aria-labelledby="content"><h2 id="content">Content</h2><${Text} text=${task.content} what="Content"/></section>
    ${log.output && task.status === "PROCESSING" && html`<section aria-labelledby="output"><h2 id="output">Answer so far</h2><${Text} text=${log.output} what="Answer"/></section>`}
    ${task.result !== null && html`<section aria-labelledby="result"><h2 id="result">Result</h2><${Text} text=${task.result} what="Result"/></section>`}
    <section aria-labelledby="log"><h2 id="log">Log</h2><${Log} id=${id} ...${log}/></section>
    ${Object.keys(task.context_history).length > 0 && html`<section aria-labelledby="history"><h2 id="history">Context</h2>
      <${Text} text=${JSON.stringify(task.context_history)} what="Context"/></section>`}`;
}

// Loads the last log lines and all steps of the task, then follows its events. Calls `changed` when more than the log
// has changed.
function useLog(id, changed) {
  const [log, setLog] = useState({ lines: [], steps: [], output: "", live: null, last: 0, isWhole: false, isCut: false, error: null });
  const run = useRef({ last: null, isBusy: false, isWanted: false });
  const add = (rows) => setLog((old) => {
    const fresh = rows.filter((row) => row.id > old.last);
    if (fresh.length === 0) return old;
    const lines = old.lines.concat(fresh);
    const cut = Math.max(0, lines.length - SHOWN);
    const steps = old.steps.concat(fresh.filter((row) => row.type !== "TASK_LOG"));
    return { ...old, lines: lines.slice(cut), isCut: old.isCut || cut > 0, steps, last: fresh.at(-1).id };
  });
  const begin = async (signal) => {
    const part = { limit: SHOWN, tail: true };
    const lines = await api.logs(id, part, signal);
    const isCut = lines.length === SHOWN;
    const earlier = isCut ? await api.logs(id, { ...part, steps: true }, signal) : [];
    run.current.last = lines.at(-1)?.id ?? 0;
    setLog((old) => ({ ...old, isCut, steps: earlier.filter((row) => row.id < lines[0].id) }));
    add(lines);
  };
  const read = async (signal) => {
    const now = run.current;
    if (now.isBusy) {
      now.isWanted = true;
      return;
    }
    now.isBusy = true;
    try {
      do {
        now.isWanted = false;
        if (now.last === null) await begin(signal);
        let rows;
        do {
          rows = await api.logs(id, { since: now.last, limit: LINES }, signal);
          if (rows.length > 0) now.last = rows.at(-1).id;
          add(rows);
        } while (rows.length === LINES);
      } while (now.isWanted);
      setLog((old) => ({ ...old, isWhole: true, error: null }));
    } catch (error) {
      if (error.name !== "AbortError") setLog((old) => ({ ...old, error: error.message }));
    }
    now.isBusy = false;
  };
  useEffect(() => {
    const abort = new AbortController();
    read(abort.signal);
    const stop = follow((events, mayMiss) => {
      const own = events.filter((event) => event.data.task_id === id);
      if (own.length === 0 && !mayMiss) return;
      const text = own.filter((event) => event.type === "TASK_OUTPUT").map((event) => event.data.text).join("");
      if (text) setLog((old) => ({ ...old, output: old.output + text }));
      if (own.some((event) => event.type === "TASK_STARTED")) setLog((old) => ({ ...old, output: text }));
      const live = own.findLast((event) => event.type === "TASK_LIVE_LINE" || endsLive(event));
      if (live) setLog((old) => ({ ...old, live: endsLive(live) || live.data.line === "" ? null : live.data }));
      if (own.every((event) => event.type === "TASK_LIVE_LINE") && !mayMiss) return;
      read(abort.signal);
      if (mayMiss || own.some((event) => !LINES_ALONE.has(event.type))) changed();
    });
    return () => { stop(); abort.abort(); };
  }, [id]);
  return log;
}

function Actions({ task, look }) {
  const isFinal = task.status === "COMPLETED" || task.status === "FAILED";
  const act = async (work, done) => { if (await attempt(work, done)) look(); };
  const again = () => attempt(async () => {
    const { task_id: id } = await api.submit(copyOf(task));
    go(`#/tasks/${id}`);
  }, "Submitted again as a new task.");
  const remove = async () => {
    const text = "This deletes the task and its log permanently.";
    if (!await ask({ title: "Delete this task?", text, confirm: "Delete", danger: true })) return;
    if (await attempt(() => api.delete(task.id), "Task deleted.")) go("#/tasks");
  };
  const abort = async () => {
    const text = "The task stops and becomes FAILED (aborted).";
    if (await ask({ title: "Abort this task?", text, confirm: "Abort", danger: true })) act(() => api.abort(task.id));
  };
  return html`<div class="buttons" role="group" aria-label="Actions">
    ${task.status === "FAILED" && html`<button type="button" class="main" ...${gate("operate")} onClick=${() => act(() => api.retry(task.id))}>Retry</button>`}
    ${task.status === "PROCESSING" && html`<button type="button" class="danger" ...${gate("operate")} onClick=${abort}>Abort</button>`}
    <button type="button" ...${gate("submit")} onClick=${again}>Run again</button>
    <button type="button" ...${gate("submit")} onClick=${() => { prefill.value = copyOf(task); go("#/submit"); }}>Run again with changes</button>
    ${isFinal && html`<button type="button" class="danger" ...${gate("admin")} onClick=${remove}>Delete</button>`}
  </div><${Why} role=${isFinal ? "admin" : "operate"}/>`;
}

// Returns the request for a copy of this task, including the fields that the service only keeps. `run_at` and the
// unique key are left out.
function copyOf(task) {
  const { request } = task.context_history;
  const { content, processor, priority, max_attempts, tags, session_id, timeout, concurrency_key } = task;
  const copy = { ...isObject(request) ? request : {}, content, processor, priority, max_attempts, tags, session_id, timeout, concurrency_key };
  return Object.fromEntries(Object.entries(copy).filter(([, value]) => value !== null && value !== undefined));
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function Explain({ id }) {
  const { value, error } = useLoaded(() => api.explain(id), [id, useThrottled(changes.value, 2000)]);
  return html`<section aria-labelledby="why"><h2 id="why">Why is it not running?</h2>
    <p aria-live="polite">${error ?? value?.message ?? "…"}</p></section>`;
}

const STEPS = {
  TASK_CREATED: "Created",
  TASK_STARTED: "Attempt started",
  TASK_RETRYING: "Retry scheduled",
  TASK_COMPLETED: "Completed",
  TASK_FAILED: "Failed",
  TASK_ABORTED: "Aborted",
};

// The steps from the journal, each with the time until the next.
function Timeline({ task, steps }) {
  const [, tick] = useState(0);
  const isOpen = task.finished_at === null;
  useEffect(() => {
    if (!isOpen) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [isOpen]);
  let attempt = 0;
  const named = steps.filter((step) => STEPS[step.type]).map((step) => {
    if (step.type === "TASK_STARTED") attempt += 1;
    const name = step.type === "TASK_STARTED" ? `Attempt ${attempt} started` : STEPS[step.type];
    return { ...step, name, detail: detail(step) };
  });
  const phase = { TASK_CREATED: "pending for", TASK_STARTED: "ran for", TASK_RETRYING: "pending for" };
  return html`<ol class="timeline">${named.map((step, index) => {
    const next = named[index + 1]?.at ?? (isOpen ? new Date().toISOString() : null);
    const took = phase[step.type] && next ? `${phase[step.type]} ${duration(between(step.at, next))}` : null;
    return html`<li key=${step.id} class=${step.type.toLowerCase()}>
      <span class="step">${step.name}</span> <time datetime=${step.at} title=${dateTime(step.at)}>${clock(step.at)}</time>
      ${took && html`<span class="took">${took}</span>`}
      ${step.detail && html`<div class="error" dir="auto">${step.detail}</div>`}</li>`;
  })}</ol>
  <p class="total">Total ${duration(between(task.created_at, task.finished_at ?? new Date().toISOString()))}${isOpen ? " so far" : ""}.</p>`;
}

// Returns the line of a step that failed or is retried.
const detail = ({ type, line }) => (type === "TASK_RETRYING" || type === "TASK_FAILED" ? line?.slice(0, 300) : null);

function Fields({ task }) {
  const rows = [
    ["Processor", html`<a href=${`#/tasks?processor=${encodeURIComponent(task.processor)}`}>${task.processor}</a>`],
    ["Attempt", `${task.attempt} of ${task.max_attempts}`],
    ["Priority", task.priority],
    ["Created", html`${dateTime(task.created_at)} (<${Ago} time=${task.created_at}/>)`],
    ["Scheduled for", task.status === "PENDING" && task.run_at > task.created_at ? dateTime(task.run_at) : null],
    ["Started", task.started_at && dateTime(task.started_at)],
    ["Finished", task.finished_at && dateTime(task.finished_at)],
    ["Timeout", task.timeout && duration(task.timeout)],
    ["Session", task.session_id && html`<a dir="auto" href=${`#/tasks?session_id=${encodeURIComponent(task.session_id)}`}>${task.session_id}</a>`],
    ["Tags", task.tags.length > 0 && task.tags.map((tag) => html`<a key=${tag} class="tag" dir="auto" href=${`#/tasks?tag=${encodeURIComponent(tag)}`}>${tag}</a>`)],
    ["Concurrency key", task.concurrency_key],
    ["Unique key", task.unique_key],
  ];
  return html`<dl>${rows.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "").map(
    ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd dir="auto">${value}</dd></div>`)}</dl>`;
}

function Relations({ task }) {
  const { value: waiting } = useLoaded(() => api.downstream(task.id), [task.id, useThrottled(changes.value, 2000)]);
  const upstream = task.after ?? [];
  if (upstream.length === 0 && !waiting?.length) return null;
  return html`<section aria-labelledby="chain"><h2 id="chain">Dependencies</h2><dl>
    ${upstream.length > 0 && html`<div><dt>Depends on</dt><dd>${upstream.map((id) => html`<div key=${id}><${TaskLink} id=${id}/></div>`)}</dd></div>`}
    ${waiting?.length > 0 && html`<div><dt>Required by</dt><dd>${waiting.map((it) => html`<div key=${it.id}><${TaskLink} id=${it.id}/> ${it.processor}</div>`)}</dd></div>`}
  </dl></section>`;
}

// A text, never as markup. JSON can be shown with indents.
function Text({ text, what }) {
  const [isPretty, setPretty] = useState(true);
  const [isWhole, setWhole] = useState(false);
  const pretty = text.length <= 1e6 && /^\s*[[{]/.test(text) ? indented(text) : null;
  const shown = pretty !== null && isPretty ? pretty : text;
  const isLong = shown.length > TEXT_LIMIT;
  return html`<div class="text"><div class="buttons">
      <${Copy} text=${text} what=${what}/>
      ${pretty !== null && html`<button type="button" aria-pressed=${isPretty} onClick=${() => setPretty(!isPretty)}>Pretty JSON</button>`}
      ${isLong && html`<button type="button" onClick=${() => setWhole(!isWhole)}>${isWhole ? "Show less" : `Show all ${number(shown.length)} characters`}</button>`}
    </div>
    <pre dir="auto" tabindex="0" role="group" aria-label=${what}>${isLong && !isWhole ? `${visible(shown.slice(0, TEXT_LIMIT))}…` : visible(shown)}</pre></div>`;
}

function Log({ id, lines, live, isCut, isWhole, error }) {
  const box = useRef();
  const [isFollowing, setFollowing] = useState(true);
  useEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, live, isFollowing]);
  if (error) return html`<${Failed} error=${error}/>`;
  if (!isWhole && lines.length === 0) return html`<p class="empty">Loading…</p>`;
  const size = lines.reduce((sum, row) => sum + row.line.length, 0);
  return html`<div class="buttons"><label><input type="checkbox" checked=${isFollowing} onChange=${(event) => setFollowing(event.target.checked)}/> Follow</label>
      <${Copy} text=${lines.map((row) => row.line).join("\n")} what="Log"/>
      <span class="total">${plural(lines.length, "line")}, ${bytes(size)}${isCut && html`; these are the last lines, <code>venom logs ${id}</code> prints all`}</span></div>
    <div class="log" ref=${box} tabindex="0" role="log" aria-label="Log lines" aria-live="off">${lines.map((row) => html`<div key=${row.id}>
      <time datetime=${row.at} title=${dateTime(row.at)}>${clock(row.at)}</time><span dir="auto">${printed(row)}</span></div>`)}
      ${live && html`<div key="live" class="live"><time>…</time><span dir="auto">${printed(live)}</span></div>`}</div>`;
}

const printed = ({ line, ansi }) => [
  ansi ? colored(ansi, TEXT_LIMIT) : visible(line.slice(0, TEXT_LIMIT)),
  line.length > TEXT_LIMIT && `… (${number(line.length)} characters)`,
];
