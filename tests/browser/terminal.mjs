// What a program prints for a terminal: its colours, and a bar that moves and leaves its last state.
import { api, open, same, submit, until, visit } from "./lib.mjs";

visit(async (page) => {
  const id = await submit({ content: "\u001b[32mgreen\u0007", processor: "bar" });
  await open(page, `tasks/${id}`);
  const live = page.locator(".log .live span").first();
  const state = async () => Number((await live.textContent()).replace("%", ""));
  await live.waitFor();
  const first = await state();
  await until("the bar moves", async () => (await state()) > first);
  same(await page.locator(".log .ansi-fg1").allTextContents(), ["red"], "what is red:");
  same(await page.locator(".log .ansi-bold").allTextContents(), [" bold"], "what is bold:");
  const content = await page.locator("section[aria-labelledby=content] pre").textContent();
  same(content, "\u241b[32mgreen\u2407", "the content:");
  await api("POST", `queue/task/${id}/abort`);
  await until("the bar is stored", async () => (await page.locator(".log .live").count()) === 0);
  const lines = await until("the end", async () => {
    const found = await page.locator(".log > div > span").allTextContents();
    return found.at(-1).startsWith("Task aborted") && found;
  });
  same(lines.filter((line) => /^\d+%$/.test(line)).length, 1, "stored states:");
  same(lines.some((line) => line.includes("\u001b") || line.includes("[31m")), false, "escapes:");
});
