// The tables of the operator's page, each from one look at the node and the rates since the one before.

import { bits, count, percent, rate, time } from "./format.js";
import { element } from "./notices.js";
import { isDrop, meaning } from "./reasons.js";

/** Rows at most: a page that shows thousands is read by nobody. */
const ROWS = 100;

const number = (text) => ({ text, className: "number" });
const soft = (text) => ({ text, className: "soft" });

export function drawReasons(state, told, all) {
  const rows = Object.entries(state.reasons)
    .filter(([label, total]) => all || (isDrop(label) && total > 0))
    .map(([label, total]) => ({ label, total, now: told?.reasons[label] ?? 0 }))
    .sort((one, other) => other.now - one.now || other.total - one.total)
    .map(({ label, total, now }) => [
      { text: label, className: now > 0 && isDrop(label) ? "bad" : "" },
      number(rate(now)),
      number(count(total)),
      { text: meaning(label), className: "soft long" },
    ]);
  table("reasons", ["Reason", "#Now", "#Since start", "What it is"], rows, "Nothing was dropped.");
}

export function drawThreads(state, told) {
  const sessions = new Map(state.workers.map(({ worker, sessions: held }) => [`worker-${worker}`, held]));
  const rows = (told?.threads ?? []).map(({ name, cpu }) => {
    const bar = element("meter", { min: 0, max: 1, high: 0.8, optimum: 0, value: Math.min(1, cpu) });
    bar.setAttribute("aria-label", `CPU of ${name}`);
    return [name, number(percent(cpu)), { node: bar }, number(sessions.has(name) ? count(sessions.get(name)) : "")];
  });
  table("threads", ["Thread", "#CPU", "Load", "#Sessions"], rows, "The second look at the node shows them.");
}

export function drawRooms(rooms, state) {
  if (rooms === undefined) return table("rooms", ["Room"], [], "This node tells of no rooms.");
  const rows = rooms.map((room) => {
    const held = state.sessions.filter((session) => session.room === room.id);
    const sum = (pick) => held.reduce((total, session) => total + pick(session).length, 0);
    return [
      room.id,
      number(count(held.length)),
      number(count(sum((session) => session.publications))),
      number(count(sum((session) => session.subscriptions))),
      room.locked ? "locked" : "open",
    ];
  });
  rows.sort((one, other) => Number(other[1].text.replaceAll(",", "")) - Number(one[1].text.replaceAll(",", "")));
  return table("rooms", ["Room", "#Sessions", "#Tracks", "#Subscriptions", "Door"], rows, "There is no room.");
}

export function drawDevices(state) {
  const rows = state.devices.map((device) => [
    device.name,
    soft(device.driver),
    number(count(device.xmit_sent)),
    { text: count(device.xmit_drops), className: `number ${device.xmit_drops > 0 ? "bad" : ""}` },
    { text: count(device.xmit_errors), className: `number ${device.xmit_errors > 0 ? "bad" : ""}` },
  ]);
  table("devices", ["Interface", "Driver", "#Sent", "#Not taken", "#Errors"], rows, "XDP runs on none.");
}

export function drawSessions(state, before, seconds, filter) {
  const known = new Map((before?.sessions ?? []).map((session) => [session.id, session]));
  const sent = (session) => session.subscriptions.reduce((sum, { bytes }) => sum + bytes, 0);
  const all = state.sessions
    .map((session) => {
      const then = known.get(session.id);
      const per = (pick) => (then === undefined ? undefined : (Math.max(0, pick(session) - pick(then)) * 8) / seconds);
      return { session, received: per(({ bytes }) => bytes), sent: per(sent) };
    })
    .filter(({ session }) => matches(session, filter));
  const busy = ({ received, sent: out }) => (received ?? 0) + (out ?? 0);
  const rows = busiest(all, busy).map(({ session, received, sent: out }) => {
    const trips = session.subscriptions.map(({ rtt_us }) => rtt_us).filter(Number.isFinite);
    const lost = session.subscriptions.reduce((sum, subscription) => sum + Math.max(0, subscription.lost ?? 0), 0);
    return [
      { text: session.name ?? session.id, title: session.id },
      session.room ?? "",
      session.state,
      { text: session.path ?? "–", title: session.why ?? "" },
      soft(session.suite ?? "–"),
      soft(session.pair ? `${session.pair.protocol} ${session.pair.remote}` : "–"),
      number(bits(received)),
      number(bits(out)),
      number(`${session.publications.length} / ${session.subscriptions.length}`),
      number(trips.length > 0 ? time(Math.max(...trips) / 1e6) : "–"),
      number(count(lost)),
      number(time(session.age_ms / 1000)),
    ];
  });
  const heads = ["Name", "Room", "State", "Path", "Suite", "Peer", "#From it", "#To it", "#Sends / gets", "#Round trip", "#Lost", "#Age"];
  table("sessions", heads, rows, filter ? "No session fits." : "Nobody is connected.", all.length);
}

export function drawTracks(state, before, seconds) {
  const known = new Map();
  for (const session of before?.sessions ?? []) for (const held of session.publications) known.set(held.id, held);
  const all = state.sessions.flatMap((session) =>
    session.publications.map((publication) => {
      const then = known.get(publication.id);
      const per = (field) => (then === undefined ? undefined : Math.max(0, publication[field] - then[field]) / seconds);
      return { session, publication, packets: per("packets"), bytes: per("bytes") };
    }),
  );
  const rows = busiest(all, ({ publication, bytes }) => (bytes ?? 0) * (1 + publication.subscribers)).map(({ session, publication, packets, bytes }) => [
    { text: session.name ?? session.id, title: session.id },
    session.room ?? "",
    publication.kind,
    soft([...new Set(publication.codecs.map(({ name }) => name))].join(" ")),
    number(rate(packets)),
    number(bits(bytes === undefined ? undefined : bytes * 8)),
    number(count(publication.subscribers)),
    number(count(publication.keyframes)),
    number(count(publication.keyframe_requests)),
  ]);
  const heads = ["From", "Room", "Kind", "Codecs", "#Packets", "#Bitrate", "#Subscribers", "#Keyframes", "#Asked for"];
  table("tracks", heads, rows, "Nobody sends anything.", all.length);
}

/** The busiest ones, in the order in which they came: rows that change places each second cannot be read. */
function busiest(all, busy) {
  if (all.length <= ROWS) return all;
  const least = all.map(busy).sort((one, other) => other - one)[ROWS - 1];
  return all.filter((one) => busy(one) >= least);
}

function matches(session, filter) {
  const words = [session.id, session.name, session.room, session.state, session.path, session.suite, session.pair?.remote];
  return words.join(" ").toLowerCase().includes(filter.toLowerCase());
}

/** Fills a table; heads that begin with `#` are of numbers. */
function table(id, heads, rows, empty, of = rows.length) {
  const place = document.getElementById(id);
  const cells = heads.map((head) => {
    const cell = element("th", { scope: "col", textContent: head.replace("#", "") });
    if (head.startsWith("#")) cell.className = "number";
    return cell;
  });
  const lines = rows.slice(0, ROWS).map((row) => element("tr", {}, ...row.map(cellOf)));
  if (lines.length === 0) {
    const cell = element("td", { colSpan: heads.length, textContent: empty });
    lines.push(element("tr", { className: "empty" }, cell));
  }
  place.replaceChildren(element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...lines));
  const shown = Math.min(rows.length, ROWS);
  const title = place.closest(".card").querySelector("h2");
  const note = shown < of ? ` ${count(shown)} of ${count(of)}` : shown > 0 && id !== "reasons" ? ` ${count(shown)}` : "";
  title.querySelector("small")?.remove();
  title.append(element("small", { textContent: note }));
}

function cellOf(told) {
  const { text, node, className = "", title = "" } = typeof told === "object" ? told : { text: told };
  return element("td", { className, title }, node ?? text ?? "");
}
