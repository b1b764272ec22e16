// The list: filters, search, pages, selection, and what is done to many.
import { api, atGate, button, confirm, finished, open, rows, same, seen, submit, task, told, until, visit } from "./lib.mjs";

const count = (page, number) => until(`${number} rows`, async () => (await rows(page).count()) === number);
const choose = (page, id) => page.getByLabel(`Select task ${id}`).check();

visit(async (page) => {
  const failed = [];
  for (let n = 0; n < 4; n += 1) failed.push(await submit({ content: `broken ${n}`, processor: "flaky", tags: ["x"] }));
  const good = await submit({ content: "invoice for Ada", session_id: "77" });
  for (const id of [...failed, good]) await finished(id);

  // The counters are links, and they are right.
  await open(page, "");
  await page.getByRole("link", { name: /^4 Failed/ }).click();
  await page.waitForURL(/status=FAILED/);
  await count(page, 4);

  // Each filter alone.
  await button(page, "Retry all").waitFor();
  await page.getByRole("link", { name: "Clear filters" }).click();
  await count(page, 5);
  const filters = page.locator("form[aria-label=Filters]");
  const filter = async (name, value, expected) => {
    const field = filters.locator(`[name=${name}]`);
    if (await field.evaluate((node) => node.tagName) === "SELECT") await field.selectOption(value);
    else { await field.fill(value); await field.press("Enter"); await field.blur(); }
    await count(page, expected);
    await page.getByRole("link", { name: "Clear filters" }).click();
    await count(page, 5);
  };
  await filter("q", "invoice", 1);
  await filter("status", "COMPLETED", 1);
  await filter("processor", "flaky", 4);
  await filter("failure", "error", 4);
  await filter("tag", "x", 4);
  await filter("session_id", "77", 1);
  await filter("since", "2999-01-01T00:00", 0);
  await filter("until", "2000-01-01T00:00", 0);
  await filters.locator("[name=order]").selectOption("asc");
  await until("the oldest first", async () => (await rows(page).first().textContent()).includes("broken 0"));

  // The search of the head.
  await page.getByLabel("Search tasks").fill("broken 2");
  await page.getByLabel("Search tasks").press("Enter");
  await count(page, 1);

  await page.getByLabel("Search tasks").fill(` ${good} `);
  await page.getByLabel("Search tasks").press("Enter");
  await page.waitForURL((url) => url.hash === `#/tasks/${good}`);
  await seen(page, "Processed: invoice for Ada");

  // A wrong filter is said, not swallowed.
  await open(page, "tasks?status=NONSENSE");
  await page.locator(".problem").getByText(/status/).waitFor();

  // What is chosen, one by one.
  await open(page, "tasks");
  await count(page, 5);
  for (const id of [failed[0], failed[1], good]) await choose(page, id);
  await seen(page, "3 selected");
  await button(page, "Retry selected").click();
  await seen(page, "2 tasks of 3 selected are failed.");
  await confirm(page, "Retry 2");
  await told(page, "2 of 2 tasks requeued.");
  for (const id of [failed[0], failed[1]]) await until("it ran again", async () => (await task(id)).attempt > 2 && finished(id));
  const held = [await submit({ content: "held", processor: "gate" }), await submit({ content: "held too", processor: "gate" })];
  for (const id of held) await atGate(id);
  await page.getByLabel(`Select task ${held[0]}`).waitFor();
  await choose(page, held[0]);
  await button(page, "Abort selected").click();
  await confirm(page, "Abort 1");
  await told(page, "1 of 1 task aborted.");
  await choose(page, good);
  await button(page, "Delete selected").click();
  await confirm(page, "Delete 1");
  await told(page, "1 of 1 task deleted.");
  await page.getByLabel("Select all on this page").check();
  await seen(page, "6 selected");

  // All that match, counted first.
  await open(page, "tasks?processor=flaky");
  await count(page, 4);
  await button(page, "Delete all").click();
  await seen(page, "4 tasks match the filter and are finished.");
  await button(page.locator("dialog[open]"), "Cancel").click();
  await count(page, 4);
  await button(page, "Retry all").click();
  await confirm(page, "Retry 4");
  await told(page, "4 of 4 tasks");
  for (const id of failed) await finished(id);
  await button(page, "Delete all").click();
  await confirm(page, "Delete 4");
  await count(page, 0);
  await open(page, "tasks?processor=gate");
  await button(page, "Abort all").click();
  await confirm(page, "Abort 1");
  await told(page, "1 of 1 tasks aborted.");
  same((await finished(held[1])).failure, "aborted");

  // Pages, and what arrives shows by itself.
  await api("POST", "queue/pause");
  await api("POST", "tasks/batch", { tasks: Array.from({ length: 60 }, (_, n) => ({ content: `many ${n}` })) });
  await open(page, "tasks?status=PENDING");
  await count(page, 50);
  await seen(page, "60 tasks");
  await page.getByRole("link", { name: "Next page" }).click();
  await count(page, 10);
  await page.getByRole("link", { name: "First page" }).click();
  await count(page, 50);
  await submit({ content: "arrives while one looks" });
  await seen(page, "arrives while one looks");

  // Paused, the list stands still and says what it holds back.
  await button(page, "Pause updates").click();
  await submit({ content: "not yet" });
  await page.locator(".held").getByText("1 new").waitFor();
  // Spoken is the change of the state, not each event.
  same(await page.getByRole("status").filter({ hasText: "Paused" }).textContent(), "Paused");
  same(await page.getByText("not yet").count(), 0);
  await button(page, "Resume updates").click();
  await seen(page, "not yet");
});
