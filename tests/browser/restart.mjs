// The service is killed and started again while one looks: the page comes back by itself, and every task
// that was made meanwhile is told, once.
import { finished, open, order, seen, submit, until, visit } from "./lib.mjs";

visit(async (page) => {
  await open(page, "");
  await page.locator(".live").getByText("Live").waitFor();
  await finished(await submit({ content: "before" }));
  await seen(page, "before");
  await page.evaluate(() => {
    window.states = [];
    new MutationObserver(() => window.states.push(document.querySelector(".live").textContent))
      .observe(document.querySelector(".tools"), { subtree: true, childList: true, characterData: true });
  });
  // From here on the page hears nothing until it has connected again.
  await page.context().setOffline(true);
  await order({ do: "restart" });
  await until("the loss is shown", () => page.evaluate(() => window.states.some((text) => text.includes("lost"))));
  const meanwhile = [];
  for (let n = 0; n < 10; n += 1) meanwhile.push(await submit({ content: `meanwhile ${n}` }));
  for (const id of meanwhile) await finished(id);
  await page.context().setOffline(false);
  await page.locator(".live.is-live").waitFor();
  const after = await submit({ content: "after" });
  await finished(after);
  for (const id of [...meanwhile, after]) {
    const links = page.locator(`.events a[href="#/tasks/${id}"]`);
    await until("created, started, completed", async () => (await links.count()) === 3);
  }
  await until("all are counted", async () => (await page.locator(".counters .completed .count").textContent()) === "12");
});
