import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange } from "../grid.js";

test("one fills the box, in its own shape", () => {
  assert.deepEqual(arrange(1, 1600, 900), { columns: 1, width: 1600, height: 900 });
  assert.equal(arrange(1, 360, 640).width, 360);
});

test("a phone stacks what a screen puts side by side", () => {
  assert.equal(arrange(2, 1280, 640).columns, 2);
  assert.equal(arrange(2, 360, 640).columns, 1);
  assert.equal(arrange(9, 1280, 720).columns, 3);
});

test("nothing sticks out of the box", () => {
  for (let count = 1; count <= 60; count += 1) {
    for (const [width, height] of [
      [360, 640],
      [1280, 600],
      [2560, 1300],
    ]) {
      const { columns, width: wide, height: tall } = arrange(count, width, height, 8);
      const rows = Math.ceil(count / columns);
      assert.ok(columns * wide + (columns - 1) * 8 <= width + 1e-6);
      assert.ok(rows * tall + (rows - 1) * 8 <= height + 1e-6);
      assert.ok(wide > 0);
    }
  }
});

test("a box without room gives a picture without size", () => {
  assert.equal(arrange(4, 10, 0, 8).width, 0);
});
