import assert from "node:assert/strict";
import { test } from "node:test";

import { insecureAdvice, invitation, readFragment } from "../address.js";

test("a fragment says room, name, token and what to publish", () => {
  assert.deepEqual(readFragment("#room=r.1&name=Ann%20B&token=a.b.c&publish=generated&number=7&join"), {
    room: "r.1",
    name: "Ann B",
    token: "a.b.c",
    publish: "generated",
    number: 7,
    join: true,
  });
});

test("what makes no sense is left out", () => {
  const read = readFragment(`#room=a/b&publish=all&number=4096&name=${"n".repeat(100)}`);
  assert.equal(read.room, "");
  assert.equal(read.publish, undefined);
  assert.equal(read.number, undefined);
  assert.equal(read.name.length, 64);
  assert.equal(readFragment("").token, "");
});

test("no address turns on a camera or a screen", () => {
  assert.equal(readFragment("#room=r&publish=camera&join").join, false);
  assert.equal(readFragment("#room=r&publish=screen&join").join, false);
  assert.equal(readFragment("#room=r&join").join, false);
  assert.equal(readFragment("#room=r&publish=nothing&join").join, true);
});

test("an invitation carries neither name nor token", () => {
  const location = new URL("http://localhost:7000/#room=r&name=Ann&token=secret");
  assert.equal(invitation(location, "r"), "http://localhost:7000/#room=r");
});

test("outside of a secure context a tunnel leads to where the page came from", () => {
  const advice = (address) => insecureAdvice(new URL(address), false);
  assert.equal(insecureAdvice(new URL("https://node/"), true), undefined);
  assert.deepEqual(advice("http://10.0.0.1:7600/#room=r"), {
    tunnel: "ssh -N -L 7600:10.0.0.1:7600 10.0.0.1",
    local: "http://localhost:7600/#room=r",
  });
  // A shell takes brackets for a pattern; a name for the host has none.
  assert.equal(advice("http://[fd00::1]:7000/").tunnel, "ssh -N -L '7000:[fd00::1]:7000' fd00::1");
  // A user may not listen at port 80 of their own machine.
  assert.deepEqual(advice("http://node/"), { tunnel: "ssh -N -L 8080:node:80 node", local: "http://localhost:8080/" });
});
