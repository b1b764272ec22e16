// The queue and the processors: pause, resume, purge, emergency stop.
import { api, atGate, button, confirm, open, same, seen, submit, task, told, until, visit } from "./lib.mjs";

const state = (page, text) => page.locator("#queue-state").getByText(text, { exact: true }).waitFor();

visit(async (page) => {
  await open(page, "queue");
  await state(page, "active");
  await page.getByLabel("Reason").fill("lunch <b>");
  await page.getByLabel(/^Until/).fill("2999-12-24T18:00");
  await button(page, "Pause queue").click();
  await state(page, "paused");
  await page.locator(".banner").getByText(/until 2999-12-24 18:00:00 – lunch <b>/).waitFor();
  await button(page, "Resume queue").click();
  await state(page, "active");
  same(await page.locator(".banner").count(), 0);
  await button(page, "Pause queue").click();
  await state(page, "paused");

  // A purge says how many it will fail, and does nothing when it is cancelled.
  const waiting = [await submit({ content: "a" }), await submit({ content: "b" })];
  await button(page, "Purge…").waitFor();
  await until("two wait", async () => (await page.getByRole("link", { name: "2", exact: true }).count()) === 1);
  await button(page, "Purge…").click();
  await seen(page, "2 pending tasks will become FAILED");
  await button(page.locator("dialog[open]"), "Cancel").click();
  same((await task(waiting[0])).status, "PENDING");
  await button(page, "Purge…").click();
  await confirm(page, "Purge");
  await told(page, /^Queue purged/);
  same((await task(waiting[0])).failure, "purged");
  await button(page, "Resume queue").click();
  await state(page, "active");

  // The emergency stop is guarded by a word, and stays in sight on every page until it is resumed.
  const held = await submit({ content: "held", processor: "gate" });
  await atGate(held);
  await button(page, "Emergency stop…").click();
  const stop = button(page.locator("dialog[open]"), "Stop everything");
  same(await stop.isDisabled(), true, "without the word");
  await page.locator("dialog[open] input").fill("stop");
  same(await stop.isDisabled(), true, "with another word");
  await page.locator("dialog[open] input").fill("STOP");
  await stop.click();
  await state(page, "emergency stop");
  same((await task(held)).failure, "emergency_stop");
  for (const hash of ["", "tasks", `tasks/${held}`, "storage"]) {
    await open(page, hash);
    await page.locator(".banner.stop").getByText("Emergency stop").waitFor();
    await page.locator(".banner.stop").getByText(/since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\. Nothing starts/).waitFor();
  }
  await page.reload();
  await page.locator(".banner.stop").getByRole("link", { name: "Queue" }).click();
  await button(page, "Resume queue").click();
  await state(page, "active");

  // One processor alone.
  await open(page, "processors");
  const row = page.locator("tr", { has: page.getByRole("link", { name: "outside", exact: true }) });
  await row.getByText("30/m").waitFor();
  await button(row, "Pause… outside").click();
  await page.locator("dialog[open]").getByLabel("Reason").fill("full disk");
  await page.locator("dialog[open]").getByLabel(/^Until/).fill("2999-12-24T18:00");
  await confirm(page, "Pause");
  await row.getByText("paused").waitFor();
  await row.getByText("until 2999-12-24 18:00:00 – full disk").waitFor();
  same((await api("GET", "processors")).find((it) => it.name === "outside").paused !== null, true);
  await button(row, "Resume outside").click();
  await row.getByText("active").waitFor();
  await submit({ content: "x", processor: "outside" });
  await until("it counts what waits", async () => (await row.locator("td").nth(2).textContent()) === "1");
});
