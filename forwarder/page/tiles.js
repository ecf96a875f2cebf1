// The pictures of everyone, and their sound.

import { arrange } from "./grid.js";
import { isMuted, isSpeaking } from "./people.js";

/** Pixels between tiles, as in tiles.css; below `LEAST` the list scrolls instead. */
const GAP = 8;
const LEAST = 148;

/** Events: `blocked`, when the browser holds the sound back; `pause` (detail: session), when a picture is not wanted, or is again. */
export class Tiles extends EventTarget {
  #list;
  #template;
  #sounds = new Map();
  #volumes = new Map();
  #pinned;

  constructor(list, template) {
    super();
    this.#list = list;
    this.#template = template;
    new ResizeObserver(() => this.#arrange()).observe(list);
  }

  /**
   * Shows what is to be seen: `tiles` is a list of `{ key, name, session, publication, track, own, second, mirror, muted, speaking, paused }`,
   * `sounds` one of `{ mid, session, track }`.
   */
  show(tiles, sounds) {
    const known = new Map([...this.#list.children].map((tile) => [tile.dataset.key, tile]));
    for (const told of tiles) {
      const tile = known.get(told.key) ?? this.#make(told.key);
      known.delete(told.key);
      paint(tile, told);
    }
    for (const [key, tile] of known) {
      if (this.#pinned === key) this.#pinned = undefined;
      tile.remove();
    }
    tiles.forEach(({ key }, at) => {
      // Only what is elsewhere is moved: a moved video stops for a moment.
      const tile = this.#tile(key);
      if (this.#list.children[at] !== tile) this.#list.insertBefore(tile, this.#list.children[at]);
    });
    this.#hear(sounds);
    this.#arrange();
  }

  /** After a click or a key: the browser lets sound through. */
  unblock() {
    for (const sound of this.#sounds.values()) void sound.play().catch(() => undefined);
  }

  clear() {
    this.show([], []);
    this.#volumes.clear();
  }

  #tile(key) {
    return [...this.#list.children].find((tile) => tile.dataset.key === key);
  }

  #make(key) {
    const tile = this.#template.content.cloneNode(true).firstElementChild;
    tile.dataset.key = key;
    const video = tile.querySelector("video");
    video.addEventListener("resize", () => {
      tile.toggleAttribute("data-picture", video.srcObject !== null);
      // A picture of another shape is shown whole, a camera's may lose its edges.
      const shape = video.videoWidth / video.videoHeight;
      tile.dataset.fit = Math.abs(shape - 16 / 9) > 0.5 ? "contain" : "cover";
    });
    const volume = tile.querySelector("input");
    volume.addEventListener("input", () => {
      this.#volumes.set(tile.dataset.session, volume.valueAsNumber / 100);
      this.#setVolumes();
    });
    tile.querySelector(".pause").addEventListener("click", () => {
      this.dispatchEvent(new CustomEvent("pause", { detail: tile.dataset.session }));
    });
    tile.querySelector(".pin").addEventListener("click", () => {
      this.#pinned = this.#pinned === key ? undefined : key;
      this.#arrange();
    });
    tile.addEventListener("pointerup", ({ target, pointerType }) => {
      if (pointerType === "touch" && target.closest(".actions") === null) tile.toggleAttribute("data-open");
    });
    const full = tile.querySelector(".full");
    full.hidden = tile.requestFullscreen === undefined;
    full.addEventListener("click", () => {
      if (document.fullscreenElement === null) void tile.requestFullscreen();
      else void document.exitFullscreen();
    });
    this.#list.append(tile);
    return tile;
  }

  #hear(sounds) {
    const gone = new Set(this.#sounds.keys());
    for (const { mid, session, track } of sounds) {
      gone.delete(mid);
      const sound = this.#sounds.get(mid) ?? document.createElement("audio");
      sound.dataset.session = session;
      if (sound.srcObject?.getTracks()[0] === track) continue;
      sound.srcObject = new MediaStream([track]);
      sound.hidden = true;
      this.#sounds.set(mid, sound);
      document.body.append(sound);
      sound.play().catch((error) => error.name === "NotAllowedError" && this.dispatchEvent(new Event("blocked")));
    }
    for (const mid of gone) {
      this.#sounds.get(mid).remove();
      this.#sounds.get(mid).srcObject = null;
      this.#sounds.delete(mid);
    }
    this.#setVolumes();
  }

  #setVolumes() {
    for (const sound of this.#sounds.values()) sound.volume = this.#volumes.get(sound.dataset.session) ?? 1;
  }

  #arrange() {
    const { clientWidth: width, clientHeight: height, children, style } = this.#list;
    this.#list.toggleAttribute("data-pinned", this.#pinned !== undefined);
    for (const tile of children) {
      const pinned = tile.dataset.key === this.#pinned;
      tile.toggleAttribute("data-pinned", pinned);
      tile.querySelector(".pin").setAttribute("aria-pressed", String(pinned));
    }
    // Below the pinned one stays a row for the others.
    const main = arrange(1, width, Math.max(height * 0.5, height - 130));
    style.setProperty("--pinned-width", `${Math.floor(main.width)}px`);
    let { width: wide } = arrange(children.length, width, height, GAP);
    if (wide < LEAST) {
      const columns = Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));
      wide = (width - GAP * (columns - 1)) / columns;
    }
    style.setProperty("--tile-width", `${Math.floor(wide)}px`);
  }
}

function paint(tile, { name, session, publication, track, own, second, mirror, muted, speaking, paused }) {
  const data = tile.dataset;
  data.session = session;
  data.publication = publication ?? "";
  for (const [mark, is] of Object.entries({ own, second, mirror, muted, speaking, paused })) {
    tile.toggleAttribute(`data-${mark}`, Boolean(is));
  }
  const shown = own ? `${name} (you)` : name;
  tile.querySelector(".name").textContent = shown;
  tile.querySelector(".initials").textContent = initials(name);
  tile.querySelector("input").setAttribute("aria-label", `Volume of ${name}`);
  const pause = tile.querySelector(".pause");
  pause.setAttribute("aria-label", `Pause the picture of ${shown}`);
  pause.setAttribute("aria-pressed", String(Boolean(paused)));
  tile.querySelector(".pin").setAttribute("aria-label", `Pin ${shown}`);
  tile.querySelector(".full").setAttribute("aria-label", `Full screen, ${shown}`);
  const video = tile.querySelector("video");
  video.setAttribute("aria-label", `Picture of ${shown}`);
  if (video.srcObject?.getTracks()[0] === track) return;
  // Until the first frame is there, the initials are.
  tile.removeAttribute("data-picture");
  video.srcObject = track === undefined ? null : new MediaStream([track]);
  if (track !== undefined) void video.play().catch(() => undefined);
}

/** The first letters of the first and the last word. */
export function initials(name) {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => [...word][0] ?? "").join("").toUpperCase();
}

/** The tiles of a room: each person's first picture, further pictures beside it, and one's own at the end. */
export function tilesOf(people, remote, own, paused) {
  const pictures = new Map();
  for (const track of remote.filter(({ kind }) => kind === "video")) {
    pictures.set(track.session, [...(pictures.get(track.session) ?? []), track]);
  }
  const tiles = [];
  for (const session of people.sessions.values()) {
    if (session.own) continue;
    const held = (pictures.get(session.id) ?? []).filter(({ publication }) => session.publications.has(publication));
    held.sort((one, other) => one.publication.localeCompare(other.publication, "en", { numeric: true }));
    const [first, ...others] = held;
    const common = { name: session.name, session: session.id };
    const marks = { muted: isMuted(session), speaking: isSpeaking(session), paused: paused.has(session.id) };
    tiles.push({ key: session.id, ...common, ...marks, publication: first?.publication, track: first?.track });
    for (const { publication, track } of others) {
      const key = `${session.id} ${publication}`;
      tiles.push({ key, ...common, name: `${session.name}, screen`, publication, track, second: true, paused: marks.paused });
    }
  }
  return [...tiles, ...own];
}
