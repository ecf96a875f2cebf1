import assert from "node:assert/strict";
import { test } from "node:test";

import { rates } from "../rates.js";
import { isDrop } from "../reasons.js";

function look(at, changes = {}) {
  const state = {
    node: { pid: 1 },
    devices: [],
    publications: [],
    subscriptions: [],
    sessions: [],
    reasons: {},
    process: { resident_bytes: 1, threads: [] },
    ...changes,
  };
  return { at, state };
}

test("the first look and a look after a restart know no rates", () => {
  assert.equal(rates(look(1000), undefined), undefined);
  assert.equal(rates(look(2000, { node: { pid: 2 } }), look(1000)), undefined);
  assert.equal(rates(look(1000), look(1000)), undefined);
});

test("packets and drops are per second, and what merely passed is no drop", () => {
  const before = look(1000, { reasons: { sent: 100, ring_full: 5, stun: 0 } });
  const now = look(3000, { reasons: { sent: 300, opened: 20, ring_full: 9, stun: 50, a_new_one: 2 } });
  const told = rates(now, before);
  assert.equal(told.packetsOut, 100);
  assert.equal(told.packetsIn, 10);
  assert.equal(told.drops, 3);
  assert.equal(isDrop("stun"), false);
});

test("a session that left does not make the rate of the others smaller", () => {
  const session = (id, bytes, sent) => ({ id, bytes, subscriptions: [{ id: `${id}s`, bytes: sent }] });
  const before = look(0, { sessions: [session("1", 1000, 10), session("2", 9000, 20)] });
  const now = look(1000, { sessions: [session("1", 2000, 60), session("3", 500, 0)] });
  const told = rates(now, before);
  assert.equal(told.bitsIn, 12_000);
  assert.equal(told.bitsOut, 400);
});

test("CPU time is summed by the name of the thread", () => {
  const threads = (...all) => ({ process: { threads: all.map(([name, cpu_ns]) => ({ name, cpu_ns })) } });
  const before = look(0, { ...threads(["worker-0", 0], ["control", 5e8], ["control", 0]), reasons: { sent: 0 } });
  const now = look(1000, { ...threads(["worker-0", 1e8], ["control", 7e8], ["control", 1e8]), reasons: { sent: 1000 } });
  const told = rates(now, before);
  assert.deepEqual(
    told.threads.map(({ name, cpu }) => [name, Number(cpu.toFixed(6))]),
    [
      ["control", 0.3],
      ["worker-0", 0.1],
    ],
  );
  assert.ok(Math.abs(told.cpuPerPacket - 0.0004) < 1e-9);
  assert.ok(Math.abs(told.cpuOfWorkers - 0.1) < 1e-9);
});

test("CPU time per packet is not said of an idle node", () => {
  const before = look(0, { reasons: { sent: 0 } });
  assert.equal(rates(look(1000, { reasons: { sent: 10 } }), before).cpuPerPacket, undefined);
});
