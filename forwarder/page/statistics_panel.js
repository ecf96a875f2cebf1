// The statistics of a call, as a panel that is anew each second while it is open.

import { bits, count, percent, time } from "./format.js";
import { element } from "./notices.js";
import { summarise } from "./statistics.js";

export class StatisticsPanel {
  #panel = document.getElementById("statistics");
  #button = document.getElementById("statistics-open");
  #call;
  #timer;
  #before;

  constructor() {
    document.getElementById("statistics-close").addEventListener("click", () => this.toggle(false));
    this.#panel.addEventListener("keydown", ({ key }) => key === "Escape" && this.toggle(false));
    this.#button.addEventListener("click", () => this.toggle());
  }

  /** Whose statistics; nobody's without a call. */
  set call(call) {
    this.#call = call;
    this.#before = undefined;
    if (call === undefined) this.toggle(false);
  }

  toggle(open = this.#panel.hidden) {
    const inside = this.#panel.contains(document.activeElement);
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (!open && inside) this.#button.focus();
    clearInterval(this.#timer);
    if (!open) return;
    this.#timer = setInterval(() => void this.#refresh(), 1000);
    void this.#refresh();
  }

  async #refresh() {
    const { connection } = this.#call ?? {};
    if (connection === undefined) return;
    const [report, session] = await Promise.all([
      connection.getStats(),
      Promise.resolve(this.#call.look()).catch(() => undefined),
    ]);
    const told = summarise(report, this.#before);
    this.#before = report;
    document.getElementById("statistics-session").replaceChildren(...sessionFacts(told.transport, session, connection));
    const remote = this.#call.remoteTracks();
    // Firefox does not say on which m-line a stream comes.
    const of = ({ mid, track }) => remote.find((held) => (mid === undefined ? held.track.id === track : held.mid === mid));
    const rank = ({ direction, kind }) => `${direction === "out" ? 0 : 1} ${kind}`;
    const streams = told.streams.filter((stream) => stream.direction === "out" || of(stream));
    streams.sort((one, other) => rank(one).localeCompare(rank(other)));
    document
      .getElementById("statistics-streams")
      .replaceChildren(...streams.map((stream) => this.#article(stream, stream.direction === "in" ? of(stream) : undefined)));
  }

  #article(stream, remote) {
    const person = this.#call.people.sessions.get(remote?.session)?.name;
    const thing = stream.kind === "audio" ? "sound" : this.#call.slotOf(stream.mid) === "screen" && !remote ? "screen" : "picture";
    const title = stream.direction === "out" ? `Your ${thing}` : `${person ?? "Someone"}: ${thing}`;
    const article = element("article", {}, element("h3", {}, title, element("small", { textContent: stream.codec ?? "" })));
    article.dataset.direction = stream.direction;
    article.dataset.kind = stream.kind;
    if (remote !== undefined) {
      article.dataset.session = remote.session;
      article.dataset.publication = remote.publication;
    }
    article.append(element("dl", { className: "facts" }, ...streamFacts(stream)));
    return article;
  }
}

function streamFacts(stream) {
  const facts = [
    fact("bitrate", "Bitrate", bits(stream.bitrate)),
    fact("loss", "Loss", percent(stream.loss)),
    fact("jitter", "Jitter", time(stream.jitter)),
  ];
  if (stream.direction === "out") facts.push(fact("rtt", "Round trip", time(stream.rtt)));
  else facts.push(fact("buffer", "Buffer", time(stream.buffer)));
  if (stream.kind === "video") {
    const size = stream.width ? `${stream.width} × ${stream.height}` : "–";
    facts.push(fact("size", "Picture", size), fact("fps", "Pictures/s", count(stream.fps)));
    if (stream.direction === "in") {
      facts.push(fact("freezes", "Freezes", count(stream.freezes)), fact("frozen", "Frozen for", time(stream.frozen)));
    } else if (stream.limited !== undefined) {
      facts.push(fact("limited", "Limited by", stream.limited));
    }
  } else if (stream.direction === "in") {
    facts.push(fact("concealed", "Concealed", percent(stream.concealed)));
  }
  return facts;
}

function sessionFacts(transport, session, connection) {
  const path = session?.path ? `${session.path}${session.why ? ` (${session.why})` : ""}` : "–";
  const pair = session?.pair ? `${session.pair.protocol} ${session.pair.remote}` : "–";
  return [
    fact("connection", "State", connection.connectionState),
    fact("rtt", "Round trip", time(transport.rtt)),
    fact("sent", "Sent", bits(transport.sent)),
    fact("received", "Received", bits(transport.received)),
    fact("path", "Path", path, true),
    fact("suite", "Suite", session?.suite ?? transport.suite ?? "–", true),
    fact("pair", "Your address", pair, true),
  ];
}

/** One value; `data-fact` is for scripts. */
function fact(name, label, value, whole = false) {
  const made = element("div", {}, element("dt", { textContent: label }), element("dd", { textContent: value }));
  made.dataset.fact = name;
  if (whole) made.className = "whole";
  return made;
}
