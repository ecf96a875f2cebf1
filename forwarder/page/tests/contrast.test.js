import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

/** Text and what it stands on (WCAG 2.2, 1.4.3: 4.5), in both schemes. */
const PAIRS = [
  ["text", "ground"],
  ["text", "surface"],
  ["text", "raised"],
  ["text", "warn-soft"],
  ["text", "danger-soft"],
  ["text", "accent-soft"],
  ["soft", "ground"],
  ["soft", "surface"],
  ["soft", "accent-soft"],
  ["on-accent", "accent"],
  ["on-danger", "danger"],
  ["accent", "accent-soft"],
  ["accent", "ground"],
  ["accent", "warn-soft"],
  ["danger", "surface"],
  ["danger", "danger-soft"],
  ["warn", "warn-soft"],
];
/** Lines and frames (1.4.11: 3). */
const LINES = [
  ["series-1", "surface"],
  ["series-2", "surface"],
  ["series-2", "ground"],
  ["soft", "surface"],
];

const css = await readFile(new URL("../base.css", import.meta.url), "utf8");
const [light, dark] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) =>
  Object.fromEntries([...body.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value])),
);

function brightness(colour) {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(one, other) {
  const [dim, bright] = [brightness(one), brightness(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

for (const [scheme, colours] of Object.entries({ light, dark })) {
  test(`text can be read in the ${scheme} scheme`, () => {
    for (const [text, ground] of PAIRS) {
      const value = contrast(colours[text], colours[ground]);
      assert.ok(value >= 4.5, `${text} on ${ground}: ${value.toFixed(2)}`);
    }
    for (const [line, ground] of LINES) {
      const value = contrast(colours[line], colours[ground]);
      assert.ok(value >= 3, `${line} on ${ground}: ${value.toFixed(2)}`);
    }
  });
}
