import assert from "node:assert/strict";
import { test } from "node:test";

import { bits, bytes, percent, quantity, time } from "../format.js";

test("three digits and a prefix", () => {
  assert.equal(quantity(0), "0");
  assert.equal(quantity(7), "7");
  assert.equal(quantity(1.234), "1.23");
  assert.equal(bits(1_234_567), "1.23 Mbit/s");
  assert.equal(bits(999.6), "1.00 kbit/s");
  assert.equal(bits(12_345), "12.3 kbit/s");
  assert.equal(bytes(512), "512 B");
  assert.equal(bytes(3 * 1024 * 1024), "3 MiB");
});

test("no number is a dash", () => {
  for (const format of [bits, bytes, percent, time]) {
    assert.equal(format(undefined), "–");
    assert.equal(format(Number.NaN), "–");
  }
});

test("times take the unit that suits them", () => {
  assert.equal(time(0), "0 s");
  assert.equal(time(0.000_25), "250 µs");
  assert.equal(time(0.042), "42 ms");
  assert.equal(time(59), "59 s");
  assert.equal(time(60), "1 min");
  assert.equal(time(3725), "1 h 2 min");
  assert.equal(time(90_000), "1 d 1 h");
});

test("parts are percents", () => {
  assert.equal(percent(0), "0 %");
  assert.equal(percent(0.0123), "1.23 %");
  assert.equal(percent(1), "100 %");
});
