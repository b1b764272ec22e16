// Where the service asks for a token: the login, what each role sees, a token that is revoked meanwhile, one of
// some processors alone, and two tabs with two tokens.
import { api, atGate, button, confirm, finished, look, open, rows, same, say, seen, sent, submit, token, told, until, visit } from "./lib.mjs";

const reader = await token("create", "dora", "--role", "read");
const second = await token("create", "rita", "--role", "read");
const operator = await token("create", "otto", "--role", "operate");
const own = await token("create", "own", "--role", "operate", "--processor", "gate", "--processor", "flaky");
const id = await submit({ content: "behind the door" });
await finished(id);

const title = (page, name) => page.getByRole("heading", { name, level: 1, exact: true }).waitFor({ state: "attached" });
const isOff = (page, name) => button(page, name).isDisabled();

async function enter(page, text, who) {
  await title(page, "Log in");
  await page.getByLabel("Token").fill(text);
  await button(page, "Log in").click();
  await page.locator(".who").getByText(who).waitFor();
}

async function leave(page) {
  await button(page, "Log out").click();
  await title(page, "Log in");
}

visit(async (page, context) => {
  // Sockets that are open, as the browser has them. The end of those of a page that is left is not told.
  let sockets = new Set();
  page.on("websocket", (socket) => {
    const own = sockets.add(socket);
    socket.on("close", () => own.delete(socket));
  });
  const reload = () => {
    sockets = new Set();
    return page.reload();
  };

  // A deep link leads through the login to where it points.
  await open(page, `tasks/${id}`);
  await title(page, "Log in");
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await look(page, `login-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await look(page, "narrow-login");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.keyboard.press("t");
  await page.getByLabel("Token").fill("venom_nonsense");
  await button(page, "Log in").click();
  await seen(page, "The token is unknown, or was revoked.");
  same(sockets.size, 0, "sockets before the login:");
  await enter(page, sent.token, "root, admin");
  await seen(page, "Processed: behind the door");
  await until("one socket", () => sockets.size === 1);
  await reload();
  await seen(page, "Processed: behind the door");

  // What is changed carries its proof, and the journal knows whose it was.
  await button(page, "Run again").click();
  await page.waitForURL((url) => !url.hash.includes(id));
  await open(page, "queue");
  await page.getByLabel("Reason").fill("lunch");
  await button(page, "Pause queue").click();
  await page.locator(".banner").getByText(/^since [-\d]+ [:\d]+ by root – lunch\. Running/).waitFor();
  await button(page, "Resume queue").click();
  await button(page, "Pause queue").waitFor();
  await leave(page);
  await reload();
  await title(page, "Log in");

  // A reader sees all and changes nothing.
  await enter(page, reader, "dora, read");
  await button(page, "Pause queue").waitFor();
  for (const name of ["Pause queue", "Purge…", "Emergency stop…"]) same(await isOff(page, name), true, name);
  await seen(page, "The token dora has the role read. The disabled actions need a higher role.");
  same(await button(page, "Purge…").getAttribute("title"), "This call requires the role operate; the token dora has the role read.");
  await look(page, "reader-queue");
  await open(page, `tasks/${id}`);
  for (const name of ["Run again", "Run again with changes", "Delete"]) {
    await button(page, name).waitFor();
    same(await isOff(page, name), true, name);
  }
  await look(page, "reader-task");
  await open(page, "doctor");
  await seen(page, "The token dora has the role read. The disabled actions need a higher role.");
  await open(page, "submit");
  await button(page, "Submit task").waitFor();
  same(await isOff(page, "Submit task"), true, "submit");
  await open(page, "storage");
  await button(page, "Import").waitFor();
  same([await isOff(page, "Import"), await isOff(page, "Download state_dump.json")], [true, true], "import and export");

  // Revoked while one looks: the login comes by itself, and the next token goes on at the same place.
  await open(page, "");
  await page.locator(".live").getByText("Live").waitFor();
  const before = await submit({ content: "seen by dora" });
  await page.locator(`.events a[href="#/tasks/${before}"]`).first().waitFor();
  await token("revoke", "dora");
  await title(page, "Log in");
  await until("no socket", () => sockets.size === 0);
  await enter(page, operator, "otto, operate");
  await page.locator(".live").getByText("Live").waitFor();
  const live = await submit({ content: "live again" });
  await page.locator(`.events a[href="#/tasks/${live}"]`).first().waitFor();
  same(sockets.size, 1, "sockets after the second login:");
  same(await page.locator(`.events a[href="#/tasks/${before}"]`).count(), 0, "events that another token has seen:");

  // Another tab logs in with another token: this one goes on as that one, or says why not.
  const other = await context.newPage();
  await open(other, "queue");
  await other.locator(".who").getByText("otto").waitFor();
  await open(page, "queue");
  await button(page, "Pause queue").waitFor();
  await leave(other);
  await enter(other, sent.token, "root, admin");
  await button(page, "Pause queue").click();
  await page.locator(".banner").getByText("by root").waitFor();
  await page.locator(".who").getByText("root, admin").waitFor();
  await leave(other);
  await enter(other, second, "rita, read");
  await button(page, "Resume queue").click();
  await told(page, /role operate.*rita/);
  same(await isOff(page, "Resume queue"), true, "resume with a reader's token");
  await other.close();
  await api("POST", "queue/resume");
  await api("POST", "queue/emergency-stop");
  await page.locator(".banner.stop").getByText(/^since [-\d]+ [:\d]+ by root\. Nothing starts/).waitFor();
  await look(page, "stopped-by");
  await api("POST", "queue/resume");
  await leave(page);

  // A question that is open when the token is revoked is not asked of the next one.
  await enter(page, operator, "otto, operate");
  await button(page, "Purge…").click();
  await page.locator("dialog[open]").waitFor();
  await token("revoke", "otto");
  await title(page, "Log in");
  await enter(page, second, "rita, read");
  await button(page, "Purge…").waitFor();
  same(await page.locator("dialog[open]").count(), 0, "questions:");
  await leave(page);
  await until("no socket after the logout", () => sockets.size === 0);

  // A token of two processors sees those two.
  const flaky = await submit({ content: "of its own", processor: "flaky" });
  await finished(flaky);
  const held = await submit({ content: "held", processor: "gate" });
  await atGate(held);
  await open(page, "");
  await enter(page, own, "own, operate");
  await page.getByRole("link", { name: /^1 Running/ }).waitFor();
  await seen(page, "of its own");
  same(await page.getByText("behind the door").count(), 0, "tasks of others:");
  same(await page.locator(".problem, .banner, .charts").count(), 0, "refusals:");
  await page.locator(".live").getByText("Refreshes every 3 s").waitFor();
  await look(page, "own-overview");
  await page.setViewportSize({ width: 390, height: 844 });
  await look(page, "narrow-own-overview");
  await page.setViewportSize({ width: 1280, height: 900 });
  await open(page, "tasks");
  await until("one task at the gate", async () => (await rows(page).count()) === 1);
  await page.locator("[name=processor]").selectOption("flaky");
  await seen(page, "of its own");
  await submit({ content: "seen without a reload", processor: "flaky" });
  await seen(page, "seen without a reload");
  await open(page, `tasks/${held}`);
  await page.locator(".live").getByText("Live").waitFor();
  await say(held, "a line for its owner");
  await page.locator(".log").getByText("a line for its owner").waitFor();
  await button(page, "Abort").click();
  await confirm(page, "Abort");
  await page.locator(".state").getByText("FAILED").waitFor();
  await open(page, `tasks/${id}`);
  await seen(page, "Task not found");
  await open(page, "submit");
  await page.locator("select[name=processor] option").first().waitFor({ state: "attached" });
  same(await page.locator("select[name=processor] option").allTextContents(), ["flaky", "gate"]);
  await page.getByLabel("Content").fill("by its owner");
  await button(page, "Submit task").click();
  await page.waitForURL(/#\/tasks\//);
  await page.locator(".state").getByText("FAILED").waitFor();
  await open(page, "processors");
  await until("two processors", async () => (await rows(page).count()) === 2);
  await button(page, "Pause… flaky").click();
  await confirm(page, "Pause");
  await seen(page, "by own");
  await open(page, "queue");
  await button(page, "Pause queue").waitFor();
  same(await isOff(page, "Pause queue"), true, "the whole queue");
  await seen(page, "The token own is restricted to these processors: flaky, gate.");
  for (const hash of ["schedules", "storage"]) {
    await open(page, hash);
    await page.locator(".problem").getByText("flaky, gate").waitFor();
  }
});
