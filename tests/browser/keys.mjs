// The keyboard, the themes, and narrow screens.
import { finished, open, rows, same, submit, until, visit } from "./lib.mjs";

const focused = (page) => page.evaluate(() => document.activeElement.textContent);
const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

visit(async (page) => {
  for (const content of ["one", "two", "three"]) await finished(await submit({ content }));
  await open(page, "");
  await page.locator(".counters").waitFor();
  await page.keyboard.press("t");
  await page.waitForURL(/#\/tasks/);
  // Who goes to another page stands at its beginning.
  await until("the page has the focus", () => page.evaluate(() => document.activeElement.id === "main"));
  await until("three rows", async () => (await rows(page).count()) === 3);
  await page.keyboard.press("j");
  await until("the first row", async () => (await focused(page)).includes("three"));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("j");
  await until("the last row", async () => (await focused(page)).includes("one"));
  await page.keyboard.press("k");
  await until("the row before", async () => (await focused(page)).includes("two"));
  await page.keyboard.press("x");
  await page.getByText("1 selected").waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/tasks\/./);
  await page.goBack();
  await until("three rows", async () => (await rows(page).count()) === 3);
  await page.keyboard.press("/");
  same(await page.evaluate(() => document.activeElement.id), "search");
  // In a field letters are letters.
  await page.keyboard.type("two n?");
  same(await page.locator("#search").inputValue(), "two n?");
  await page.locator("#search").fill("two");
  await page.keyboard.press("Enter");
  await until("one row", async () => (await rows(page).count()) === 1);
  await page.locator("#search").blur();
  await page.keyboard.press("?");
  await page.locator("dialog[open]").getByText("search tasks").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  await page.locator("#help").click();
  await page.locator("dialog[open]").getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "Resume updates" }).waitFor();
  await page.keyboard.press("p");
  await page.keyboard.press("n");
  await page.waitForURL(/#\/submit/);

  // Keys that are signs can be turned off, also for the next visit.
  await page.locator("#help").click();
  await page.locator("#keys-on").uncheck();
  await page.locator("dialog[open]").getByRole("button", { name: "Close" }).click();
  await page.reload();
  await page.locator("main h1").waitFor();
  for (const key of ["t", "p", "?", "/"]) await page.keyboard.press(key);
  same([new URL(page.url()).hash, await page.locator("#live").textContent(), await page.locator("dialog[open]").count()],
    ["#/submit", "Pause updates", 0]);
  await page.locator("#help").click();
  await page.locator("#keys-on").check();
  await page.keyboard.press("Escape");

  // A theme that was chosen is there again at the next visit.
  const light = await ground(page);
  await page.getByLabel("Theme").selectOption("dark");
  const dark = await ground(page);
  same(light === dark, false, "the themes differ:");
  await page.reload();
  await page.locator("nav").waitFor();
  same(await ground(page), dark);
  await page.getByLabel("Theme").selectOption("light");
  same(await ground(page), light);
  await page.getByLabel("Theme").selectOption("auto");

  // On a telephone nothing but tables is wider than the screen.
  await page.setViewportSize({ width: 360, height: 740 });
  for (const name of ["Overview", "Tasks", "Submit a task", "Queue", "Processors", "Schedules", "Storage", "Doctor"]) {
    const hash = name === "Overview" ? "" : name.split(" ")[0].toLowerCase();
    await open(page, hash);
    await page.getByRole("heading", { name, exact: true, level: 1 }).waitFor({ state: "attached" });
    await page.waitForLoadState("networkidle");
    same(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `#/${hash} fits:`);
    const { left, right } = await page.locator("nav [aria-current]").evaluate((link) => link.getBoundingClientRect().toJSON());
    same([left >= -1, right <= 361], [true, true], `#/${hash} shows where one is:`);
  }
}, { colorScheme: "light" });
