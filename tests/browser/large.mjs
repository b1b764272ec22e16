// What is large: a long log, numbers as they are written, many processors; and values as a person reads them.
import { between, duration, indented } from "../../web/format.js";
import { button, finished, open, rows, same, seen, submit, until, visit } from "./lib.mjs";

same([59.97, 9.97, 0.9997, 61].map(duration), ["1 min 0 s", "10 s", "1.0 s", "1 min 1 s"]);
same(between("2026-01-01T00:00:00.250Z", "2026-01-01T00:00:01.000001Z"), 0.750001);
same([indented("[[]"), indented(`${"[".repeat(5000)}${"]".repeat(5000)}`)], [null, null]);

visit(async (page) => {
  // A list does not carry logs, and the task's page begins with the end of its log.
  const answers = [];
  page.on("response", (answer) => {
    if (/api\/v1\/tasks/.test(answer.url())) answers.push(answer.text().then((text) => [answer.url(), text.length], () => [answer.url(), 0]));
  });
  const id = await submit({ content: Array.from({ length: 20_000 }, (_, n) => `line ${n + 1}`).join("\n"), processor: "json" });
  await finished(id);
  await open(page, "tasks");
  await page.getByText("line 1 line 2 ").waitFor();
  await open(page, `tasks/${id}`);
  await page.locator(".log").getByText("line 20000", { exact: true }).waitFor();
  await seen(page, "2,000 lines");
  await seen(page, "these are the last lines");
  for (const step of ["Created", "Attempt 1 started", "Completed"]) await page.locator(".timeline").getByText(step).waitFor();
  const tooLong = (await Promise.all(answers)).filter(([, length]) => length > 600_000);
  same(tooLong, [], "answers that carry a whole log:");

  // JSON is indented as it is written.
  const json = '{"a":1.10,"a":1e400,"big":12345678901234567890,"none":[],"s":"a,b:{\\"c\\"}"}';
  const pretty = '{\n  "a": 1.10,\n  "a": 1e400,\n  "big": 12345678901234567890,\n  "none": [],\n  "s": "a,b:{\\"c\\"}"\n}';
  await open(page, `tasks/${await submit({ content: json })}`);
  const content = page.locator("section[aria-labelledby=content]");
  await until("indented", async () => (await content.locator("pre").textContent().catch(() => "")) === pretty);
  await button(content, "Pretty JSON").click();
  await until("as it came", async () => (await content.locator("pre").textContent()) === json);

  // Of very many processors some are drawn, and all are found.
  const processors = Array.from({ length: 10_000 }, (_, n) => ({ name: `p${n}`, kind: "echo", running: 0, pending: 0, concurrency: null, rate: null, rate_frees_at: null, paused: null }));
  await page.route((url) => url.pathname === "/api/v1/processors", (route) => route.fulfill({ json: processors }));
  await open(page, "processors");
  await seen(page, "200 of 10,000 processors shown");
  same(await rows(page).count(), 200);
  await page.getByLabel("Filter by name").fill("p9876");
  await until("one row", async () => (await rows(page).count()) === 1);
});
