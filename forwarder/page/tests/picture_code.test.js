import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, decode, drawCode, encode, readPicture, ROWS } from "../picture_code.js";

test("source and frame are read back", () => {
  for (const [source, frame] of [
    [0, 0],
    [7, 1234],
    [4095, (1 << 20) - 1],
  ]) {
    assert.deepEqual(decode(encode(source, frame)), { source, frame });
  }
  assert.equal(decode(encode(1, 1 << 20)).frame, 0);
});

test("any one cell that is wrong is seen", () => {
  const cells = encode(7, 1234);
  for (let at = 0; at < cells.length; at += 1) {
    const wrong = cells.slice();
    wrong[at] = !cells[at];
    assert.equal(decode(wrong), undefined, `cell ${at}`);
  }
  assert.equal(decode([]), undefined);
  assert.equal(decode(new Array(COLUMNS * ROWS).fill(false)), undefined);
});

/** A 2D context that keeps brightness alone. */
function canvas(width, height) {
  const data = new Uint8ClampedArray(width * height * 4).fill(128);
  const context = {
    fillStyle: "",
    fillRect(left, top, wide, tall) {
      const value = this.fillStyle === "#fff" ? 235 : 16;
      for (let y = Math.round(top); y < Math.round(top + tall); y += 1) {
        for (let x = Math.round(left); x < Math.round(left + wide); x += 1) data.fill(value, (y * width + x) * 4, (y * width + x) * 4 + 3);
      }
    },
  };
  return { context, image: { width, height, data } };
}

test("a picture of any size is read, and one without a code is not", () => {
  for (const [width, height] of [
    [640, 360],
    [320, 180],
    [160, 90],
  ]) {
    const { context, image } = canvas(width, height);
    assert.equal(readPicture(image), undefined);
    drawCode(context, width, height, 42, 99_999);
    assert.deepEqual(readPicture(image), { source: 42, frame: 99_999 }, `${width}x${height}`);
  }
});
