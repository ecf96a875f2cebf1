import assert from "node:assert/strict";
import { test } from "node:test";

import { summarise } from "../statistics.js";

const report = (...entries) => new Map(entries.map((entry) => [entry.id, entry]));

const CODEC = { id: "C", type: "codec", mimeType: "video/VP8" };

function received(timestamp, bytesReceived, packetsReceived, packetsLost) {
  return {
    id: "I1",
    type: "inbound-rtp",
    kind: "video",
    mid: "1",
    codecId: "C",
    timestamp,
    bytesReceived,
    packetsReceived,
    packetsLost,
    frameWidth: 640,
    frameHeight: 360,
    freezeCount: 2,
    jitter: 0.003,
  };
}

test("rates are of the time between two looks", () => {
  const before = report(CODEC, received(1000, 10_000, 100, 0));
  const now = report(CODEC, received(3000, 260_000, 290, 10));
  const [stream] = summarise(now, before).streams;
  assert.equal(stream.bitrate, 1_000_000);
  assert.equal(stream.loss, 0.05);
  assert.equal(stream.codec, "VP8");
  assert.equal(stream.freezes, 2);
  assert.equal(stream.direction, "in");
});

test("the first look knows no rates", () => {
  const [stream] = summarise(report(CODEC, received(1000, 10_000, 100, 0))).streams;
  assert.equal(stream.bitrate, undefined);
  assert.equal(stream.loss, undefined);
  assert.equal(stream.width, 640);
});

test("packets that came twice are no negative loss", () => {
  const before = report(received(1000, 0, 100, 5));
  const [stream] = summarise(report(received(2000, 0, 200, 3)), before).streams;
  assert.equal(stream.loss, 0);
});

test("what the far end says of a stream that is sent is found by its id", () => {
  const sent = { id: "O1", type: "outbound-rtp", kind: "audio", mid: "0", timestamp: 2000, bytesSent: 2000 };
  const far = { id: "R1", type: "remote-inbound-rtp", localId: "O1", roundTripTime: 0.02, fractionLost: 0.1, jitter: 0.001 };
  const before = report({ ...sent, timestamp: 1000, bytesSent: 1000 });
  const [stream] = summarise(report(sent, far), before).streams;
  assert.equal(stream.rtt, 0.02);
  assert.equal(stream.loss, 0.1);
  assert.equal(stream.bitrate, 8000);
});

test("the transport is told with and without its own entry", () => {
  const pair = { id: "P", type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.01, timestamp: 1 };
  const entry = { id: "T", type: "transport", selectedCandidatePairId: "P", srtpCipher: "AEAD_AES_256_GCM", timestamp: 1 };
  assert.equal(summarise(report(pair, entry)).transport.suite, "AEAD_AES_256_GCM");
  assert.equal(summarise(report(pair, entry)).transport.rtt, 0.01);
  assert.equal(summarise(report(pair)).transport.rtt, 0.01);
});
