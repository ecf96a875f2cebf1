// One person's part in a room: a session of the forwarder, its connection, and the way back when either is lost.

import { Api, part, Problem } from "./api.js";
import { Backoff, sleep } from "./backoff.js";
import { follow } from "./events.js";
import { readMsids } from "./msids.js";
import { Negotiation } from "./negotiation.js";
import { People } from "./people.js";

/** Milliseconds that a connection may be silent before its ways are looked for anew. */
const PATIENCE = 2_000;
/** Milliseconds of connection after which the next trouble is a new one. */
const STEADY = 10_000;
/** What can be sent: sound, a picture, and a screen beside it. */
export const SLOTS = { sound: "audio", picture: "video", screen: "video" };

/**
 * Events: `state` (detail: state, reason), `people` (detail: changes), `tracks`, `problem` (detail: error).
 * States: `joining`, `joined`, `reconnecting`, `left`, `refused`.
 */
export class Call extends EventTarget {
  #room;
  #name;
  #token;
  #iceServers;
  #tracks = new Map();
  #transceivers = new Map();
  #stream = new MediaStream();
  #over = new AbortController();
  #attempt = new AbortController();
  #api = new Api();
  #negotiation;
  #paused = [];
  // For a new session, and for what one session tries again.
  #joins = new Backoff();
  #tries = new Backoff({ most: 5_000 });
  #later;

  connection;
  session;
  people = new People();
  state = "joining";

  constructor({ room, name, token, iceServers }) {
    super();
    this.#room = room;
    this.#name = name;
    this.#token = token;
    this.#iceServers = iceServers;
  }

  /** Joins, and comes back as often as it takes, until `leave` or a refusal. */
  async run() {
    window.addEventListener("pagehide", () => this.#bye(true), { signal: this.#over.signal });
    while (!this.#over.signal.aborted) {
      this.#attempt = new AbortController();
      const lost = new Promise((resolve) => this.#attempt.signal.addEventListener("abort", resolve, { once: true }));
      this.#connect();
      await lost;
      this.#disconnect();
      const reason = this.#attempt.signal.reason;
      if (this.#over.signal.aborted) return;
      if (reason instanceof Problem && !reason.passes && this.session === undefined) return this.#end("refused", reason);
      if (reason instanceof Removed) return this.#end("refused", reason);
      this.session = undefined;
      this.#set(this.state === "joining" ? "joining" : "reconnecting", reason);
      await sleep(this.#joins.next(), this.#over.signal).catch(() => undefined);
    }
  }

  /** Goes on with a new token of the same holder: the key of the session ends with the token that made it. */
  renew(token) {
    this.#token = token;
    this.#api.renew(token);
  }

  /** Leaves for good. */
  leave() {
    if (this.#over.signal.aborted) return;
    this.#bye(false);
    this.#end("left");
    this.#attempt.abort(new Error("left"));
  }

  /** Sends `track` in a slot, or nothing. */
  async send(slot, track) {
    if (track === undefined) this.#tracks.delete(slot);
    else this.#tracks.set(slot, track);
    if (this.connection === undefined) return;
    const { connection } = this;
    const transceiver = this.#transceivers.get(slot);
    if (transceiver === undefined) {
      if (track === undefined) return;
      this.#add(slot, track);
      this.#negotiation.want();
      return;
    }
    await transceiver.sender.replaceTrack(track ?? null);
    if (connection !== this.connection) return;
    // Who sends nothing says so: the publication ends, instead of standing still.
    const direction = track === undefined ? "recvonly" : "sendrecv";
    if (transceiver.direction === direction) return;
    transceiver.direction = direction;
    this.#negotiation.want();
  }

  /** What comes: `{ mid, kind, track, session, publication }` of each m-line that the forwarder sends. */
  remoteTracks() {
    const description = this.connection?.currentRemoteDescription;
    if (!description) return [];
    const msids = readMsids(description.sdp);
    return this.connection
      .getTransceivers()
      .filter(({ mid, currentDirection }) => msids.has(mid) && /^(sendrecv|recvonly)$/.test(currentDirection))
      .map(({ mid, receiver }) => ({ mid, kind: receiver.track.kind, track: receiver.track, ...msids.get(mid) }));
  }

  /** Wants everything but these publications, which are subscribed to, and not sent for now. */
  pause(publications) {
    const paused = [...publications].sort();
    if (this.session === undefined || paused.join() === this.#paused.join()) return;
    this.#paused = paused;
    const body = { publications: "all", paused };
    this.#api
      .ask("PUT", `/v0/sessions/${part(this.session)}/wishes`, { body, signal: this.#attempt.signal })
      .catch((error) => this.#tellOf(error));
  }

  /** Which slot an m-line sends. */
  slotOf(mid) {
    return [...this.#transceivers].find(([, transceiver]) => transceiver.mid === mid)?.[0];
  }

  /** The forwarder's own view of the session. */
  look() {
    return this.session && this.#api.ask("GET", `/v0/sessions/${part(this.session)}`);
  }

  #connect() {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers: this.#iceServers });
    this.connection = connection;
    this.#transceivers.clear();
    this.#negotiation = new Negotiation(connection, this.#signalling(), {
      onApplied: () => this.dispatchEvent(new Event("tracks")),
      onFailed: (error) => this.#failed(error),
    });
    connection.addEventListener("connectionstatechange", () => this.#watch());
    for (const slot of ["sound", "picture"]) this.#add(slot, this.#tracks.get(slot));
    if (this.#tracks.has("screen")) this.#add("screen", this.#tracks.get("screen"));
  }

  #add(slot, track) {
    // An m-line that sends nothing of ours is there for what comes.
    const direction = track === undefined ? "recvonly" : "sendrecv";
    const streams = track === undefined ? [] : [this.#stream];
    this.#transceivers.set(slot, this.connection.addTransceiver(track ?? SLOTS[slot], { direction, streams }));
  }

  #disconnect() {
    clearTimeout(this.#later);
    this.connection?.close();
    this.connection = undefined;
    this.dispatchEvent(new Event("tracks"));
  }

  #signalling() {
    const { signal } = this.#attempt;
    const path = (rest) => `/v0/sessions/${part(this.session)}/${rest}`;
    return {
      offer: async (sdp) => {
        if (this.session === undefined) return this.#join(sdp, signal);
        const answer = await this.#api.ask("POST", path("offer"), { body: { sdp }, signal });
        return answer.sdp;
      },
      answer: (sdp, version) => this.#api.ask("PUT", path("answer"), { body: { sdp, version }, signal }),
      outstanding: () => this.#api.ask("GET", path("offer"), { signal }),
    };
  }

  async #join(offer, signal) {
    const body = { room: this.#room, name: this.#name, offer };
    const token = this.#token;
    const made = await new Api(token).ask("POST", "/v0/sessions", { body, signal });
    this.session = String(made.id);
    // What the session may do, its own key may.
    // It ends with the token that made it: a newer one stays.
    this.#api = new Api(this.#token === token ? (made.key ?? token) : this.#token);
    this.people = new People(this.session);
    this.#paused = [];
    this.#follow(signal);
    return made.answer;
  }

  async #follow(signal) {
    const refusal = await follow(this.#api, `/v0/sessions/${part(this.session)}/events`, {
      signal,
      backoff: new Backoff({ most: 5_000 }),
      onEvent: (event) => this.#hear(event),
      onOpen: () => this.#catchUp(),
    });
    if (refusal !== undefined) this.#attempt.abort(refusal);
  }

  #catchUp() {
    this.#negotiation.look();
    void this.#readRoom();
  }

  #hear({ type, data }) {
    if (type === "offer") {
      this.#negotiation.hear(data);
    } else if (type === "reset") {
      // The stream was broken for longer than the forwarder remembers.
      this.#catchUp();
    } else if (type === "room.closed") {
      this.#attempt.abort(new Removed("The room was closed."));
    } else if (type === "session.closed" && String(data.session) === this.session) {
      // Whoever has the right to asked for it; all other reasons are trouble, and trouble passes.
      this.#attempt.abort(data.reason === "asked" ? new Removed("You were removed from the room.") : new Error("The session has ended."));
    } else {
      const changes = this.people.apply(type, data);
      if (changes === undefined) void this.#readRoom();
      else this.#tell(changes);
    }
  }

  async #readRoom() {
    const { signal } = this.#attempt;
    try {
      const room = await this.#api.ask("GET", `/v0/rooms/${part(this.#room)}`, { signal });
      this.#tell(this.people.replace(room));
    } catch (error) {
      this.#tellOf(error);
    }
  }

  #tellOf(error) {
    if (!this.#attempt.signal.aborted) this.dispatchEvent(new CustomEvent("problem", { detail: error }));
  }

  #tell(changes) {
    if (changes.length > 0) this.dispatchEvent(new CustomEvent("people", { detail: changes }));
  }

  #failed(error) {
    const { signal } = this.#attempt;
    if (signal.aborted) return;
    console.warn("a negotiation did not come about:", error);
    const gone = error instanceof Problem && [401, 403, 404, 410].includes(error.status);
    // A description that the browser does not take leaves the two sides at odds: only a new session is sure to help.
    const atOdds = error instanceof DOMException;
    if (this.session === undefined || gone || atOdds) {
      this.#attempt.abort(error);
      return;
    }
    if (error instanceof Problem && !error.passes) this.#tellOf(error);
    else sleep(this.#tries.next(), signal).then(() => this.#negotiation.want(), () => undefined);
  }

  #watch() {
    const { connectionState } = this.connection;
    if (connectionState === "connected") {
      clearTimeout(this.#later);
      this.#tries.reset();
      this.#later = setTimeout(() => this.#joins.reset(), STEADY);
      this.#set("joined");
    } else if (connectionState === "failed" || connectionState === "disconnected") {
      // `disconnected` often passes by itself.
      this.#restartIn(connectionState === "failed" ? 0 : PATIENCE);
    }
  }

  /** ICE restart, again and again until there is a connection; a session that is gone meanwhile answers 404. */
  #restartIn(milliseconds) {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => {
      if (this.connection?.connectionState === "connected") return;
      this.#set("reconnecting");
      this.connection?.restartIce();
      this.#negotiation.want();
      this.#restartIn(PATIENCE + this.#tries.next());
    }, milliseconds);
  }

  #bye(keepalive) {
    if (this.session === undefined) return;
    this.#api.request("DELETE", `/v0/sessions/${part(this.session)}`, { keepalive }).catch(() => undefined);
  }

  #end(state, reason) {
    this.#over.abort();
    this.#set(state, reason);
  }

  #set(state, reason) {
    if (state === this.state && reason === undefined) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }
}

/** Somebody ended it on purpose: there is no coming back. */
class Removed extends Error {}
