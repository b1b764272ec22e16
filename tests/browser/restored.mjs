// A service that is not what it was: an older database after a restore, one that hangs, and what happens before
// the socket is open.
import { open, same, seen, submit, task, until, visit } from "./lib.mjs";

const hello = (id) => JSON.stringify({ id, type: "SYSTEM_LOG", agent: "venom", message: "hello", timestamp: new Date().toISOString(), data: {} });

visit(async (page) => {
  // What happens after the first list and before the first frame is not lost.
  let greet;
  const isOpen = new Promise((resolve) => { greet = resolve; });
  let socket;
  let connections = 0;
  await page.routeWebSocket(/ws\/events/, (ws) => {
    socket = ws;
    connections += 1;
    if (connections === 1) isOpen.then(() => ws.send(hello(1_000_000)));
    else ws.send(hello(10));
  });
  const answered = page.waitForResponse((answer) => new URL(answer.url()).pathname === "/api/v1/tasks");
  await open(page, "tasks");
  await answered;
  await page.getByText("No tasks found.").waitFor();
  const id = await submit({ content: "between" });
  greet();
  await seen(page, "between");

  // The journal is shorter than what was heard: its events count from there.
  await page.goto(`${new URL(page.url()).origin}/#/`);
  await page.locator(".live.is-live").waitFor();
  socket.close();
  await until("it connects again", () => connections === 2);
  await page.locator(".live.is-live").waitFor();
  const event = { type: "TASK_CREATED", agent: "venom", message: "Task created", timestamp: new Date().toISOString() };
  socket.send(JSON.stringify({ ...event, id: 11, data: { task_id: id, content: "after the restore" } }));
  await page.locator(".events").getByText("after the restore").waitFor();

  // A service that hangs is not live; once it answers again, it is.
  let release;
  const hangs = new Promise((resolve) => { release = resolve; });
  await page.route(/api\/v1\//, async (route) => { await hangs; await route.continue().catch(() => {}); });
  socket.send(JSON.stringify({ ...event, id: 12, data: { task_id: id, content: "one more" } }));
  await page.getByRole("alert").getByText("The service did not answer in time.").first().waitFor();
  await page.locator(".live.is-away").waitFor();
  release();
  await page.locator(".live.is-live").waitFor();
  same(connections >= 3, true, "a new socket:");
  await until("no alert is left", async () => (await page.getByRole("alert").count()) === 0);
  same((await task(id)).content, "between");
});
