// Uses the service by what openapi-typescript has made from /openapi.json. The compiler holds it against the
// types, and the service against what it does.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./venom.js";

type Task = components["schemas"]["Task"];

const options = { baseUrl: process.env.VENOM, headers: { Authorization: `Bearer ${process.env.TOKEN}` } };
const client = createClient<paths>(options);

function isTask(answer: Task | components["schemas"]["Created"] | undefined): answer is Task {
  return answer !== undefined && "id" in answer;
}

// Submit, wait, read.
const body = { content: "hello", tags: ["client"] };
const created = await client.POST("/api/v1/tasks", { body });
assert(created.data && "task_id" in created.data);
const task_id = created.data.task_id;
const task = await client.GET("/api/v1/tasks/{task_id}", { params: { path: { task_id }, query: { wait: 30 } } });
const status: "PENDING" | "PROCESSING" | "COMPLETED" | "FAILED" | undefined = task.data?.status;
assert.equal(status, "COMPLETED");
assert.equal(task.data?.result, "Processed: hello");
const waited = await client.POST("/api/v1/tasks", { body: { content: "two", priority: 7 }, params: { query: { wait: 30 } } });
assert(isTask(waited.data) && waited.data.priority === 7);
const logs = await client.GET("/api/v1/tasks/{task_id}/logs", { params: { path: { task_id }, query: { limit: 100 } } });
assert.match(logs.data?.at(-1)?.line ?? "", /^Processing completed: /);

// Lists.
const found = await client.GET("/api/v1/tasks", { params: { query: { tag: "client", status: "COMPLETED", limit: 10 } } });
assert.deepEqual(found.data?.map((task) => task.id), [task_id]);
assert.equal(found.response.headers.get("Link"), null);

// What stands in the way.
const later = await client.POST("/api/v1/tasks", { body: { content: "later", delay: 3600, unique_key: "one" } });
assert(later.data && "task_id" in later.data);
const why = await client.GET("/api/v1/tasks/{task_id}/explain", { params: { path: { task_id: later.data.task_id } } });
const [reason] = why.data?.reasons ?? [];
assert(reason?.type === "not_due");
const due: string = reason.run_at;
assert(due > task.data!.created_at);

// Refusals have types too.
const wrong = await client.POST("/api/v1/tasks", { body: { content: "x", priority: 101 } });
assert(wrong.error && typeof wrong.error.detail !== "string");
assert.deepEqual(wrong.error.detail[0]?.loc, ["body", "priority"]);
const taken = await client.POST("/api/v1/tasks", { body: { content: "x", unique_key: "one" } });
assert(taken.error && "task_id" in taken.error && taken.error.task_id === later.data.task_id);
const missing = { params: { path: { task_id: "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a" } } };
const nobody = await client.GET("/api/v1/tasks/{task_id}", missing);
assert.deepEqual([nobody.response.status, nobody.error], [404, { detail: "Task not found" }]);

// @ts-expect-error A task needs its content.
const empty = await client.POST("/api/v1/tasks", { body: { priority: 1 } });
assert.equal(empty.response.status, 422);
