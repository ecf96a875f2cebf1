import assert from "node:assert/strict";
import { test } from "node:test";

import { binaryCeiling, ceiling, pathOf, Series } from "../series.js";

test("a series keeps the last points", () => {
  const series = new Series(3);
  for (let at = 0; at < 5; at += 1) series.push(at, [at, undefined]);
  assert.deepEqual(
    series.points.map(({ at }) => at),
    [2, 3, 4],
  );
  assert.equal(series.max, 4);
  series.clear();
  assert.equal(series.max, 0);
});

test("scales end at round numbers that hold the largest value", () => {
  const ends = [0, 0.5, 1, 1.1, 2, 3, 7, 10, 999, 1001].map((max) => ceiling(max, 0.1));
  assert.deepEqual(ends, [0.1, 0.5, 1, 2, 2, 5, 10, 10, 1000, 2000]);
  assert.equal(ceiling(3, 100), 100);
  assert.equal(ceiling(Number.NaN, 1), 1);
  assert.deepEqual([0, 16, 17, 1000].map((max) => binaryCeiling(max, 16)), [16, 16, 32, 1024]);
});

test("the newest point is at the right edge, the largest at the upper one", () => {
  const points = [
    { at: 0, values: [0] },
    { at: 50, values: [10] },
    { at: 100, values: [5] },
  ];
  const { line, area } = pathOf(points, 0, { width: 100, height: 10, span: 100, top: 10, end: 100 });
  assert.equal(line, "M0.0 10.0L50.0 0.0L100.0 5.0");
  assert.equal(area, "M0.0 10.0L0.0 10.0L50.0 0.0L100.0 5.0L100.0 10.0Z");
});

test("what was not measured interrupts the line", () => {
  const points = [1, undefined, 2, 3].map((value, at) => ({ at, values: [value] }));
  const { line } = pathOf(points, 0, { width: 3, height: 3, span: 3, top: 3, end: 3 });
  assert.equal(line, "M0.0 2.0M2.0 1.0L3.0 0.0");
  assert.equal(pathOf([], 0, { width: 1, height: 1, span: 1, top: 1, end: 0 }).line, "");
});
