// A page of somebody else in the same browser: whatever it tries, it reads nothing and changes nothing, with and
// without a login. The service's own address stands for 127.0.0.1 and for localhost, so that one stranger is on
// the same site and one is not.
import { createServer } from "node:http";
import { api, base, button, same, submit, task, until, visit } from "./lib.mjs";

const ATTEMPTS = `<!doctype html><meta charset="utf-8"><title>A stranger</title><iframe name="out"></iframe>`;

// Runs in the stranger's page; answers what it could read.
async function attack(target) {
  const read = [];
  const one = async (what, work) => {
    try {
      const found = await work();
      if (found) read.push([what, found]);
    } catch {
      // That is how it should be.
    }
  };
  for (const path of ["queue/purge", "queue/emergency-stop", "queue/pause", "tasks/retry"]) {
    for (const mode of ["no-cors", "cors"]) {
      await one(path, async () => (await fetch(`${target}api/v1/${path}`, { method: "POST", mode, credentials: "include" })).text());
    }
  }
  await one("a task", async () => (await fetch(`${target}api/v1/tasks`, { method: "POST", mode: "no-cors", credentials: "include",
    headers: { "Content-Type": "text/plain" }, body: '{"content": "of a stranger"}' })).text());
  for (const path of ["api/v1/tasks", "api/v1/session", "api/v1/export", "metrics", "openapi.json"]) {
    for (const mode of ["no-cors", "cors"]) {
      await one(path, async () => (await fetch(target + path, { mode, credentials: "include" })).text());
    }
  }
  await one("an image", () => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve("loaded");
    image.onerror = () => resolve(null);
    image.src = `${target}api/v1/export`;
  }));
  await one("a script", () => new Promise((resolve) => {
    const script = document.createElement("script");
    const before = Object.keys(window).length;
    script.onload = script.onerror = () => resolve(Object.keys(window).length > before ? "it ran" : null);
    script.src = `${target}api/v1/tasks`;
    document.body.append(script);
  }));
  await one("the socket", () => new Promise((resolve) => {
    const socket = new WebSocket(`${target.replace("http", "ws")}ws/events?since=0`);
    socket.onmessage = ({ data }) => resolve(data);
    socket.onclose = () => resolve(null);
  }));
  await one("events", () => new Promise((resolve) => {
    const events = new EventSource(`${target}api/v1/tasks`, { withCredentials: true });
    events.onmessage = ({ data }) => resolve(data);
    events.onerror = () => { events.close(); resolve(null); };
  }));
  for (const path of ["queue/purge", "queue/emergency-stop"]) {
    const frame = document.querySelector("iframe");
    const form = Object.assign(document.createElement("form"), { method: "post", action: `${target}api/v1/${path}`, target: "out" });
    document.body.append(form);
    const done = new Promise((resolve) => { frame.onload = resolve; });
    form.submit();
    await done;
    await one(`the answer to ${path}`, () => frame.contentDocument?.body.textContent);
  }
  return read;
}

visit(async (_, context) => {
  // Not the page that complains of requests to other places: this one is such a place.
  const page = await context.newPage();
  const server = createServer((_request, response) => { response.setHeader("Content-Type", "text/html"); response.end(ATTEMPTS); });
  await new Promise((resolve) => { server.listen(0, resolve); });
  const { port } = server.address();
  const target = new URL(base);
  await api("POST", "queue/pause");
  const waiting = await submit({ content: "waits" });
  const [before] = [await api("GET", "queue/status")];
  try {
    for (const host of ["127.0.0.1", "localhost"]) {
      target.hostname = host;
      if (process.env.VENOM_TOKEN) await login(page, target.href);
      for (const stranger of ["127.0.0.1", "localhost"]) {
        await page.goto(`http://${stranger}:${port}/`);
        same(await page.evaluate(attack, target.href), [], `${stranger} reads of ${host}:`);
      }
    }
  } finally {
    server.close();
  }
  same((await task(waiting)).status, "PENDING", "the task that waits:");
  same(await api("GET", "queue/status"), before, "the queue:");
  same((await api("GET", "tasks")).length, 1, "tasks:");
});

async function login(page, address) {
  await page.goto(address);
  await page.locator("input").first().fill(process.env.VENOM_TOKEN);
  await button(page, "Log in").click();
  await until("one is in", async () => (await page.locator("#logout").count()) === 1);
}
