import assert from "node:assert/strict";
import { test } from "node:test";

import { EventParser } from "../event_parser.js";

const STREAM =
  ": hello\n\nid: 7\nevent: speaking\ndata: {\"a\":\ndata:  1}\n\nretry: 1500\ndata\n\nevent: only\n\nid: 8\r\ndata: x\r\n\r\nid: 9\rdata: y\r\r";

const EVENTS = [
  { type: "speaking", data: '{"a":\n 1}', id: "7" },
  { type: "message", data: "", id: "7" },
  { type: "message", data: "x", id: "8" },
  { type: "message", data: "y", id: "9" },
];

test("fields, comments, ids and all three line ends are read as the standard says", () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push(STREAM), EVENTS);
  assert.equal(parser.retry, 1500);
  assert.equal(parser.lastId, "9");
});

test("it does not matter where the stream is cut", () => {
  for (let size = 1; size < STREAM.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    assert.deepEqual(events, EVENTS, `in pieces of ${size}`);
  }
});

test("an event that is not whole is not told", () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push("id: 3\ndata: half"), []);
  assert.deepEqual(parser.push("\n"), []);
  assert.deepEqual(parser.push("\n"), [{ type: "message", data: "half", id: "3" }]);
});

test("an id with a null and a retry that is no number are ignored", () => {
  const parser = new EventParser();
  parser.push("id: 1\nid: 2\0\nretry: soon\ndata: x\n\n");
  assert.equal(parser.lastId, "1");
  assert.equal(parser.retry, undefined);
});

test("a stream without an end of lines or events does not fill the memory", () => {
  const long = "x".repeat(1 << 19);
  const line = new EventParser();
  assert.throws(() => [1, 2, 3].forEach(() => line.push(long)), RangeError);
  const data = new EventParser();
  assert.throws(() => [1, 2, 3].forEach(() => data.push(`data: ${long}\n`)), RangeError);
});
