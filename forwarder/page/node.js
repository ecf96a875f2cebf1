// The operator's page: looks at the node once a second, and shows what it did in between.

import { Api, Problem } from "./api.js";
import { Chart } from "./chart.js";
import { bits, bytes, count, percent, rate, time } from "./format.js";
import { drawDevices, drawReasons, drawRooms, drawSessions, drawThreads, drawTracks } from "./node_tables.js";
import { dismiss, element, notice } from "./notices.js";
import { rates } from "./rates.js";
import { binaryCeiling } from "./series.js";
import { listen } from "./shortcuts.js";

const byId = (id) => document.getElementById(id);
const INTERVAL = 1000;
/** The node is asked for at most this part of the time that it takes to answer: a large one is not slowed down by being watched. */
const SHARE = 0.1;
const KEY = "forwarder.admin-key";

const charts = {
  packets: chart("packets", "Packets", ["in", "out"], rate, 100),
  bits: chart("bits", "Media", ["in", "out"], bits, 1e5),
  drops: chart("drops", "Drops", ["all reasons"], rate, 1),
  members: chart("members", "Sessions and subscriptions", ["sessions", "subscriptions"], count, 10),
  cpu: chart("cpu", "CPU", ["workers", "control"], percent, 0.1),
  perPacket: chart("per-packet", "CPU per packet", ["process"], time, 1e-6),
  memory: chart("memory", "Memory", ["in use"], bytes, 2 ** 24, binaryCeiling),
  device: chart("device", "Frames not taken", ["all interfaces"], rate, 1),
};

let api = new Api(storedKey());
let before;
let last;
let hasRooms = true;
let paused = false;
let timer;
/** Which look is the present one: an answer to an older one, from before a pause, is not used any more. */
let turn = 0;

function chart(id, title, names, format, least, end) {
  return new Chart(byId("charts"), { id, title, names, format, least, end });
}

async function look() {
  clearTimeout(timer);
  turn += 1;
  if (paused || document.hidden) return;
  const mine = turn;
  const started = performance.now();
  try {
    const [state, rooms] = await Promise.all([api.ask("GET", "/v0/state"), askRooms()]);
    if (mine !== turn) return;
    const now = { at: Date.now(), state };
    last = { now, before, rooms, told: rates(now, before) };
    before = now;
    show(now.at, last);
    live("Live", "good");
    dismiss("node");
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
      askKey(error);
      return;
    }
    live("Not reachable", "bad");
    const text = error instanceof Problem ? error.message : "The node does not answer. Trying again.";
    notice("node", text, "bad");
  }
  const took = performance.now() - started;
  timer = setTimeout(() => void look(), Math.max(INTERVAL - took, took / SHARE - took, 0));
}

/** A node without rooms in its API says that there is no such path, and is not asked again. */
async function askRooms() {
  if (!hasRooms) return undefined;
  try {
    const list = await api.ask("GET", "/v0/rooms");
    return Array.isArray(list) ? list : list.rooms;
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
    hasRooms = false;
    return undefined;
  }
}

function show(at, { now: { state }, told }) {
  const subscriptions =
    state.subscriptions.length + state.sessions.reduce((sum, { subscriptions: held }) => sum + held.length, 0);
  charts.packets.push(at, [told?.packetsIn, told?.packetsOut]);
  charts.bits.push(at, [told?.bitsIn, told?.bitsOut]);
  charts.drops.push(at, [told?.drops]);
  charts.members.push(at, [state.sessions.length, subscriptions]);
  charts.cpu.push(at, [told?.cpuOfWorkers, told === undefined ? undefined : told.cpu - told.cpuOfWorkers]);
  charts.perPacket.push(at, [told?.cpuPerPacket]);
  charts.memory.push(at, [state.process?.resident_bytes]);
  charts.device.push(at, [told?.deviceDrops]);
  byId("uptime").textContent = `up ${time(state.node.uptime_ms / 1000)}`;
  drawFacts(state);
  drawTables();
}

function drawFacts({ node, endpoints, lost_notes, stray_datagrams }) {
  const facts = [
    ["Path", node.why ? `${node.path} (${node.why})` : node.path],
    ["Interfaces", node.interfaces.join(", ") || "none"],
    ["Version", node.version],
    ["Process", String(node.pid)],
    ["Endpoints", count(endpoints.length)],
    ["Stray datagrams", count(stray_datagrams)],
    ["Lost notes", count(lost_notes)],
  ];
  const rows = facts.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value })));
  byId("facts").replaceChildren(...rows);
}

function drawTables() {
  if (last === undefined) return;
  const { now, before: then, rooms, told } = last;
  const seconds = then === undefined ? 1 : (now.at - then.at) / 1000;
  drawReasons(now.state, told, byId("all-reasons").checked);
  drawThreads(now.state, told);
  drawRooms(rooms, now.state);
  drawDevices(now.state);
  drawSessions(now.state, then?.state, seconds, byId("filter").value);
  drawTracks(now.state, then?.state, seconds);
}

function live(text, level) {
  const chip = byId("live");
  // A screen reader would say it again each second.
  if (chip.textContent !== text) chip.textContent = text;
  chip.dataset.level = level;
  document.body.dataset.state = { good: "live", warn: "paused", bad: "unreachable" }[level];
}

function askKey(problem) {
  document.body.dataset.state = "key";
  live("Key needed", "warn");
  document.body.dataset.state = "key";
  if (storedKey() !== "") notice("node", `The key was refused: ${problem.message}`, "bad");
  const dialog = byId("key-dialog");
  if (!dialog.open) dialog.showModal();
}

function storedKey() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function pause() {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  byId("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) {
    live("Paused", "warn");
    void look();
  } else resume();
}

/** What was not looked at is a gap, not a rate. */
function resume() {
  before = undefined;
  void look();
}

byId("key-form").addEventListener("submit", () => {
  const key = byId("key").value.trim();
  byId("key").value = "";
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // Storage is turned off; the key is asked for again with the next visit.
  }
  dismiss("node");
  api = new Api(key);
  resume();
});
byId("pause").addEventListener("click", pause);
byId("all-reasons").addEventListener("change", drawTables);
byId("filter").addEventListener("input", drawTables);
document.addEventListener("visibilitychange", () => (document.hidden ? void look() : !paused && resume()));
listen({ p: pause });
void look();
