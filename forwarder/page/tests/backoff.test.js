import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff, sleep } from "../backoff.js";

test("waits grow twofold up to the most, and start anew after a success", () => {
  const backoff = new Backoff({ first: 100, most: 1000, random: () => 1 });
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test("half of a wait is chance", () => {
  const least = new Backoff({ first: 100, random: () => 0 });
  assert.equal(least.next(), 50);
});

test("a wait stays finite after very many tries", () => {
  const backoff = new Backoff({ first: 1, most: 10, random: () => 1 });
  for (let tries = 0; tries < 5000; tries += 1) assert.ok(backoff.next() <= 10);
});

test("a wait ends with an error when it is aborted", async () => {
  const abort = new AbortController();
  const waiting = sleep(60_000, abort.signal);
  abort.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(sleep(60_000, abort.signal), /gone/);
});
