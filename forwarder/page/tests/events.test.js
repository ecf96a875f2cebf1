import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Api, Problem } from "../api.js";
import { Backoff } from "../backoff.js";
import { follow } from "../events.js";

let server;
let base;
/** What the next requests are answered with, and what they were. */
const answers = [];
const requests = [];

before(async () => {
  server = createServer((request, response) => {
    requests.push({ url: request.url, ...request.headers });
    answers.shift()(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

const stream = (text) => (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(text);
  response.end();
};

const problem = (status, document) => (response) => {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify(document));
};

test("a stream that breaks is resumed after the last event, and ends with a refusal", async () => {
  answers.push(
    stream('id: 4\nevent: speaking\ndata: {"a":1}\n\nid: 5\ndata: {"half'),
    (response) => response.destroy(),
    problem(503, {}),
    stream('id: 5\ndata: {"b":2}\n\ndata: no json\n\n'),
    problem(404, { title: "There is no such thing", detail: "session is 7; allowed: one that is there" }),
  );
  const [events, opened, breaks] = [[], [], []];
  const refusal = await follow(new Api("k"), `${base}/events`, {
    signal: new AbortController().signal,
    backoff: new Backoff({ first: 1 }),
    onEvent: ({ type, data, id }) => events.push([type, data, id]),
    onOpen: (resumed) => opened.push(resumed),
    onBreak: (error) => breaks.push(error.name),
  });
  assert.deepEqual(events, [
    ["speaking", { a: 1 }, "4"],
    ["message", { b: 2 }, "5"],
    ["message", {}, "5"],
  ]);
  assert.deepEqual(opened, [false, true]);
  assert.deepEqual(breaks, ["Error", "TypeError", "Problem", "Error"]);
  assert.deepEqual(
    requests.map((request) => request["last-event-id"]),
    [undefined, "4", "4", "4", "5"],
  );
  assert.ok(requests.every(({ authorization, url }) => authorization === "Bearer k" && url === "/events"));
  assert.ok(refusal instanceof Problem);
  assert.equal(refusal.status, 404);
  assert.equal(refusal.message, "There is no such thing: session is 7; allowed: one that is there");
});

test("whoever is not interested any more is left alone", async () => {
  const abort = new AbortController();
  answers.push((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": hello\n\n");
    setTimeout(() => abort.abort(), 20);
  });
  const ended = await follow(new Api(), `${base}/events`, { signal: abort.signal, onEvent: () => assert.fail() });
  assert.equal(ended, undefined);
});
