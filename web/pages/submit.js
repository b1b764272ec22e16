// The form to submit a task.
import { html, signal, useState } from "../html.js";
import { get, task } from "../api.js";
import { go } from "../router.js";
import { attempt, useLoaded } from "../ui.js";

// What the form begins with: a task that is run again with changes.
export const prefill = signal(null);

const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
const NUMBERS = ["priority", "delay", "max_attempts", "timeout"];
const TEXTS = ["processor", "session_id", "concurrency_key", "unique_key"];

// The request: fields that were left empty are the service's to fill in.
function read(form) {
  const data = new FormData(form);
  const body = { content: data.get("content") };
  for (const name of TEXTS) if (data.get(name).trim()) body[name] = data.get(name).trim();
  for (const name of NUMBERS) if (data.get(name) !== "") body[name] = Number(data.get(name));
  if (data.get("run_at")) body.run_at = new Date(data.get("run_at")).toISOString();
  for (const name of ["tags", "after"]) if (words(data.get(name)).length > 0) body[name] = words(data.get(name));
  return body;
}

export function Submit() {
  const [start] = useState(() => {
    const value = prefill.value ?? {};
    prefill.value = null;
    return value;
  });
  const { value: processors } = useLoaded(() => get("processors"), []);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const body = read(event.target);
    setBusy(true);
    await attempt(async () => {
      const { task_id: id } = await task.submit(body);
      go(`#/tasks/${id}`);
    }, "The task is accepted.");
    setBusy(false);
  };
  const field = (name, label, hint, more = {}) => html`<label key=${name}>${label}${hint && html` <small>${hint}</small>`}
    <input name=${name} defaultValue=${start[name] ?? ""} autocomplete="off" ...${more}/></label>`;
  const names = (processors ?? []).filter((it) => it.kind !== null).map((it) => it.name);
  return html`<h1>Submit a task</h1>
    <form class="submit" onSubmit=${submit}>
      <label>Content <textarea name="content" rows="8" dir="auto" defaultValue=${start.content ?? ""}></textarea></label>
      <div class="grid">
        <label>Processor <select name="processor" key=${names.length}>
          <option value="">default</option>
          ${names.map((name) => html`<option key=${name} value=${name} selected=${name === start.processor}>${name}</option>`)}</select></label>
        ${field("priority", "Priority", "-100 to 100, higher first", { type: "number", min: -100, max: 100 })}
        ${field("max_attempts", "Attempts at most", "1 to 1000", { type: "number", min: 1, max: 1000 })}
        ${field("timeout", "Timeout", "seconds", { type: "number", min: 0, step: "any" })}
        ${field("delay", "Delay", "seconds", { type: "number", min: 0, step: "any" })}
        ${field("run_at", "Not before", null, { type: "datetime-local", defaultValue: "" })}
        ${field("tags", "Tags", "separated by commas", { defaultValue: (start.tags ?? []).join(", ") })}
        ${field("session_id", "Session")}
        ${field("concurrency_key", "Concurrency key", "shares a limit")}
        ${field("unique_key", "Unique key", "one at a time")}
        ${field("after", "After", "ids of tasks, separated by commas")}
      </div>
      <div class="buttons"><button type="submit" class="main" disabled=${isBusy}>Submit task</button></div>
    </form>`;
}
