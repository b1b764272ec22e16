// Events come without end: what one types, sees and selects stays. The list is slow, as with millions of tasks.
import { button, finished, open, rows, same, seen, submit, told, until, visit } from "./lib.mjs";

const isList = (url) => url.pathname === "/api/v1/tasks";
const count = (page, number) => until(`${number} rows`, async () => (await rows(page).count()) === number);

visit(async (page) => {
  const words = page.locator("form[aria-label=Filters] [name=q]");
  const first = await submit({ content: "apple one" });
  await finished(first);
  await open(page, "tasks");
  await count(page, 1);

  // A repaint wipes nothing that is being typed.
  await words.pressSequentially("app");
  await submit({ content: "pear one" });
  await count(page, 2);
  same(await words.inputValue(), "app");
  await words.pressSequentially("le");
  await words.press("Enter");
  await count(page, 1);
  await page.getByRole("link", { name: "Clear filters" }).click();
  await count(page, 2);
  same(await words.inputValue(), "");

  // A list shows when it comes, also if something happened meanwhile.
  let release;
  const asked = [];
  await page.route(isList, async (route) => {
    const gate = new Promise((resolve) => { release = resolve; });
    asked.push(route.request().url());
    await gate;
    await route.continue().catch(() => {});
  });
  await words.fill("apple");
  await words.press("Enter");
  await until("the list is asked for", () => asked.some((url) => url.includes("q=apple")));
  // What stands there is of the old filter: nothing can be done with it.
  await page.locator("[inert]").getByText("pear one").waitFor();
  same(await button(page, "Delete all").isDisabled(), true, "an old list acts on nothing:");
  const changes = page.waitForResponse((answer) => answer.url().includes("overview"));
  await submit({ content: "pear two" });
  await changes;
  release();
  await count(page, 1);
  await page.unroute(isList);
  release();

  // An error leaves nothing behind that could be acted on.
  await page.route(isList, (route) => route.fulfill({ status: 503, json: { detail: "Not now." } }));
  await words.fill("pear");
  await words.press("Enter");
  await seen(page, "Not now.");
  await page.locator("[inert]").getByText("apple one").waitFor();
  same(await button(page, "Delete all").isDisabled(), true, "after an error:");
  await page.unroute(isList);
  await button(page, "Try again").click();
  await count(page, 2);
  await page.getByRole("link", { name: "Clear filters" }).click();
  await count(page, 3);

  // While something is selected no row moves, and the selection is kept by id.
  await page.getByLabel(`Select task ${first}`).check();
  for (let n = 0; n < 55; n += 1) await submit({ content: `more ${n}` });
  await page.locator(".fresh").getByText("50 new").waitFor();
  same(await rows(page).count(), 3, "rows that stand still:");
  await seen(page, "1 selected");
  await page.locator("#fresh").click();
  await count(page, 50);
  await seen(page, "1 selected");
  await button(page, "Delete selected").click();
  await button(page.locator("dialog[open]"), "Delete 1").click();
  await told(page, "1 of 1 task deleted.");
  await seen(page, "0 selected");
});
