// What people do in a browser: node scenarios.mjs NAME. The loop and the server are the test's; what a scenario finds is
// printed as JSON. Anything a page must not do (a script error, a request elsewhere, a blocked style) is a failure.

import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import { BASE, PAGES, check, confirmed, ended, person, seriousIssues, sticksOut, visitor, withBrowser } from "./kit.mjs";

const text = (page, selector = "main") => page.textContent(selector);
const go = (page, path) => page.goto(BASE + path);

/** Follows a link that asks once more, says yes, and gives how it ended. */
async function ask(page, name, reason) {
  await Promise.all([page.waitForURL(/ui\/confirm/), page.click(`a.button:has-text("${name}")`)]);
  return confirmed(page, reason);
}

/** Answers the rows that are asked with the keyboard alone. */
async function byKeyboard(page, keys) {
  for (const key of keys) {
    const before = await page.getAttribute('input[name="id"]', "value");
    await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
    const after = await page.getAttribute('input[name="id"]', "value").catch(() => null);
    check(after !== before, `the key ${key} did not go on from ${before}`);
  }
}

const scenarios = {
  // From the drift to a new version in production, and back again.
  async decide(browser) {
    const ann = await person(browser, "ann");
    check((await text(ann, ".severity")).match(/MEDIUM|HIGH/), "the drift is not shown");
    await go(ann, "/ui/drift");
    await ann.fill("input[name=q]", "merch");
    await Promise.all([ann.waitForURL(/q=merch/), ann.click("form.filter button")]);
    check((await ann.locator("ul.cols li").count()) === 1, "the search finds one column");
    await Promise.all([ann.waitForURL(/column=merchant/), ann.click("ul.cols a.name")]);
    check((await text(ann)).includes("crypto"), "the new level is not on the column's page");
    await go(ann, "/ui/decide");
    check((await ask(ann, "Approve retraining")) === "waits for a person", await text(ann));
    check((await text(ann, "#job-log")).length > 0 && (await text(ann)).includes("mlloop"), "the job has no log");
    await go(ann, "/ui/decide");
    check((await text(ann)).includes("v0002 instead of v0001"), "no request waits");
    const bob = await person(browser, "bob");
    await go(bob, "/ui/decide");
    await Promise.all([bob.waitForURL(/ui\/confirm/), bob.click('a.button:text-is("Approve")')]);
    await confirmed(bob);
    check((await text(bob)).includes("v0002 is in production"), await text(bob));
    const left = await person(browser, "lou");
    await go(ann, "/ui/decide");
    await ask(ann, "Roll back to v0001", "slower than it should be");
    check((await text(ann)).includes("v0001 is in production"), await text(ann));
    // The page that lou left open says that the loop has changed.
    await left.waitForSelector("#changed:not([hidden])", { timeout: 20000 });
    await go(ann, "/ui/audit");
    const chain = await text(ann);
    check(chain.includes("v0002 went into production") && chain.includes("slower than it should be"), chain);
    return [ann, bob, left];
  },

  // Keys answer; undo and uncertain as well.
  async keyboard(browser) {
    const ann = await person(browser, "ann");
    await go(ann, "/ui/label");
    // Enter in a note keeps the note; it is no answer.
    await ann.fill("input[name=note]", "moved 1 2 u s");
    await Promise.all([ann.waitForNavigation(), ann.press("input[name=note]", "Enter")]);
    check((await text(ann)).includes("0 answered") && (await ann.inputValue("input[name=note]")) === "moved 1 2 u s", await text(ann));
    await ann.fill("input[name=note]", "");
    await Promise.all([ann.waitForNavigation(), ann.press("input[name=note]", "Enter")]);
    await byKeyboard(ann, ["1", "2", "1", "u", "1"]);
    await Promise.all([ann.waitForNavigation(), ann.keyboard.press("z")]);
    await byKeyboard(ann, ["2", "1", "1", "1", "1", "1"]);
    await go(ann, "/ui/label");
    check(!(await text(ann)).includes(" predicts "), "the model's answer is hidden");
    await Promise.all([ann.waitForNavigation(), ann.keyboard.press("m")]);
    check((await text(ann)).includes(" predicts "), "the model's answer is shown when it is asked for");
    return [ann];
  },

  // With scripts off everything still works.
  async without_scripts(browser) {
    const ann = await person(browser, "ann", { scripts: false });
    for (const path of Object.values(PAGES)) {
      // A loop of one's own has no column named amount.
      const answer = await go(ann, path);
      check(answer.ok() || path.includes("column="), `${path}: ${answer.status()}`);
    }
    await go(ann, "/ui/label");
    await Promise.all([ann.waitForNavigation(), ann.click("button.choice >> nth=0")]);
    check((await text(ann)).includes("1 answered"), await text(ann));
    await go(ann, "/ui/feedback");
    await Promise.all([ann.waitForNavigation(), ann.click("table.rows button >> nth=0")]);
    check((await text(ann)).includes("correct, ann"), await text(ann));
    return [ann];
  },

  // Two people approve the same request at once: one promotes, the other is told.
  async at_once(browser) {
    const people = await Promise.all([person(browser, "ann"), person(browser, "bob")]);
    for (const page of people) {
      await go(page, "/ui/decide");
      await Promise.all([page.waitForURL(/ui\/confirm/), page.click('a.button:text-is("Approve")')]);
    }
    await Promise.all(people.map((page) => Promise.all([page.waitForNavigation(), page.click("main button.main")])));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (const page of people) await go(page, "/ui/decide");
    check((await text(people[0])).includes("Nothing waits for approval"), await text(people[0]));
    return people;
  },

  // A rejection takes a reason, which stands in the chain and beside the version.
  async reject(browser) {
    const bob = await person(browser, "bob");
    await go(bob, "/ui/decide");
    await Promise.all([bob.waitForURL(/ui\/confirm/), bob.click('a.button:text-is("Reject")')]);
    check((await text(bob)).includes("stays in production"), await text(bob));
    // Without a reason nothing is sent.
    await bob.click("main button.main");
    check(bob.url().includes("/ui/confirm"), "a rejection without a reason was sent");
    await confirmed(bob, "fewer false alarms are wanted, not more");
    check((await text(bob)).includes("Nothing waits for approval"), await text(bob));
    await go(bob, "/ui/audit?event=rejected");
    check((await text(bob)).includes("fewer false alarms are wanted, not more"), await text(bob));
    await go(bob, "/ui/models");
    check((await text(bob, "table.rows")).includes("by bob"), await text(bob));
    return [bob];
  },

  // A request whose time is over cannot be approved, on the page nor past it.
  async expired(browser) {
    const bob = await person(browser, "bob");
    await go(bob, "/ui/decide");
    check((await text(bob)).includes("It expired"), await text(bob));
    check((await bob.locator('a.button:text-is("Approve")').count()) === 0, "an expired request can be approved");
    const reject = await bob.getAttribute('a.button:text-is("Reject")', "href");
    await go(bob, reject.replace("do=reject", "do=approve"));
    check((await text(bob)).includes("There is nothing to decide here. It expired"), await text(bob));
    check((await bob.locator("main form").count()) === 0, await text(bob));
    return [bob];
  },

  // A page that was left open over a promotion says so, and its Approve decides nothing any more.
  async left_open(browser) {
    const [lou, bob] = await Promise.all([person(browser, "lou"), person(browser, "bob")]);
    for (const page of [lou, bob]) await go(page, "/ui/decide");
    await Promise.all([bob.waitForURL(/ui\/confirm/), bob.click('a.button:text-is("Approve")')]);
    await confirmed(bob);
    await lou.waitForSelector("#changed:not([hidden])", { timeout: 20000 });
    check((await text(lou)).includes("v0002 instead of v0001"), "the page is the one that was left open");
    await Promise.all([lou.waitForURL(/ui\/confirm/), lou.click('a.button:text-is("Approve")')]);
    check((await text(lou)).includes("It was approved by bob"), await text(lou));
    check((await lou.locator("main form").count()) === 0, "what is decided is asked once more");
    return [lou, bob];
  },

  // The server is killed in the midst of a job and started again: the page says that it does not answer, the job goes on, and
  // its end is known. Nobody signs in again.
  async killed(browser) {
    const ann = await person(browser, "ann");
    await go(ann, "/ui/decide");
    await Promise.all([ann.waitForURL(/ui\/confirm/), ann.click('a.button:has-text("Approve retraining")')]);
    await Promise.all([ann.waitForURL(/ui\/job/), ann.click("main button.main")]);
    check((await ann.getAttribute("#job-state", "data-running")) === "true", "the job ended too early for this test");
    process.kill(Number(process.env.SERVER), "SIGKILL");
    await ann.waitForSelector("#lost:not([hidden])", { timeout: 20000 });
    const port = new URL(BASE).port;
    const next = spawn(process.env.PROGRAM, ["-C", process.env.LOOP, "serve", "--no-log", "--port", port], {
      env: { ...process.env, MLLOOP_TOKEN: process.env.TOKEN },
      stdio: "ignore",
    });
    try {
      const state = await ended(ann);
      check(["waits for a person", "done", "done; the answer was no"].includes(state), state);
      check((await ann.locator("#lost:not([hidden])").count()) === 0, "the server answers again");
      check((await text(ann, "header")).includes("ann, approver"), await text(ann, "header"));
      check((await text(ann)).includes("v0002"), await text(ann));
    } finally {
      next.kill("SIGKILL");
    }
    // The browser reports what it could not reach; nothing else is wrong.
    return [];
  },

  // Whatever stands in names, levels, notes and people's names is text.
  async hostile(browser) {
    const page = await person(browser, '"><img src=x onerror=alert(1)>');
    for (const path of Object.values(PAGES)) await go(page, path);
    for (const path of ["/ui/drift", "/ui/feedback", "/ui/audit", "/ui/models"]) {
      await go(page, `${path}?q=%3Cscript%3Ealert(1)%3C/script%3E&by=%22%3E%3Csvg onload=alert(1)%3E&sort=%22&event=%3Cb%3E`);
      check((await page.locator("main script, main img").count()) === 0, `${path} has markup of others`);
    }
    await go(page, "/ui/label");
    await page.fill("input[name=note]", "</p><script>alert(2)</script>");
    await Promise.all([page.waitForNavigation(), page.click("button.choice >> nth=0")]);
    await go(page, "/ui/label?at=0");
    check((await page.inputValue("input[name=note]")) === "</p><script>alert(2)</script>", "the note is kept as text");
    return [page];
  },

  // Reports are files: nothing sticks out, nothing serious, all columns are there without scripts; with them a name is found
  // and the order chosen.
  async reports(browser) {
    const report = (name) => pathToFileURL(`${process.env.LOOP}/reports/${name}_report.html`).href;
    const issues = [];
    for (const scheme of ["light", "dark"]) {
      for (const width of [390, 1280]) {
        const page = await visitor(browser, { scheme, width });
        for (const name of ["drift", "gate", "ab", "train"]) {
          await page.goto(report(name));
          for (const issue of await seriousIssues(page)) issues.push({ name, scheme, width, ...issue });
          const { over, wide } = await sticksOut(page);
          if (over > 0 || wide.length > 0) issues.push({ name, scheme, width, id: "too wide", over, wide });
        }
        await page.context().close();
      }
    }
    check(issues.length === 0, JSON.stringify(issues, null, 1));
    const shown = (page) => page.$$eval("#columns tbody tr", (rows) => rows.filter((r) => !r.hidden).map((r) => r.querySelector(".name").textContent));
    const [plain, page] = [await visitor(browser, { scripts: false }), await visitor(browser)];
    for (const each of [plain, page]) await each.goto(report("drift"));
    const all = await shown(plain);
    check(all.length === 9 && (await plain.locator("#columns input").count()) === 0, `without scripts: ${all}`);
    check(`${await shown(page)}` === `${all}`, `what drifted comes first: ${await shown(page)}`);
    await page.fill("input[type=search]", "HOME");
    check(`${await shown(page)}` === "km_from_home", `${await shown(page)}`);
    check((await text(page, "[role=status]")) === "1 of 9 columns", await text(page, "[role=status]"));
    await page.fill("input[type=search]", "");
    await page.selectOption("#columns select", "name");
    check(`${await shown(page)}` === `${[...all].sort()}`, `by name: ${await shown(page)}`);
    return [plain, page];
  },

  // No serious issue on any page, in light and dark; nothing sticks out on the smallest telephone nor on the widest screen.
  async accessible(browser) {
    const issues = [];
    const first = await person(browser, "ann");
    await go(first, "/ui/confirm?do=monitor");
    await confirmed(first);
    await go(first, "/ui/feedback");
    const row = await first.getAttribute("table.rows a", "href");
    const paths = { ...PAGES, row, job: "/ui/job?id=1", problem: "/ui/nothing", sign_in: "/ui/sign-in" };
    paths.what_if = "/ui/model?version=v0001&try=1";
    paths.beside = "/ui/model?version=v0002&beside=v0001";
    for (const scheme of ["light", "dark"]) {
      for (const width of scheme === "light" ? [360, 1280, 3840] : [390, 1280]) {
        const page = await person(browser, "ann", { scheme, width });
        for (const [name, path] of Object.entries(paths)) {
          await go(page, path);
          for (const issue of await seriousIssues(page)) issues.push({ page: name, scheme, width, ...issue });
          const { over, wide } = await sticksOut(page);
          if (over > 0 || wide.length > 0) issues.push({ page: name, scheme, width, id: "too wide", over, wide });
        }
        await page.context().close();
      }
    }
    // On paper the bars are there, and what is for the screen is not.
    await go(first, "/ui/drift");
    await first.emulateMedia({ media: "print" });
    const isGone = (selector) => first.$eval(selector, (found) => getComputedStyle(found).display === "none");
    if ((await isGone("svg .bar")) || !(await isGone("header.bar"))) issues.push({ page: "drift", id: "printed without bars" });
    check(issues.length === 0, JSON.stringify(issues, null, 1));
    return [];
  },
};

const name = process.argv[2];
const scenario = scenarios[name];
if (!scenario) throw new Error(`there is no scenario ${name}; ${Object.keys(scenarios).join(", ")} are known`);
await withBrowser(async (browser) => {
  const pages = await scenario(browser);
  for (const page of pages) check(page.wrongs.length === 0, page.wrongs.join("\n"));
});
console.log(JSON.stringify({ scenario: name, passed: true }));
