// The service's API for the views. Every error is an Error whose message is a sentence for the user.
import { OUT, isIn, session } from "./session.js";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Milliseconds until a GET times out. The service ends its own searches earlier.
const PATIENCE = 15_000;

// Relative, so that the dashboard works behind a proxy's path.
const base = "api/v1/";

// Returns the sentence of an error body: its text, or its list of problems with their fields.
function sentence(status, body) {
  const detail = body?.detail;
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return `The service answered with status ${status}.`;
  return detail.map(({ loc, msg }) => `${loc.slice(1).join(".") || loc[0]}: ${msg}`).join("; ");
}

// Sends a request. A 401 ends the session and shows the login. A request that changes something carries the CSRF token.
export async function call(method, path, options = {}) {
  const proof = isIn() ? session.value.csrf_token : null;
  const response = await send(method, path, proof, options);
  const answer = await read(response).catch((error) => { throw unanswered(error); });
  if (response.status === 401) session.value = OUT;
  // Another tab may have logged in with another token, which replaces the cookie of all tabs.
  if (response.status === 403 && method !== "GET" && await renew() !== proof) return call(method, path, options);
  if (!response.ok) throw new ApiError(response.status, sentence(response.status, answer));
  return { answer, headers: response.headers };
}

async function send(method, path, proof, { query, body, file, type = "application/json", signal, patience = PATIENCE }) {
  const address = new URL(base + path, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== "" && value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  const headers = {};
  if (body !== undefined || file !== undefined) headers["Content-Type"] = type;
  if (proof && method !== "GET") headers["X-CSRF-Token"] = proof;
  try {
    return await fetch(address, { method, signal: method === "GET" ? within(patience, signal) : signal, headers, body: file ?? (body === undefined ? undefined : JSON.stringify(body)) });
  } catch (error) {
    throw unanswered(error);
  }
}

function within(patience, signal) {
  if (patience === null) return signal;
  const limit = AbortSignal.timeout(patience);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

// Returns the error of a request without an answer. An aborted request stays an AbortError.
function unanswered(error) {
  if (error.name === "AbortError" || error instanceof ApiError) return error;
  return new ApiError(0, error.name === "TimeoutError" ? "The service did not answer in time. Try again." : "The service is unreachable. Check that it is running.");
}

async function read(response) {
  const text = await response.text();
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    throw new ApiError(response.status, `The service answered with status ${response.status} and a body that is not JSON.`);
  }
}

// Loads the session and returns its CSRF token.
export async function renew() {
  const { answer } = await call("GET", "session");
  if (JSON.stringify(answer) !== JSON.stringify(session.value)) session.value = answer;
  return answer.csrf_token;
}

export async function login(token) {
  const { answer } = await call("POST", "login", { body: { token } });
  session.value = answer;
}

export async function logout() {
  await call("POST", "logout");
  session.value = OUT;
}

export const get = async (path, query, signal, more) => (await call("GET", path, { query, signal, ...more })).answer;
export const post = async (path, body, query) => (await call("POST", path, { body, query })).answer;

// Loads a page of tasks without their logs. `next` is the cursor of the next page.
export async function listTasks(query, signal) {
  const { answer, headers } = await call("GET", "tasks", { query: { ...query, logs: false }, signal });
  const link = /<([^>]*)>; rel="next"/.exec(headers.get("Link") ?? "");
  const next = link && new URL(link[1], document.baseURI).searchParams.get("cursor");
  const total = headers.get("X-Total-Count");
  return { tasks: answer, next, total: total === null ? null : Number(total) };
}

const taskPath = (id) => `tasks/${encodeURIComponent(id)}`;
export const task = {
  show: (id, signal) => get(taskPath(id), { logs: false }, signal),
  logs: (id, part, signal) => get(`${taskPath(id)}/logs`, part, signal),
  explain: (id, signal) => get(`${taskPath(id)}/explain`, {}, signal),
  downstream: (id, signal) => get(`${taskPath(id)}/downstream`, {}, signal),
  retry: (id) => post(`${taskPath(id)}/retry`),
  abort: (id) => post(`queue/task/${encodeURIComponent(id)}/abort`),
  delete: (id) => call("DELETE", taskPath(id)),
  submit: (body) => post("tasks", body),
};

// Actions on all tasks that match a filter. With `dry_run` the service only counts them.
export const many = {
  retry: (query) => post("tasks/retry", undefined, query),
  abort: (query) => post("tasks/abort", undefined, query),
  delete: async (query) => (await call("DELETE", "tasks", { query })).answer,
};
