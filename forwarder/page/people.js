// Who is in the room and what they send: first the room's document, then events, in their order. What an event tells twice
// changes nothing.

export class People {
  /** Session id to `{ id, name, publications: Map }`; a publication is `{ id, kind, muted, speaking }`. */
  sessions = new Map();
  #own;

  constructor(own = "") {
    this.#own = own;
  }

  /** Takes the whole document, and gives what is different from before. */
  replace(room) {
    const changes = [];
    const there = new Set((room.sessions ?? []).map((session) => text(session.id)));
    for (const session of this.sessions.values()) {
      if (!there.has(session.id)) changes.push(...this.#leave(session.id));
    }
    for (const told of room.sessions ?? []) {
      const session = this.#join(text(told.id), told.name, changes);
      const publications = told.publications ?? [];
      const ids = new Set(publications.map((publication) => text(publication.id)));
      for (const id of [...session.publications.keys()]) if (!ids.has(id)) session.publications.delete(id);
      for (const publication of publications) this.#publish(session, text(publication.id), publication);
      changes.push({ type: "changed", session });
    }
    return changes;
  }

  /**
   * Takes an event, and gives what changed: `{ type: "joined" | "left" | "changed", session }`. `undefined` stands for an event
   * that does not fit what is known: the document is to be asked for again.
   */
  apply(type, data) {
    const id = text(data.session);
    const changes = [];
    if (type === "session.joined") {
      if (data.name === undefined && !this.sessions.has(id)) return undefined;
      this.#join(id, data.name, changes);
      return changes;
    }
    if (type === "session.closed") return this.#leave(id);
    if (!["track.published", "track.ended", "track.muted", "speaking"].includes(type)) return [];
    const session = this.sessions.get(id);
    if (session === undefined) return undefined;
    const publication = text(data.publication);
    if (type === "track.ended") session.publications.delete(publication);
    else if (type === "track.published") this.#publish(session, publication, data);
    else {
      const known = session.publications.get(publication);
      if (known === undefined) return undefined;
      if (type === "track.muted") known.muted = data.muted !== false;
      else known.speaking = data.speaking !== false;
    }
    return [{ type: "changed", session }];
  }

  #join(id, name, changes) {
    const known = this.sessions.get(id);
    if (known !== undefined) {
      if (name) known.name = name;
      return known;
    }
    const session = { id, name: name || `Session ${id}`, own: id === this.#own, publications: new Map() };
    this.sessions.set(id, session);
    changes.push({ type: "joined", session });
    return session;
  }

  #leave(id) {
    const session = this.sessions.get(id);
    if (session === undefined) return [];
    this.sessions.delete(id);
    return [{ type: "left", session }];
  }

  #publish(session, id, { kind, muted, speaking }) {
    const known = session.publications.get(id);
    session.publications.set(id, {
      id,
      kind: kind ?? known?.kind,
      muted: muted ?? known?.muted ?? false,
      speaking: speaking ?? known?.speaking ?? false,
    });
  }
}

/** Whether somebody's sound is cut off by the server. */
export function isMuted(session) {
  const sounds = [...session.publications.values()].filter(({ kind }) => kind === "audio");
  return sounds.length > 0 && sounds.every(({ muted }) => muted);
}

export function isSpeaking(session) {
  return [...session.publications.values()].some(({ speaking, muted }) => speaking && !muted);
}

/** Ids are texts, also where a document writes a number. */
function text(id) {
  return id === undefined || id === null ? "" : String(id);
}
