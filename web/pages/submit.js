// The form to submit a task.
import { html, signal, useState } from "../html.js";
import { get, post, task } from "../api.js";
import { plural } from "../format.js";
import { go } from "../router.js";
import { gate, ownProcessors } from "../session.js";
import { Why, ask, attempt, say, useLoaded } from "../ui.js";

// The initial values of the form: a task to run again with changes.
export const prefill = signal(null);

const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
const NUMBERS = ["priority", "delay", "max_attempts", "timeout"];
const KNOWN = new Set(["content", "tags", "run_at", "after"]);
const TEXTS = ["processor", "session_id", "concurrency_key", "unique_key"];

// Parses the fields that the form has no input for. The task keeps them in its context.
function others(text) {
  if (text.trim() === "") return {};
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`Other fields: invalid JSON: ${error.message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error('Other fields: expected a JSON object, such as {"language": "de"}');
  return value;
}

// Returns the further fields of a task that is run again, as JSON.
function kept(start) {
  const others = Object.entries(start).filter(([name]) => !KNOWN.has(name) && !NUMBERS.includes(name) && !TEXTS.includes(name));
  return others.length === 0 ? "" : JSON.stringify(Object.fromEntries(others));
}

// Builds the request. The service fills in the fields that are empty.
function read(form) {
  const data = new FormData(form);
  const body = { ...others(data.get("others")), content: data.get("content") };
  for (const name of TEXTS) if (data.get(name).trim()) body[name] = data.get(name).trim();
  for (const name of NUMBERS) if (data.get(name) !== "") body[name] = Number(data.get(name));
  if (data.get("run_at")) body.run_at = new Date(data.get("run_at")).toISOString();
  for (const name of ["tags", "after"]) if (words(data.get(name)).length > 0) body[name] = words(data.get(name));
  return body;
}

async function submitOne(body) {
  if (body.content.trim() === "") {
    const text = "The content is empty, so the processor has nothing to work on.";
    if (!await ask({ title: "Submit an empty task?", text, confirm: "Submit empty task" })) return;
  }
  const { task_id: id } = await task.submit(body);
  say("Task submitted.");
  go(`#/tasks/${id}`);
}

// Submits one task for each line, in one request that accepts all or none.
async function submitLines({ content, ...rest }) {
  const lines = content.split("\n").map((line) => line.replace(/\r$/, "")).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new Error("Every line is empty. Enter at least one line of content.");
  const { task_ids: ids } = await post("tasks/batch", { tasks: lines.map((line) => ({ ...rest, content: line })) });
  say(`${plural(ids.length, "task")} submitted.`);
  go("#/tasks");
}

export function Submit() {
  const [start] = useState(() => {
    const value = prefill.value ?? {};
    prefill.value = null;
    return value;
  });
  const { value: processors } = useLoaded(() => get("processors"), []);
  const own = ownProcessors();
  const [chosen, choose] = useState(start.processor ?? own?.[0] ?? "");
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    setBusy(true);
    try {
      await (form.elements.lines.checked ? submitLines(read(form)) : submitOne(read(form)));
    } catch (error) {
      say(error.message, "bad");
    }
    setBusy(false);
  };
  const field = (name, label, hint, more = {}) => html`<label key=${name}>${label}${hint && html` <small>${hint}</small>`}
    <input name=${name} defaultValue=${start[name] ?? ""} autocomplete="off" ...${more}/></label>`;
  // The selected processor is always listed, even before the others are loaded or if it is not configured.
  const known = (processors ?? []).filter((it) => it.kind !== null).map((it) => it.name);
  const names = [...new Set([...known, ...own ?? [], chosen])].filter(Boolean);
  return html`<h1>Submit a task</h1>
    <${Why} role="submit"/>
    <form class="submit" onSubmit=${submit}>
      <label>Content <textarea name="content" rows="8" dir="auto" defaultValue=${start.content ?? ""}></textarea></label>
      <label class="check"><input type="checkbox" name="lines"/> Submit one task per line, all or none (up to 10,000)</label>
      <div class="grid">
        <label>Processor <select name="processor" value=${chosen} onChange=${(event) => choose(event.target.value)}>
          ${!own && html`<option value="">default</option>`}
          ${names.map((name) => html`<option key=${name} value=${name}>${name}${processors && !known.includes(name) ? " (not configured)" : ""}</option>`)}</select></label>
        ${field("priority", "Priority", "-100 to 100, higher first", { type: "number", min: -100, max: 100 })}
        ${field("max_attempts", "Max attempts", "1 to 1000", { type: "number", min: 1, max: 1000 })}
        ${field("timeout", "Timeout", "seconds", { type: "number", min: 0, step: "any" })}
        ${field("delay", "Delay", "seconds", { type: "number", min: 0, step: "any" })}
        ${field("run_at", "Run at", null, { type: "datetime-local", defaultValue: "" })}
        ${field("tags", "Tags", "comma-separated", { defaultValue: (start.tags ?? []).join(", ") })}
        ${field("session_id", "Session")}
        ${field("concurrency_key", "Concurrency key", "tasks with the same key share a limit")}
        ${field("unique_key", "Unique key", "at most one open task per key")}
        ${field("after", "Run after", "task IDs, comma-separated")}
      </div>
      <label>Other fields <small>a JSON object, kept in the task's context</small>
        <textarea name="others" rows="2" spellcheck=${false} defaultValue=${kept(start)} placeholder='{"language": "de"}'></textarea></label>
      <div class="buttons"><button type="submit" class="main" disabled=${isBusy} ...${gate("submit")}>Submit task</button></div>
    </form>`;
}
