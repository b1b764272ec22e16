// Thousands of events: the page goes on, takes clicks meanwhile, and is right at the end.
import { api, button, open, same, until, visit } from "./lib.mjs";

const TASKS = 2000;
const BATCH = 250;

visit(async (page) => {
  await open(page, "");
  await page.locator(".live").getByText("Live").waitFor();
  const load = (async () => {
    for (let n = 0; n < TASKS; n += BATCH) {
      await api("POST", "tasks/batch", { tasks: Array.from({ length: BATCH }, (_, k) => ({ content: `task ${n + k}` })) });
    }
  })();
  // While they come.
  for (const name of ["Tasks", "Queue", "Overview", "Processors", "Storage", "Overview"]) {
    await page.getByRole("navigation").getByRole("link", { name }).click();
    await page.locator("main h1").getByText(name).waitFor({ state: "attached" });
  }
  await button(page, "Pause updates").click();
  await button(page, "Resume updates").click();
  await load;
  await until("all are counted", async () => (await page.locator(".counters .completed .count").textContent()) === "2,000");
  same(await page.locator(".events tbody tr").count() <= 50, true, "few rows of events:");
});
