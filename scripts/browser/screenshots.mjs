// Every page, light and dark, on a telephone and on a desk: node screenshots.mjs FOLDER [report.html …]

import { mkdirSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { BASE, PAGES, person, sticksOut, visitor, withBrowser } from "./kit.mjs";

const [, , into, ...reports] = process.argv;
mkdirSync(into, { recursive: true });

await withBrowser(async (browser) => {
  for (const scheme of ["light", "dark"]) {
    for (const width of [390, 1280]) {
      const shoot = async (page, name) => {
        const path = `${into}/${name}-${scheme}-${width}.png`;
        await page.screenshot({ path, fullPage: true, animations: "disabled" });
        const { over, wide } = await sticksOut(page);
        if (over > 0 || wide.length > 0) console.log(`${path}: ${over} px too wide: ${wide.join("; ")}`);
      };
      if (BASE) {
        const page = await person(browser, "ann", { scheme, width });
        const more = { beside: "/ui/model?version=v0004&beside=v0001", "what-if": "/ui/model?try=1" };
        for (const [name, path] of Object.entries({ ...PAGES, ...more })) {
          const answer = await page.goto(BASE + path);
          if (!answer.ok()) console.log(`${path}: ${answer.status()}`);
          await shoot(page, name);
        }
        await page.goto(`${BASE}/ui/feedback`);
        const row = await page.$("table.rows a");
        if (row) {
          await Promise.all([page.waitForURL(/ui\/row/), row.click()]);
          await shoot(page, "row");
        }
        await page.goto(`${BASE}/ui/nothing`);
        await shoot(page, "problem");
        const anybody = await visitor(browser, { scheme, width });
        await anybody.goto(`${BASE}/ui/sign-in`);
        await shoot(anybody, "sign-in");
        await anybody.context().close();
        await page.context().close();
      }
      const page = await visitor(browser, { scheme, width });
      for (const report of reports) {
        await page.goto(pathToFileURL(resolve(report)).href);
        await shoot(page, basename(report, ".html"));
      }
      await page.context().close();
    }
  }
});
