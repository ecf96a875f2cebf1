// Drives one browser. Commands come as lines of JSON on standard input, `{"id": 1, "do": "open", ...}`, and are answered in any
// order on standard output: `{"id": 1, "ok": ...}` or `{"id": 1, "error": "..."}`. What the page says goes out as `{"said": "..."}`.
// The program ends with its input, and takes the browser along.

import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { serve } from './files.mjs';
import { launch } from './launch.mjs';

// How long a page may take until there is what a person looks for, in milliseconds.
const PATIENCE = 20000;

let browser;
let page;
let base;

const commands = {
  // Starts the browser with the page of the tests in it.
  async open(given) {
    base ??= await serve(new URL('./page/', import.meta.url));
    browser = await launch(given);
    page = await browser.newPage();
    page.on('console', message => say(message.text()));
    page.on('pageerror', error => say(`error: ${error.message ?? error}`));
    await commands.visit({});
    return { version: await browser.version(), pid: browser.process()?.pid ?? null, origin: new URL(base).origin };
  },

  // Loads the page anew, or another address: what was in it is gone.
  async visit({ url }) {
    await page.goto(url ?? base, { waitUntil: 'load' });
    if (!url) await page.waitForFunction('window.rig !== undefined');
    return {};
  },

  // Calls an action of the page.
  act({ action, args }) {
    return page.evaluate((name, given) => window.rig(name, given), action, args ?? {});
  },

  // Evaluates an expression in whatever page is open.
  evaluate({ expression }) {
    return page.evaluate(expression);
  },

  // Clicks on what a selector finds, as a person does.
  async click({ selector }) {
    await page.locator(selector).setTimeout(PATIENCE).click();
    return {};
  },

  // Fills in a field.
  async fill({ selector, value }) {
    await page.locator(selector).setTimeout(PATIENCE).fill(value);
    return {};
  },

  async press({ key }) {
    await page.keyboard.press(key);
    return {};
  },

  async resize({ width, height }) {
    await page.setViewport({ width, height });
    return {};
  },

  async screenshot({ path }) {
    await page.screenshot({ path });
    return {};
  },

  // Keeps the pictures that the page could not read, as `PATH-1.png` and so on.
  async keep({ path }) {
    const damaged = await page.evaluate(() => window.rig?.('damaged', {}) ?? []);
    const files = damaged.map((url, n) => writeFile(`${path}-${n + 1}.png`, Buffer.from(url.split(',')[1], 'base64')));
    await Promise.all(files);
    return {};
  },

  async close() {
    await browser?.close();
    browser = undefined;
    return {};
  },
};

function say(said) {
  process.stdout.write(`${JSON.stringify({ said })}\n`);
}

async function answer(line) {
  const { id, do: name, ...given } = JSON.parse(line);
  let reply;
  try {
    if (!Object.hasOwn(commands, name)) throw new Error(`no command ${name}`);
    reply = { id, ok: (await commands[name](given)) ?? null };
  } catch (error) {
    reply = { id, error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

const lines = createInterface({ input: process.stdin });
lines.on('line', answer);
lines.on('close', async () => {
  await commands.close().catch(() => {});
  process.exit(0);
});
