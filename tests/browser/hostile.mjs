// A task's text is a text, whatever stands in it.
import { api, finished, open, rows, same, seen, submit, until, visit } from "./lib.mjs";

const EVIL = '<img src=x onerror="hacked=1"><script>hacked=1</script><svg onload=hacked=1> javascript:hacked=1 &lt;b&gt; ${hacked=1}';
const STRANGE = "🦀👩‍👩‍👧 שלום עולם مرحبا \u202Eevil\u202C e\u0301\u0300\u0301 \u0000 \uFFFF";

const unharmed = async (page) => same(
  await page.evaluate(() => [typeof hacked, document.querySelectorAll("main img, main script, main svg, main b").length]),
  ["undefined", 0], "what the text has become:");

visit(async (page) => {
  for (const text of [EVIL, STRANGE]) {
    const id = await submit({ content: text, tags: [text.slice(0, 60)], session_id: text, concurrency_key: text, evil: text });
    // A control character is shown as a picture of itself.
    const result = (await finished(id)).result.replaceAll("\u0000", "\u2400");
    await open(page, `tasks/${id}`);
    await until("the result, letter by letter", async () =>
      (await page.locator("section[aria-labelledby=result] pre").textContent().catch(() => "")) === result);
    await unharmed(page);
    await open(page, "tasks");
    await seen(page, text.slice(0, 12));
    await unharmed(page);
    await page.locator("a.tag").first().click();
    await until("the list by this tag", async () => (await rows(page).count()) === 1);
    await unharmed(page);
  }
  // Errors and reasons of others, and the address itself.
  await api("POST", "queue/pause", { reason: EVIL });
  await open(page, "queue");
  await page.locator(".banner").getByText("<img src=x").waitFor();
  await unharmed(page);
  await api("POST", "queue/resume");
  await open(page, `tasks?status=${encodeURIComponent(EVIL)}`);
  await page.locator(".problem").waitFor();
  await unharmed(page);
  await open(page, `tasks/${encodeURIComponent(EVIL)}`);
  await page.locator(".problem").waitFor();
  await unharmed(page);
  await open(page, encodeURIComponent(EVIL));
  await seen(page, "Page not found");
  await open(page, "schedules");
  await seen(page, "<b>copy</b>");
  await unharmed(page);

  // A line of a megabyte, in the log and in the result.
  const long = await submit({ content: "", processor: "lines" });
  await finished(long);
  await open(page, `tasks/${long}`);
  await page.locator(".log").getByText("<img src=x onerror=hacked=1>").waitFor();
  await page.locator("section[aria-labelledby=result]").getByRole("button", { name: /Show all/ }).click();
  await until("the whole result", async () => (await page.locator("section[aria-labelledby=result] pre").textContent()).length > 999_999);
  await page.getByRole("button", { name: "Show less" }).click();
  await unharmed(page);

  // A content of five megabytes in the list.
  const large = await submit({ content: "y".repeat(5_000_000) });
  await finished(large);
  await open(page, "tasks");
  await seen(page, "yyyyyyyy");
  await unharmed(page);
});
