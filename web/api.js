// The service's API, as the views call it. An error is an Error whose message is a sentence for a person.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Relative, so that the dashboard also works behind a proxy's path.
const base = "api/v1/";

// The sentence of an error in the service's shape: a text, or a list of problems with their places.
function sentence(status, body) {
  const detail = body?.detail;
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return `The service answered ${status}.`;
  return detail.map(({ loc, msg }) => `${loc.slice(1).join(".") || loc[0]}: ${msg}`).join("; ");
}

export async function call(method, path, { query, body, signal } = {}) {
  const address = new URL(base + path, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== "" && value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(address, {
      method,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service cannot be reached.");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw new ApiError(response.status, `The service answered ${response.status} with something that is no JSON.`);
  }
  if (!response.ok) throw new ApiError(response.status, sentence(response.status, answer));
  return { answer, headers: response.headers };
}

export const get = async (path, query, signal) => (await call("GET", path, { query, signal })).answer;
export const post = async (path, body, query) => (await call("POST", path, { body, query })).answer;

// A page of tasks; `next` is the cursor of the one after it.
export async function listTasks(query, signal) {
  const { answer, headers } = await call("GET", "tasks", { query, signal });
  const link = /<([^>]*)>; rel="next"/.exec(headers.get("Link") ?? "");
  const next = link && new URL(link[1], document.baseURI).searchParams.get("cursor");
  const total = headers.get("X-Total-Count");
  return { tasks: answer, next, total: total === null ? null : Number(total) };
}

const taskPath = (id) => `tasks/${encodeURIComponent(id)}`;
export const task = {
  show: (id, signal) => get(taskPath(id), {}, signal),
  logs: (id, since, limit, signal) => get(`${taskPath(id)}/logs`, { since, limit }, signal),
  explain: (id, signal) => get(`${taskPath(id)}/explain`, {}, signal),
  downstream: (id, signal) => get(`${taskPath(id)}/downstream`, {}, signal),
  retry: (id) => post(`${taskPath(id)}/retry`),
  abort: (id) => post(`queue/task/${encodeURIComponent(id)}/abort`),
  delete: (id) => call("DELETE", taskPath(id)),
  submit: (body) => post("tasks", body),
};

// What is done to all tasks of a filter; `dry_run` counts them first.
export const many = {
  retry: (query) => post("tasks/retry", undefined, query),
  abort: (query) => post("tasks/abort", undefined, query),
  delete: async (query) => (await call("DELETE", "tasks", { query })).answer,
};
