// The page of a room: joins its parts.

import { invitation, readFragment } from "./address.js";
import { Call } from "./call.js";
import { canCapture, canShareScreen } from "./devices.js";
import { deviceFields } from "./device_fields.js";
import { openLobby } from "./lobby.js";
import { LocalMedia } from "./local_media.js";
import { announce, dismiss, notice } from "./notices.js";
import { isMuted, isSpeaking } from "./people.js";
import { listen } from "./shortcuts.js";
import { StatisticsPanel } from "./statistics_panel.js";
import { Tiles, tilesOf } from "./tiles.js";

const byId = (id) => document.getElementById(id);
const CONNECTION = {
  joining: ["Joining…", "warn"],
  joined: ["Connected", "good"],
  reconnecting: ["Reconnecting…", "warn"],
};

const address = readFragment(location.hash);
const media = new LocalMedia(address.number ?? Math.floor(Math.random() * 1000));
const tiles = new Tiles(byId("tiles"), byId("tile-template"));
const statistics = new StatisticsPanel();
/** Sessions whose pictures are not wanted for now. */
const paused = new Set();
let call;
let me;

const lobby = openLobby(address, media, (person) => void join(person));
const refreshDevices = deviceFields(byId("settings-fields"), media, (what) => {
  if (call === undefined) return;
  void (what === "camera" ? media.reopenPicture() : media.reopenSound());
});

// Who made the link may put another into the address before the token in it expires, also from another page's window.
window.addEventListener("hashchange", () => {
  const { room, token } = readFragment(location.hash);
  if (token === "" || room !== (call === undefined ? address.room : me.room)) return;
  address.token = token;
  call?.renew(token);
});

async function join(person) {
  me = person;
  byId("join").disabled = true;
  const { source } = media;
  const ready = await media.use(source);
  byId("join").disabled = false;
  // Without what was asked for, people decide themselves whether to join without it.
  if (!ready && media.track("picture") === undefined && media.track("screen") === undefined) {
    media.closeAll();
    lobby.refresh();
    return;
  }
  const { token } = address;
  history.replaceState(null, "", `#${new URLSearchParams({ room: person.room, ...(token && { token }) })}`);
  document.title = `${person.room} · forwarder`;
  byId("room-name").textContent = person.room;
  call = new Call({ ...person, token });
  call.addEventListener("state", ({ detail }) => onState(detail));
  call.addEventListener("people", ({ detail }) => onPeople(detail));
  call.addEventListener("tracks", show);
  call.addEventListener("problem", ({ detail }) => notice("call", detail.message));
  for (const slot of ["sound", "picture", "screen"]) if (media.track(slot)) void call.send(slot, media.track(slot));
  statistics.call = call;
  onState({ state: "joining" });
  void call.run();
}

function onState({ state, reason }) {
  const over = state === "left" || state === "refused";
  const [text, level] = CONNECTION[state] ?? ["", ""];
  byId("connection").textContent = text;
  byId("connection").dataset.level = level;
  document.body.dataset.state = over ? "lobby" : state;
  document.body.dataset.session = over ? "" : (call.session ?? "");
  if (state === "joined") dismiss("call");
  else if (reason !== undefined) notice("call", sentence(reason), state === "refused" ? "bad" : "warn");
  if (over) close();
  else show();
}

/** What a browser says of a failed request is of no use to people. */
function sentence(reason) {
  return reason instanceof TypeError ? "The forwarder cannot be reached. Trying again." : reason.message;
}

function close() {
  call = undefined;
  statistics.call = undefined;
  media.closeAll();
  tiles.clear();
  byId("unblock").hidden = true;
  lobby.refresh();
  byId("join").focus();
  announce("You are not in the room any more");
}

function onPeople(changes) {
  for (const { type, session } of changes) {
    if (session.own) {
      sayMuted(isMuted(session));
      continue;
    }
    if (type === "joined") announce(`${session.name} is here`);
    if (type === "left") announce(`${session.name} left`);
  }
  show();
}

let silenced = false;

function sayMuted(muted) {
  if (muted && !silenced) notice("silenced", "Your sound was turned off for everyone by whoever runs the room.");
  if (!muted) dismiss("silenced");
  silenced = muted;
}

let asked = false;

/** Shows what is there, once for all that changes at the same time. */
function show() {
  if (asked) return;
  asked = true;
  queueMicrotask(() => {
    asked = false;
    if (call !== undefined) paint();
  });
}

function paint() {
  const remote = call.remoteTracks();
  const session = call.session ?? "";
  document.body.dataset.session = session;
  const mine = call.people.sessions.get(session);
  const own = { session, own: true };
  const picture = {
    ...own,
    key: "own",
    name: me.name,
    track: media.track("picture"),
    mirror: media.source === "camera",
    muted: !media.soundOn || (mine !== undefined && isMuted(mine)),
    speaking: mine !== undefined && isSpeaking(mine) && media.soundOn,
  };
  const screen = media.track("screen");
  const screens = screen ? [{ ...own, key: "own screen", name: `${me.name}, screen`, track: screen, second: true }] : [];
  tiles.show(
    tilesOf(call.people, remote, [picture, ...screens], paused),
    remote.filter(({ kind }) => kind === "audio"),
  );
  call.pause(picturesOf(paused));
  const others = [...call.people.sessions.values()].filter((person) => !person.own).length;
  byId("people-count").textContent = others === 0 ? "only you" : `${others + 1} people`;
  byId("alone").hidden = others > 0 || call.state !== "joined";
  paintControls();
}

function picturesOf(sessions) {
  return [...call.people.sessions.values()]
    .filter(({ id }) => sessions.has(id))
    .flatMap(({ publications }) => [...publications.values()])
    .filter(({ kind }) => kind === "video")
    .map(({ id }) => id);
}

function paintControls() {
  const generated = media.source === "generated";
  const set = (id, on, label, icon) => {
    const button = byId(id);
    button.setAttribute("aria-pressed", String(on));
    button.querySelector("span").textContent = label;
    button.title = label;
    if (icon !== undefined) button.querySelector("use").setAttribute("href", `#icon-${icon}`);
    return button;
  };
  const sound = media.soundOn;
  const picture = media.track("picture") !== undefined;
  const screen = media.track("screen") !== undefined;
  const available = generated || canCapture();
  const mic = set("mic", !sound, sound ? "Mute" : "Unmute", sound ? "mic" : "mic-off");
  mic.dataset.off = String(!sound);
  mic.disabled = !available;
  const camera = set("camera", !picture, picture ? "Stop picture" : "Start picture", picture ? "camera" : "camera-off");
  camera.dataset.off = String(!picture);
  camera.disabled = !available;
  const share = set("screen", screen, screen ? "Stop sharing" : "Share screen");
  share.dataset.on = String(screen);
  share.disabled = !canShareScreen();
}

async function toggleSound() {
  if (media.track("sound") === undefined) await media.open("sound");
  else media.setSound(!media.soundOn);
  announce(media.soundOn ? "Unmuted" : "Muted");
}

async function togglePicture() {
  if (media.track("picture") !== undefined) media.close("picture");
  else {
    // Who came to watch, or with a screen, gets the camera now.
    if (media.source !== "generated") media.source = "camera";
    await media.open("picture");
  }
}

async function toggleScreen() {
  if (media.track("screen") !== undefined) media.close("screen");
  else await media.open("screen");
}

function openDialog(id) {
  const dialog = byId(id);
  if (!dialog.open) dialog.showModal();
}

media.addEventListener("change", ({ detail: slot }) => {
  void call?.send(slot, media.track(slot));
  show();
});
media.addEventListener("problem", ({ detail }) => notice("media", detail));
tiles.addEventListener("blocked", () => {
  byId("unblock").hidden = false;
});
tiles.addEventListener("pause", ({ detail: session }) => {
  if (!paused.delete(session)) paused.add(session);
  show();
});
byId("unblock").addEventListener("click", () => {
  byId("unblock").hidden = true;
  tiles.unblock();
});
byId("mic").addEventListener("click", () => void toggleSound());
byId("camera").addEventListener("click", () => void togglePicture());
byId("screen").addEventListener("click", () => void toggleScreen());
byId("leave").addEventListener("click", () => call?.leave());
byId("help").addEventListener("click", () => openDialog("help-dialog"));
byId("settings").addEventListener("click", () => {
  void refreshDevices();
  openDialog("settings-dialog");
});
byId("copy-link").addEventListener("click", async () => {
  const link = invitation(location, me.room);
  try {
    await navigator.clipboard.writeText(link);
    announce("Link copied");
    notice("link", `Copied: ${link}`, "good");
  } catch {
    notice("link", `The link to this room: ${link}`, "good");
  }
});

const inCall = (action) => () => call !== undefined && action();
listen({
  m: inCall(toggleSound),
  v: inCall(togglePicture),
  l: inCall(() => call.leave()),
  s: inCall(() => statistics.toggle()),
  "?": () => openDialog("help-dialog"),
});
