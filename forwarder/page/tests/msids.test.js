import assert from "node:assert/strict";
import { test } from "node:test";

import { readMsids } from "../msids.js";

const lines = (...all) => `${all.join("\r\n")}\r\n`;

test("m-lines that are sent are found by their mid", () => {
  const sdp = lines(
    "v=0",
    "a=msid-semantic:WMS *",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:0",
    "a=sendrecv",
    "a=msid:12 34",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "a=msid:12 35",
    "a=mid:v",
  );
  assert.deepEqual(
    [...readMsids(sdp)],
    [
      ["0", { session: "12", publication: "34" }],
      ["v", { session: "12", publication: "35" }],
    ],
  );
});

test("m-lines that are only received, stopped or nobody's are not", () => {
  const sdp = lines(
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:0",
    "a=msid:12 34",
    "a=recvonly",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:1",
    "a=msid:12 34",
    "a=inactive",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:2",
    "a=msid:- 34",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:3",
  );
  assert.equal(readMsids(sdp).size, 0);
  assert.equal(readMsids("").size, 0);
});
