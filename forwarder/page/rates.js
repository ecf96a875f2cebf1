// What the node has done between two looks at its state (GET /v0/state).

import { isDrop } from "./reasons.js";

/**
 * `now` and `before` are `{ at, state }`, `at` in milliseconds. Gives rates per second, or `undefined` for the first look and
 * after a restart of the node. CPU time is in seconds per second, by thread and in all.
 */
export function rates(now, before) {
  if (before === undefined || now.state.node.pid !== before.state.node.pid) return undefined;
  const seconds = (now.at - before.at) / 1000;
  if (!(seconds > 0)) return undefined;
  const per = (difference) => Math.max(0, difference) / seconds;

  const reasons = {};
  for (const [label, count] of Object.entries(now.state.reasons)) {
    reasons[label] = per(count - (before.state.reasons[label] ?? 0));
  }
  const reason = (label) => reasons[label] ?? 0;
  const packetsIn = reason("taken") + reason("opened");
  const packetsOut = reason("sent");
  const threads = cpu(now.state, before.state).map((thread) => ({ ...thread, cpu: per(thread.ns) / 1e9 }));
  const total = threads.reduce((sum, thread) => sum + thread.cpu, 0);
  return {
    packetsIn,
    packetsOut,
    bitsIn: per(bytes(now.state, before.state, sources)) * 8,
    bitsOut: per(bytes(now.state, before.state, legs)) * 8,
    drops: Object.entries(reasons).reduce((sum, [label, value]) => sum + (isDrop(label) ? value : 0), 0),
    deviceDrops: per(deviceDrops(now.state) - deviceDrops(before.state)),
    reasons,
    threads,
    cpu: total,
    cpuOfWorkers: threads.reduce((sum, thread) => sum + (/worker/.test(thread.name) ? thread.cpu : 0), 0),
    // Of very few packets it would say what idling costs.
    cpuPerPacket: packetsIn + packetsOut > 50 ? total / (packetsIn + packetsOut) : undefined,
    resident: now.state.process?.resident_bytes,
  };
}

function sources(state) {
  return [...state.publications.map(keyed("publication")), ...state.sessions.map(keyed("session"))];
}

function legs(state) {
  const sealed = state.sessions.flatMap(({ subscriptions }) => subscriptions.map(keyed("leg")));
  const clear = state.subscriptions.flatMap(({ id, legs: held }) =>
    held.map((leg) => [`subscription ${id} ${leg.ssrc}`, leg.bytes]),
  );
  return [...sealed, ...clear];
}

const keyed = (kind) => (thing) => [`${kind} ${thing.id}`, thing.bytes];

/** By each thing on its own: one that has gone takes its count with it. */
function bytes(now, before, list) {
  const known = new Map(list(before));
  return list(now).reduce((sum, [key, value]) => sum + Math.max(0, value - (known.get(key) ?? 0)), 0);
}

/** Nanoseconds of CPU by name of thread: threads of one name are one. */
function cpu(now, before) {
  const sums = new Map();
  for (const { name, cpu_ns } of now.process?.threads ?? []) sums.set(name, (sums.get(name) ?? 0) + cpu_ns);
  for (const { name, cpu_ns } of before.process?.threads ?? []) {
    if (sums.has(name)) sums.set(name, sums.get(name) - cpu_ns);
  }
  const named = [...sums].map(([name, ns]) => ({ name, ns: Math.max(0, ns) }));
  return named.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

function deviceDrops(state) {
  return state.devices.reduce((sum, device) => sum + device.xmit_drops + device.xmit_errors, 0);
}
