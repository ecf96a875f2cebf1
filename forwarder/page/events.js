// Follows a stream of events, through breaks of the connection, without missing or repeating one.

import { Problem } from "./api.js";
import { Backoff, sleep } from "./backoff.js";
import { EventParser } from "./event_parser.js";

/** A stream on which nothing comes for so many milliseconds, comments included, is taken for dead. */
const SILENCE = 45_000;

/**
 * Calls `onEvent({ type, data, id })` for each event, `data` parsed, until `signal` aborts. `onOpen(resumed)` is called each
 * time that the stream is there, `onBreak(error)` each time that it breaks. Ends, with the Problem, when the API refuses it
 * for good.
 */
export async function follow(api, path, { onEvent, onOpen, onBreak, signal, backoff = new Backoff() }) {
  const parser = new EventParser();
  for (;;) {
    try {
      await readOnce(api, path, parser, { onEvent, onOpen, signal, backoff });
      onBreak?.(new Error("the stream of events ended"));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof Problem && !error.passes) return error;
      onBreak?.(error);
    }
    try {
      await sleep(Math.max(backoff.next(), parser.retry ?? 0), signal);
    } catch {
      return undefined;
    }
  }
}

async function readOnce(api, path, parser, { onEvent, onOpen, signal, backoff }) {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  let timer;
  const wind = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error("nothing was heard from the forwarder")), SILENCE);
  };
  try {
    wind();
    const headers = { Accept: "text/event-stream" };
    if (parser.lastId) headers["Last-Event-ID"] = parser.lastId;
    const response = await api.request("GET", path, { headers, signal: either });
    backoff.reset();
    onOpen?.(parser.lastId !== "");
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    // What was left of an event when the stream broke is sent again, whole.
    const fresh = new EventParser();
    fresh.lastId = parser.lastId;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      wind();
      for (const event of fresh.push(decoder.decode(value, { stream: true }))) {
        parser.lastId = event.id;
        onEvent({ ...event, data: parse(event.data) });
      }
      parser.retry = fresh.retry ?? parser.retry;
    }
  } finally {
    clearTimeout(timer);
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}
