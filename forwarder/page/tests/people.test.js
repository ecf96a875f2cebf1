import assert from "node:assert/strict";
import { test } from "node:test";

import { isMuted, isSpeaking, People } from "../people.js";

const ROOM = {
  sessions: [
    { id: "1", name: "Ann", publications: [{ id: "10", kind: "audio", muted: false, speaking: false }] },
    { id: "2", name: "", publications: [] },
  ],
};

const types = (changes) => changes.map(({ type, session }) => `${type} ${session.id}`);

test("a room's document tells who joined, and then who left", () => {
  const people = new People("1");
  assert.deepEqual(types(people.replace(ROOM)), ["joined 1", "changed 1", "joined 2", "changed 2"]);
  assert.equal(people.sessions.get("1").own, true);
  assert.equal(people.sessions.get("2").name, "Session 2");
  assert.deepEqual(types(people.replace({ sessions: [ROOM.sessions[0]] })), ["left 2", "changed 1"]);
  assert.deepEqual([...people.sessions.keys()], ["1"]);
});

test("events are applied, and twice is once", () => {
  const people = new People();
  people.replace(ROOM);
  assert.deepEqual(types(people.apply("session.joined", { session: "3", name: "Cy" })), ["joined 3"]);
  assert.deepEqual(people.apply("session.joined", { session: 3, name: "Cy" }), []);
  const published = { session: "3", publication: "30", kind: "video" };
  assert.deepEqual(types(people.apply("track.published", published)), ["changed 3"]);
  assert.equal(people.sessions.get("3").publications.get("30").kind, "video");
  people.apply("track.ended", { session: "3", publication: "30" });
  assert.equal(people.sessions.get("3").publications.size, 0);
  assert.deepEqual(types(people.apply("session.closed", { session: "3" })), ["left 3"]);
  assert.deepEqual(people.apply("session.closed", { session: "3" }), []);
});

test("muted and speaking are a person's", () => {
  const people = new People();
  people.replace(ROOM);
  const ann = people.sessions.get("1");
  people.apply("speaking", { session: "1", publication: "10", speaking: true });
  assert.equal(isSpeaking(ann), true);
  people.apply("track.muted", { session: "1", publication: "10", muted: true });
  assert.equal(isMuted(ann), true);
  assert.equal(isSpeaking(ann), false);
  people.apply("track.muted", { session: "1", publication: "10", muted: false });
  assert.equal(isMuted(ann), false);
  // Who sends no sound is not muted.
  assert.equal(isMuted(people.sessions.get("2")), false);
});

test("what does not fit what is known asks for the document", () => {
  const people = new People();
  people.replace(ROOM);
  assert.equal(people.apply("track.published", { session: "9", publication: "90", kind: "audio" }), undefined);
  assert.equal(people.apply("track.muted", { session: "1", publication: "99", muted: true }), undefined);
  assert.equal(people.apply("session.joined", { session: "9" }), undefined);
  assert.deepEqual(people.apply("session.path", { session: "9" }), []);
});
