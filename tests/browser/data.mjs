// Many tasks at once, and all of them out as a file and in again.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { api, button, confirm, finished, open, rows, same, seen, submit, task, told, until, visit } from "./lib.mjs";

visit(async (page) => {
  // A task for each line, with what the form says of all of them.
  await open(page, "submit");
  await page.getByLabel("Content").fill("one\n\n  two\r\nthree\n");
  await page.getByLabel("Submit one task per line").check();
  await page.getByLabel("Tags").fill("many");
  await page.getByLabel("Other fields").fill("[1]");
  await button(page, "Submit task").click();
  await told(page, "Other fields: expected a JSON object");
  await page.getByLabel("Other fields").fill('{"language": "de", "content": "not this"}');
  await button(page, "Submit task").click();
  await page.waitForURL(/#\/tasks$/);
  await until("three rows", async () => (await rows(page).count()) === 3);
  const made = (await api("GET", "tasks?tag=many")).reverse();
  same(made.map((it) => it.content), ["one", "  two", "three"]);
  same(made.map((it) => it.context_history.request.language), ["de", "de", "de"]);
  for (const { id } of made) await finished(id);
  await open(page, "submit");
  await page.getByLabel("Submit one task per line").check();
  await button(page, "Submit task").click();
  await told(page, "Every line is empty");

  // An empty task is asked about first.
  const count = async () => (await api("GET", "tasks")).length;
  const before = await count();
  await page.getByLabel("Submit one task per line").uncheck();
  for (const content of ["", " \n "]) {
    await page.getByLabel("Content").fill(content);
    await button(page, "Submit task").click();
    await seen(page, "Submit an empty task?");
    await button(page, "Cancel").click();
    await until("the form can be used again", async () => await button(page, "Submit task").isEnabled());
  }
  same(await count(), before, "tasks");
  await page.getByLabel("Content").fill("");
  await button(page, "Submit task").click();
  await confirm(page, "Submit empty task");
  await page.waitForURL(/#\/tasks\/./);
  const empty = page.url().split("/").pop();
  same((await finished(empty)).content, "");
  await api("DELETE", `tasks/${empty}`);

  // Out, deleted, and in again.
  const last = await submit({ content: "to be kept <b>" });
  await finished(last);
  await open(page, "storage");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download state_dump.json" }).click()]);
  same(download.suggestedFilename(), "state_dump.json");
  const file = await download.path();
  const dump = JSON.parse(readFileSync(file, "utf8"));
  same(dump.tasks.length, 4);
  await api("DELETE", `tasks/${last}`);
  const bring = async (path, replace = false) => {
    await page.getByLabel("File").setInputFiles(path);
    await page.getByLabel("Replace tasks").setChecked(replace);
    await button(page, "Import").click();
  };
  await bring(file);
  await seen(page, "1 task imported, 3 already present, 0 replaced.");
  same((await task(last)).result, "Processed: to be kept <b>");
  const changed = join(tmpdir(), `venom-changed-${process.pid}.json`);
  dump.tasks.find(({ id }) => id === last).content = "changed";
  writeFileSync(changed, JSON.stringify(dump));
  await bring(changed);
  await seen(page, "1 task skipped");
  await page.locator(`section[aria-labelledby=import] a[href="#/tasks/${last}"]`).waitFor();
  await bring(changed, true);
  await seen(page, "0 tasks imported, 0 already present, 4 replaced.");
  same((await task(last)).content, "changed");
  writeFileSync(changed, "{");
  await bring(changed);
  await page.locator("section[aria-labelledby=import] .problem").waitFor();
});
