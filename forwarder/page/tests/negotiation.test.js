import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem } from "../api.js";
import { Negotiation } from "../negotiation.js";

/** The state machine of RTCPeerConnection (WebRTC 1.0, 4.3.1), without any media: a wrong step throws, as there. */
class Connection extends EventTarget {
  signalingState = "stable";
  localDescription = null;
  steps = [];

  async setLocalDescription(description) {
    await Promise.resolve();
    const type = description?.type ?? (this.signalingState === "have-remote-offer" ? "answer" : "offer");
    // A change that was taken back is needed still.
    if (type === "rollback") setTimeout(() => this.dispatchEvent(new Event("negotiationneeded")));
    this.#step(`local ${type}`, {
      stable: { offer: "have-local-offer" },
      "have-local-offer": { rollback: "stable" },
      "have-remote-offer": { answer: "stable" },
    }[this.signalingState][type]);
    this.localDescription = { type, sdp: `our ${type} ${this.steps.length}` };
  }

  async setRemoteDescription({ type, sdp }) {
    await Promise.resolve();
    this.#step(`remote ${type} ${sdp}`, {
      stable: { offer: "have-remote-offer" },
      "have-local-offer": { answer: "stable" },
      "have-remote-offer": {},
    }[this.signalingState][type]);
  }

  #step(name, state) {
    assert.ok(state, `${name} in ${this.signalingState}`);
    this.steps.push(name);
    this.signalingState = state;
  }
}

/** What one test says of the forwarder; the rest must not be called. */
function rig(signalling) {
  const connection = new Connection();
  const failures = [];
  const told = { applied: 0 };
  const all = {
    offer: () => assert.fail("offer"),
    answer: () => assert.fail("answer"),
    outstanding: () => assert.fail("outstanding"),
    ...signalling,
  };
  const negotiation = new Negotiation(connection, all, {
    onApplied: () => (told.applied += 1),
    onFailed: (error) => failures.push(error),
  });
  return { connection, negotiation, failures, told };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test("many wishes at the same time are one offer", async () => {
  const { connection, negotiation, told } = rig({ offer: async () => "A" });
  connection.dispatchEvent(new Event("negotiationneeded"));
  negotiation.want();
  negotiation.want();
  await settle();
  assert.deepEqual(connection.steps, ["local offer", "remote answer A"]);
  assert.equal(told.applied, 1);
});

test("an offer of the forwarder is answered once, however often it is told", async () => {
  const answers = [];
  const { connection, negotiation } = rig({ answer: async (sdp, version) => void answers.push([sdp, version]) });
  negotiation.hear({ sdp: "O", version: 3 });
  await settle();
  negotiation.hear({ sdp: "O", version: 3 });
  negotiation.hear({ sdp: "old", version: 2 });
  await settle();
  assert.deepEqual(connection.steps, ["remote offer O", "local answer"]);
  assert.deepEqual(answers, [["our answer 2", 3]]);
});

test("an offer that comes while ours is under way is taken only if it still stands", async () => {
  let finish;
  let standing;
  const answers = [];
  const { connection, negotiation, failures } = rig({
    offer: () => new Promise((resolve) => (finish = resolve)),
    outstanding: async () => standing,
    answer: async (sdp, version) => void answers.push(version),
  });
  negotiation.want();
  await settle();
  // The forwarder made it before it saw ours, and takes it back for ours.
  negotiation.hear({ sdp: "taken back", version: 1 });
  finish("A");
  await settle();
  assert.deepEqual(connection.steps, ["local offer", "remote answer A"]);

  negotiation.want();
  await settle();
  // This one it made after it had answered ours; only the answer is later here.
  negotiation.hear({ sdp: "newer", version: 2 });
  standing = { sdp: "newer", version: 2 };
  finish("B");
  await settle();
  assert.deepEqual(connection.steps.slice(2), ["local offer", "remote answer B", "remote offer newer", "local answer"]);
  assert.deepEqual(answers, [2]);
  assert.deepEqual(failures, []);
});

test("an answer that comes too late is followed by an offer that says where we stand", async () => {
  const { connection, negotiation, failures } = rig({
    answer: async () => {
      throw new Problem(409);
    },
    offer: async () => "A",
  });
  negotiation.hear({ sdp: "O", version: 1 });
  await settle();
  assert.deepEqual(connection.steps, ["remote offer O", "local answer", "local offer", "remote answer A"]);
  assert.deepEqual(failures, []);
});

test("an offer that nobody answers is taken back, and made again only when that is asked for", async () => {
  let fails = true;
  const { connection, negotiation, failures } = rig({
    offer: async () => {
      if (fails) throw new TypeError("network");
      return "A";
    },
  });
  negotiation.want();
  await settle();
  assert.deepEqual(connection.steps, ["local offer", "local rollback"]);
  assert.equal(failures.length, 1);
  fails = false;
  negotiation.want();
  await settle();
  assert.deepEqual(connection.steps.slice(2), ["local offer", "remote answer A"]);
});

test("a closed connection negotiates nothing, and complains of nothing", async () => {
  const { connection, negotiation, failures } = rig({});
  connection.signalingState = "closed";
  negotiation.want();
  negotiation.hear({ sdp: "O", version: 1 });
  negotiation.look();
  await settle();
  assert.deepEqual(connection.steps, []);
  assert.deepEqual(failures, []);
});
