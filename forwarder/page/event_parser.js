// Reads text/event-stream (HTML Standard, 9.2.6). The browser's own EventSource cannot send a token but in the address,
// where logs would keep it.

/** Characters of one event at most. */
const LONGEST = 1 << 20;

export class EventParser {
  #rest = "";
  #afterReturn = false;
  #data = [];
  #type = "";
  #size = 0;

  /** The last id that was seen: where the stream is to be resumed. */
  lastId = "";
  /** What the server wants to be waited before it is asked again, in milliseconds, if it said so. */
  retry;

  /** Takes text as it comes, and gives the events that are whole: `{ type, data, id }`. */
  push(text) {
    const events = [];
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at];
      if (character === "\n" && this.#afterReturn) {
        // The second half of CR LF.
        this.#afterReturn = false;
        start = at + 1;
        continue;
      }
      this.#afterReturn = character === "\r";
      if (character !== "\n" && character !== "\r") continue;
      this.#line(this.#rest + text.slice(start, at), events);
      this.#rest = "";
      start = at + 1;
    }
    this.#rest += text.slice(start);
    if (this.#rest.length > LONGEST) throw new RangeError("an event is longer than 1 MiB");
    return events;
  }

  #line(line, events) {
    if (line === "") {
      if (this.#data.length > 0) {
        events.push({ type: this.#type || "message", data: this.#data.join("\n"), id: this.lastId });
      }
      this.#data = [];
      this.#type = "";
      this.#size = 0;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") {
      this.#size += value.length;
      if (this.#size > LONGEST) throw new RangeError("an event is longer than 1 MiB");
      this.#data.push(value);
    } else if (field === "event") {
      this.#type = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.lastId = value;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      this.retry = Number(value);
    }
  }
}
