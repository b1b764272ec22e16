// One task: submitted by the form, watched while it runs, failed, retried, run again, deleted.
import { api, atGate, button, confirm, finished, open, same, say, seen, submit, task, told, until, visit } from "./lib.mjs";

const idOf = (page) => new URL(page.url()).hash.split("/")[2];

async function submitByForm(page, text, processor) {
  await open(page, "submit");
  await page.getByLabel("Content").fill(text);
  await page.locator(`select[name=processor] option`, { hasText: processor }).first().waitFor({ state: "attached" });
  await page.getByLabel("Processor").selectOption(processor);
}

visit(async (page) => {
  // Every field of the form arrives.
  await submitByForm(page, "by the form", "echo");
  await page.getByLabel("Priority").fill("7");
  await page.getByLabel("Max attempts").fill("3");
  await page.getByLabel("Timeout").fill("12.5");
  await page.getByLabel("Delay").fill("0");
  await page.getByLabel("Tags").fill("one, two");
  await page.getByLabel("Session").fill("s1");
  await page.getByLabel("Concurrency key").fill("k");
  await page.getByLabel("Unique key").fill("u");
  await button(page, "Submit task").click();
  await page.waitForURL(/#\/tasks\//);
  const first = await finished(idOf(page));
  same([first.priority, first.max_attempts, first.timeout, first.tags, first.session_id, first.concurrency_key, first.unique_key],
    [7, 3, 12.5, ["one", "two"], "s1", "k", "u"]);
  await page.locator("section[aria-labelledby=result]").getByText("Processed: by the form").waitFor();
  for (const step of ["Created", "Attempt 1 started", "Completed"]) await page.locator(".timeline").getByText(step).waitFor();
  await page.locator(".timeline").getByText(/ran for /).waitFor();

  // What the service refuses is said, and nothing is lost of what was typed.
  await submitByForm(page, "refused", "echo");
  await page.getByLabel("Run after").fill("nonsense");
  await button(page, "Submit task").click();
  await page.locator(".words .bad").getByText(/after/).waitFor();
  same(await page.getByLabel("Content").inputValue(), "refused");
  await page.getByLabel("Run after").fill("");
  await button(page.locator(".words"), "Dismiss message").click();

  // Live: the log, the progress and the end come without a reload.
  await submitByForm(page, "held", "gate");
  await button(page, "Submit task").click();
  await page.waitForURL(/#\/tasks\//);
  const held = idOf(page);
  await atGate(held);
  await say(held, "a line of the log");
  await page.locator(".log").getByText("a line of the log").waitFor();
  await say(held, "::progress 0.4");
  await page.locator(".state").getByText("40 %").waitFor();
  const waiting = await submit({ content: "later", after: [held] });
  await page.locator("section[aria-labelledby=chain]").getByText(waiting).waitFor();
  await button(page, "Abort").click();
  await button(page.locator("dialog[open]"), "Cancel").click();
  same((await task(held)).status, "PROCESSING", "after Cancel");
  await button(page, "Abort").click();
  await confirm(page, "Abort");
  await page.locator(".state").getByText("FAILED").waitFor();
  same((await task(held)).failure, "aborted");

  // A task that failed: its error and attempts; retried, it fails once more.
  await submitByForm(page, "no luck", "flaky");
  await button(page, "Submit task").click();
  await page.waitForURL((url) => url.hash.startsWith("#/tasks/") && !url.hash.includes(held));
  const flaky = idOf(page);
  await page.locator(".timeline").getByText("Attempt 2 started").waitFor();
  await page.locator(".timeline").getByText("Retry scheduled").waitFor();
  await page.getByRole("heading", { name: "Error" }).waitFor();
  await button(page, "Retry").click();
  await page.locator(".timeline").getByText("Attempt 3 started").waitFor();

  // JSON is indented or as it came; copies are what is stored.
  const text = '{"a":[1,2],"b":"<i>"}';
  const json = await submit({ content: text, processor: "json" });
  await finished(json);
  await open(page, `tasks/${json}`);
  const content = page.locator("section[aria-labelledby=content]");
  await content.getByText('"a": [').waitFor();
  await button(content, "Pretty JSON").click();
  await until("the text as it came", async () => (await content.locator("pre").textContent()) === text);
  await button(content, /^Copy/).click();
  await told(page, "Content copied.");
  same(await page.evaluate(() => navigator.clipboard.readText()), text);
  await button(page.locator("section[aria-labelledby=log]"), /^Copy/).click();
  await told(page, "Log copied.");
  await button(page.locator("h1"), /^Copy/).click();
  await told(page, "ID copied.");
  await page.getByLabel("Follow").uncheck();

  // Run again, and again with changes.
  await button(page, "Run again").click();
  await page.waitForURL((url) => !url.hash.includes(json));
  const again = await finished(idOf(page));
  same([again.content, again.processor], [text, "json"]);
  // Its processor is chosen before the processors are known, and other fields come along.
  let answer;
  const isKnown = new Promise((resolve) => { answer = resolve; });
  await page.route((url) => url.pathname === "/api/v1/processors", async (route) => { await isKnown; await route.continue(); });
  await open(page, `tasks/${await submit({ content: text, processor: "json", language: "de" })}`);
  await button(page, "Run again with changes").click();
  await page.waitForURL(/#\/submit/);
  await until("the form is filled", async () => (await page.getByLabel("Processor").inputValue()) === "json");
  same(await page.getByLabel("Content").inputValue(), text);
  await page.getByLabel("Content").fill("changed");
  await button(page, "Submit task").click();
  await page.waitForURL(/#\/tasks\//);
  const other = await finished(idOf(page));
  same([other.content, other.processor, other.context_history.request], ["changed", "json", { language: "de" }]);
  answer();
  const changed = idOf(page);

  // A task that waits says why, and starts when that is over.
  const outside = await submit({ content: "for a worker", processor: "outside" });
  await open(page, `tasks/${outside}`);
  await seen(page, "No worker polls for tasks of processor outside.");
  await api("POST", "worker/claim", { processors: ["outside"], wait: 10 });
  await page.locator(".state").getByText("PROCESSING").waitFor();

  // Deleted, it is gone.
  await open(page, `tasks/${changed}`);
  await button(page, "Delete").click();
  await confirm(page, "Delete");
  await page.waitForURL(/#\/tasks$/);
  await open(page, `tasks/${changed}`);
  await seen(page, "Task not found");
});
