// The Hive: its connection, queues and nodes, and orders to all of them.
import { button, confirm, look, open, rows, same, seen, told, until, visit } from "./lib.mjs";

const all = (page, text) => until(`two nodes ${text}`, async () => (await rows(page).getByText(text, { exact: true }).count()) === 2);

visit(async (page) => {
  await open(page, "hive");
  await seen(page, "connected");
  await until("two nodes", async () => (await rows(page).count()) === 2);
  await all(page, "active");
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await look(page, `hive-on-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  same(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "it fits:");
  await look(page, "narrow-hive-on");
  await page.setViewportSize({ width: 1280, height: 900 });

  // What another node does by itself is no event here.
  const other = (verb) => fetch(`${process.env.OTHER}api/v1/queue/${verb}`, { method: "POST" });
  await other("pause");
  await until("one node paused", async () => (await rows(page).getByText("paused", { exact: true }).count()) === 1);
  await other("resume");
  await all(page, "active");

  await button(page, "Pause all nodes…").click();
  await page.locator("dialog[open]").getByLabel("Reason").fill("new disks");
  await confirm(page, "Pause");
  await page.locator(".banner").getByText("new disks").waitFor();
  await all(page, "paused");
  await button(page, "Resume all nodes").click();
  await all(page, "active");

  // A processor of theirs alone, and an order that is wrong.
  await page.getByRole("textbox", { name: "Processor" }).fill("echo");
  await page.getByLabel("Until").fill("2000-01-01T00:00");
  await button(page, "Send").click();
  await told(page, /`until` should be a time in the future/);
  await page.getByLabel("Until").fill("");
  await button(page, "Send").click();
  await told(page, /\b2\b/);
  await open(page, "processors");
  await rows(page).filter({ hasText: "echo" }).getByText("paused").waitFor();
  await open(page, "hive");
  await page.getByRole("combobox", { name: "Command" }).selectOption("status");
  same(await page.getByRole("textbox", { name: "Processor" }).count(), 0, "a processor to report:");
  await button(page, "Send").click();
  await told(page, /\b2\b/);

  await button(page, "Emergency stop of all nodes…").click();
  await page.locator("dialog[open] input").fill("STOP");
  await confirm(page, "Stop the Hive");
  await page.locator(".banner.stop").waitFor();
  await all(page, "paused");
});
