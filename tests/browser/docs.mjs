// The API's document: it shows every call, and a call can be tried out from it.
import { base, same, visit } from "./lib.mjs";

visit(async (page) => {
  const answer = await page.goto(`${base}docs`);
  same(answer.headers()["content-security-policy"].includes("unsafe"), false);
  await page.getByRole("heading", { name: /^Venom Core/ }).waitFor();
  const document = await (await fetch(`${base}openapi.json`)).json();
  const calls = Object.values(document.paths).flatMap((item) => Object.keys(item)).length;
  same(await page.locator(".opblock").count(), calls);
  const submit = page.locator("#operations-Tasks-submit_task");
  await submit.locator(".opblock-summary-control").click();
  await submit.getByText("Write a haiku about queues.").first().waitFor();
  await submit.getByRole("button", { name: "Try it out" }).click();
  await submit.getByRole("button", { name: "Execute" }).click();
  await submit.locator(".live-responses-table .response-col_status", { hasText: "201" }).waitFor();
  const tasks = await (await fetch(`${base}api/v1/tasks`)).json();
  same(tasks.map((task) => [task.content, task.priority]), [["Write a haiku about queues.", 5]]);
});
