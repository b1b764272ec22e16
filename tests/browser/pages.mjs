// Each page in both themes: no finding of axe-core's that is serious, and a picture to look at.
import { api, finished, look, open, submit, visit } from "./lib.mjs";

const failed = await submit({ content: "no luck", processor: "flaky", tags: ["nightly", "copy"] });
const json = await submit({ content: '{"order": 4711, "lines": [1, 2, 3]}', processor: "json", session_id: "42" });
const waiting = await submit({ content: "for a worker", processor: "outside", priority: 5 });
for (const id of [failed, json]) await finished(id);
await submit({ content: "then", after: [waiting] });

const PAGES = {
  overview: "", tasks: "tasks", "tasks-none": "tasks?q=nothing", "task-failed": `tasks/${failed}`, "task-json": `tasks/${json}`,
  "task-waiting": `tasks/${waiting}`, submit: "submit", queue: "queue", processors: "processors", schedules: "schedules",
  hive: "hive", storage: "storage",
};

async function tour(page, theme) {
  await page.emulateMedia({ colorScheme: theme });
  for (const [name, hash] of Object.entries(PAGES)) {
    await open(page, hash);
    await page.locator("main h1").waitFor({ state: "attached" });
    await page.waitForLoadState("networkidle");
    await look(page, `${name}-${theme}`);
  }
  await open(page, "queue");
  await page.getByRole("button", { name: "Emergency stop…" }).click();
  await look(page, `stop-${theme}`);
  await page.keyboard.press("Escape");
  await page.locator("#help").click();
  await look(page, `help-${theme}`);
  await page.keyboard.press("Escape");
}

await visit(async (page) => {
  for (const theme of ["light", "dark"]) await tour(page, theme);
  await api("POST", "queue/emergency-stop");
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await open(page, "");
    await page.locator(".banner.stop").waitFor();
    await look(page, `stopped-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 740 });
  for (const [name, hash] of Object.entries(PAGES)) {
    await open(page, hash);
    await page.locator("main h1").waitFor({ state: "attached" });
    await look(page, `narrow-${name}`);
  }
});
