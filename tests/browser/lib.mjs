// What every script needs: a browser, a page that must not complain, and the service's ear.
import { createInterface } from "node:readline";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../target/browser/", import.meta.url));
const { chromium } = require("playwright-core");
const axe = () => require("axe-core").source;

export const base = process.env.VENOM;
export const screenshots = process.env.SCREENSHOTS;
mkdirSync(screenshots, { recursive: true });

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];

// Runs `script` with a page. What the page complains about, a dialog of the browser's own, and a request
// to any other place fail it.
export async function visit(script, options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "venom-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  context.setDefaultTimeout(30_000);
  const complaints = [];
  const page = context.pages()[0];
  page.on("pageerror", (error) => complaints.push(error.stack));
  page.on("console", (message) => {
    const isOfTheNetwork = /Failed to load resource|WebSocket connection to/.test(message.text());
    if (message.type() === "error" && !isOfTheNetwork) complaints.push(message.text());
  });
  page.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:")) complaints.push(`a request to ${url}`);
  });
  try {
    await script(page, context);
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  } catch (error) {
    await page.screenshot({ path: join(screenshots, `failed-${basename(process.argv[1], ".mjs")}.png`) }).catch(() => {});
    console.error([error.stack, ...complaints].join("\n"));
    process.exitCode = 1;
  }
  await context.close();
  rmSync(profile, { recursive: true, force: true });
  process.stdin.destroy();
}

export const open = (page, hash) => page.goto(`${base}#/${hash}`);

// --- The service, as another program talks to it ---------------------------------------------------------

// The token that is sent, where the service asks for one.
export const sent = { token: process.env.VENOM_TOKEN || null };

export async function api(method, path, body) {
  const answer = await fetch(`${base}api/v1/${path}`, {
    method,
    headers: {
      ...body !== undefined && { "Content-Type": "application/json" },
      ...sent.token && { Authorization: `Bearer ${sent.token}` },
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

export const submit = async (body) => (await api("POST", "tasks", body)).task_id;
export const task = (id) => api("GET", `tasks/${id}`);

export async function finished(id) {
  return until("the task finishes", async () => {
    const found = await task(id);
    return (found.status === "COMPLETED" || found.status === "FAILED") && found;
  });
}

// Asks the test for what only it can do.
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export async function order(what) {
  console.log(JSON.stringify(what));
  return JSON.parse((await answers.next()).value);
}

export const atGate = (id) => order({ do: "at_gate", id });
export const token = (...words) => order({ do: "token", words });
export const say = (id, word) => order({ do: "say", id, word });

export async function until(what, ask) {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// --- What one expects to see -----------------------------------------------------------------------------

export const seen = (page, text) => page.getByText(text).first().waitFor();

export function same(found, expected, what = "") {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what} expected ${b}, found ${a}`);
}

export const button = (scope, name) => scope.getByRole("button", { name, exact: typeof name === "string" });
export const rows = (page) => page.locator("tbody tr[data-row]");

// No finding of axe-core's that is serious, and a picture to look at.
export async function look(page, name) {
  if (await page.evaluate(() => typeof axe === "undefined")) await page.evaluate(axe());
  const found = await page.evaluate(async () => (await axe.run()).violations.map(({ id, impact, nodes }) =>
    ({ id, impact, where: nodes.slice(0, 3).map((node) => node.html) })));
  const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
  if (serious.length > 0) throw new Error(`${name}: ${JSON.stringify(serious, null, 1)}`);
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

// Answers the dialog that is open.
export async function confirm(page, name) {
  await button(page.locator("dialog[open]"), name).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
}

export const told = (page, text) => page.locator(".words").getByText(text).waitFor();
