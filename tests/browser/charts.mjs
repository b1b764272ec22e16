// The charts: what has happened is drawn, in each window, and is still there after a restart.
import { button, finished, open, order, same, submit, until, visit } from "./lib.mjs";

const summary = (page, title) => page.getByRole("img", { name: new RegExp(`^${title} in the last`) }).getAttribute("aria-label");
const says = (page, title, words) => until(`${title}: ${words}`, async () => (await summary(page, title)).search(words) >= 0);
// Three are completed, and a step may end between two of them.
const COUNTS = /completed at most [123], failed at most 1/;

// Pixels of the curves' own colours, which are none of the axes'.
const drawn = (page) => page.evaluate(() => {
  const canvas = document.querySelector(".plot canvas");
  // Between two windows there is none.
  if (canvas === null) return 0;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [red, green, blue, alpha] = pixels.slice(at, at + 4);
    if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
});

visit(async (page) => {
  await open(page, "");
  await says(page, "Tasks", "completed at most 0");
  for (let n = 0; n < 3; n += 1) await finished(await submit({ content: "x" }));
  await finished(await submit({ content: "x", processor: "flaky" }));
  const window = (name) => button(page.getByRole("group", { name: "Window of the charts" }), name);
  for (const [name, steps] of [["hour", "1 min 0 s"], ["day", "15 min 0 s"]]) {
    await window(name).click();
    await says(page, "Tasks", `in the last ${name}, in steps of ${steps}`);
    await says(page, "Tasks", new RegExp(`${COUNTS.source}, retried at most 1`));
    await says(page, "Run time", "max at most");
    await until("curves are drawn", async () => (await drawn(page)) > 20);
  }
  await page.getByLabel("Theme").selectOption("dark");
  await until("curves are drawn anew", async () => (await page.locator(".plot canvas").count()) === 3 && (await drawn(page)) > 20);
  await window("5 minutes").click();
  await until("a point of its own", async () => /completed at most [123],/.test(await summary(page, "Tasks")));
  // Where the pointer is, the legend says the values of that step.
  await page.locator(".plot").first().hover({ position: { x: 100, y: 60 } });
  await page.locator("figcaption").first().getByText(/^\d\d:\d\d:\d\d$/).waitFor();
  await order({ do: "restart" });
  await page.reload();
  await window("hour").click();
  await says(page, "Tasks", COUNTS);
  same(await page.locator(".legend").count(), 3);
});
