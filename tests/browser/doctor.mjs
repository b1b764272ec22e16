// The doctor's page: each check with its state and what to do, the whole database, and the settings.
import { api, button, finished, look, open, order, rows, same, seen, submit, until, visit } from "./lib.mjs";

const check = (page, name) => rows(page).filter({ has: page.getByRole("rowheader", { name, exact: true }) });

visit(async (page) => {
  await finished(await submit({ content: "one" }));
  await api("POST", "queue/pause", { reason: "lunch <b>" });
  await open(page, "doctor");
  await check(page, "database").getByText("1 tasks; integrity not checked").waitFor();
  await check(page, "database").getByText("ok", { exact: true }).waitFor();
  await check(page, "queue").getByText("warning", { exact: true }).waitFor();
  await check(page, "queue").getByText(/: lunch <b>$/).waitFor();
  await check(page, "queue").getByText("What to do:").waitFor();
  await page.getByText(/^Works, with \d+ warnings?\.$/).waitFor();
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await look(page, `doctor-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  same(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "it fits:");
  await look(page, "narrow-doctor");
  await page.setViewportSize({ width: 1280, height: 900 });
  await button(page, "Full integrity check").click();
  await check(page, "database").getByText("1 tasks; full integrity check passed").waitFor();
  await check(page, "invariants").getByText("ok", { exact: true }).waitFor();
  await api("POST", "queue/resume");
  await button(page, "Refresh").click();
  await check(page, "database").getByText("integrity not checked").waitFor();
  await until("the queue is well", async () => (await check(page, "queue").getByText("What to do:").count()) === 0);

  // Settings, those that somebody set first, with their place.
  await check(page, "processors").filter({ hasText: "flaky" }).getByText(/venom\.toml/).waitFor();
  same(await check(page, "durability").count(), 0, "a default:");
  await page.getByLabel("Show settings that have their default value").check();
  await check(page, "durability").getByText("full").waitFor();
  await check(page, "durability").getByText("default").waitFor();

  // Settings that were changed meanwhile hold, and a mistake is said.
  await button(page, "Reload").click();
  await page.locator("section[aria-labelledby=reload] [role=status]").waitFor();
  await order({ do: "settings", text: '\n[processors.added]\nkind = "echo"\n' });
  await button(page, "Refresh").click();
  await check(page, "settings").getByText(/processors\.added/).waitFor();
  await button(page, "Reload").click();
  await seen(page, "Applied");
  await page.locator("section[aria-labelledby=reload] code", { hasText: "processors.added" }).waitFor();
  await finished(await submit({ content: "x", processor: "added" }));
  await order({ do: "settings", text: "nonsense = 1\n" });
  await button(page, "Reload").click();
  await page.locator("section[aria-labelledby=reload] .problem").getByText("nonsense").waitFor();
  await check(page, "settings").getByText("failed", { exact: true }).waitFor();
  await seen(page, "Problems found.");
});
