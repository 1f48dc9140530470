// A browser, people in it, and what every scenario asks of a page.

import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.MLLOOP_BROWSER}/package.json`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const BASE = process.env.BASE;
const TOKEN = process.env.TOKEN;

/** The pages that somebody may open, by name. */
export const PAGES = {
  overview: "/ui",
  drift: "/ui/drift",
  column: "/ui/drift?column=amount",
  decide: "/ui/decide",
  confirm: "/ui/confirm?do=retrain",
  label: "/ui/label",
  settle: "/ui/settle",
  feedback: "/ui/feedback",
  experiment: "/ui/experiment",
  models: "/ui/models",
  model: "/ui/model",
  audit: "/ui/audit",
  jobs: "/ui/job",
};

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The program that is the browser. */
function program() {
  if (process.env.MLLOOP_CHROMIUM) return process.env.MLLOOP_CHROMIUM;
  return execSync("command -v chromium || command -v chromium-browser || command -v google-chrome").toString().trim();
}

/** Starts the browser, hands it to `work`, and closes it however that ends. */
export async function withBrowser(work) {
  const browser = await chromium.launch({ executablePath: program(), headless: true, args: FLAGS });
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}

/** A window of its own: cookies, scheme and width are no other's. What the page must not do ends the scenario. */
export async function visitor(browser, { scheme = "light", width = 1280, scripts = true } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    javaScriptEnabled: scripts,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.wrongs = [];
  page.on("pageerror", (error) => page.wrongs.push(`script: ${error}`));
  page.on("dialog", async (dialog) => {
    page.wrongs.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) page.wrongs.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(BASE) && !url.startsWith("data:") && !url.startsWith("file:")) {
      page.wrongs.push(`asked for ${url}`);
    }
  });
  return page;
}

/** Signs somebody in. */
export async function signIn(page, name, token = TOKEN) {
  await page.goto(`${BASE}/ui/sign-in`);
  await page.fill("input[name=name]", name);
  await page.fill("input[name=token]", token);
  await Promise.all([page.waitForURL(`${BASE}/ui`), page.click("button.main")]);
  return page;
}

/** A window of somebody who is signed in. */
export async function person(browser, name, options = {}) {
  return signIn(await visitor(browser, options), name);
}

/** Waits until the job on the page has ended, and says how. */
export async function ended(page) {
  await page.waitForSelector('#job-state[data-running="false"]', { timeout: 180000 });
  return (await page.textContent("#job-state")).trim();
}

/** Says yes on the page that asks once more, and follows a job to its end. */
export async function confirmed(page, reason) {
  if (reason !== undefined) await page.fill("input[name=reason]", reason);
  await Promise.all([page.waitForLoadState("load"), page.click("main button.main")]);
  await page.waitForLoadState("load");
  return page.url().includes("/ui/job") ? ended(page) : "followed";
}

/** What axe-core calls serious or worse on the page. */
export async function seriousIssues(page) {
  // The policy of the page forbids scripts of others; the inspector's way in does not pass it.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(
      found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
        .map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map((n) => n.target.join(" ") + ": " + n.failureSummary) }))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return JSON.parse(result.value);
}

/** By how many pixels the page is wider than the window, and what sticks out. */
export async function sticksOut(page) {
  return page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    const inScroller = (element) => element.closest(".wrap, pre, .sr, .skip, nav ul");
    const wide = [...document.querySelectorAll("main *, header *")]
      .filter((element) => !inScroller(element) && element.getBoundingClientRect().right > room + 1)
      .map((element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}: ${(element.textContent ?? "").trim().slice(0, 40)}`);
    return { over: document.documentElement.scrollWidth - room, wide: wide.slice(0, 6) };
  });
}

/** Ends the scenario unless it holds. */
export function check(holds, what) {
  if (!holds) throw new Error(what);
}
