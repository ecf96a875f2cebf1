// What this person sends: a sound and a picture, from devices or generated, and a screen. Opens, closes and exchanges them.

import { explain, openCamera, openMicrophone, openScreen, PROCESSING } from "./devices.js";
import { generate } from "./generated.js";

/** Events: `change` (detail: slot), `problem` (detail: text). */
export class LocalMedia extends EventTarget {
  #tracks = new Map();
  #generated;
  #number;
  #turn = Promise.resolve();

  /** Where picture and sound come from: `camera`, `screen` (with the microphone), `generated` or `nothing`. */
  source = "camera";
  camera = "";
  microphone = "";
  processing = Object.fromEntries(PROCESSING.map((name) => [name, true]));

  /** `number` is that of the generated picture. */
  constructor(number) {
    super();
    this.#number = number;
  }

  get number() {
    return this.#number;
  }

  track(slot) {
    return this.#tracks.get(slot);
  }

  get soundOn() {
    return this.#tracks.get("sound")?.enabled ?? false;
  }

  /** Opens what `source` stands for, and closes the rest; gives whether all of it is there. */
  async use(source) {
    this.closeAll();
    this.source = source;
    if (source === "nothing") return true;
    const picture = source === "screen" ? await this.open("screen") : await this.open("picture");
    const sound = await this.open("sound");
    return picture && sound;
  }

  /** Opens one; whether it is there then. */
  async open(slot) {
    const what = slot === "screen" ? "screen" : slot === "sound" ? "microphone" : "camera";
    try {
      const track = await this.#obtain(slot);
      const before = this.#tracks.get(slot);
      if (before !== undefined && before !== track) before.stop();
      this.#tracks.set(slot, track);
      // A screen that is not shared any more, a device that was pulled out.
      track.addEventListener("ended", () => this.#tracks.get(slot) === track && this.close(slot));
      this.#changed(slot);
      return true;
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: explain(error, what) }));
      return false;
    }
  }

  close(slot) {
    const track = this.#tracks.get(slot);
    if (track === undefined) return;
    this.#tracks.delete(slot);
    // The generator makes both, and is asked for them again.
    if (this.#generated === undefined || slot === "screen") track.stop();
    this.#changed(slot);
  }

  closeAll() {
    for (const slot of [...this.#tracks.keys()]) this.close(slot);
    this.#generated?.stop();
    this.#generated = undefined;
  }

  /** Mutes and unmutes without a new negotiation: silence is sent. */
  setSound(on) {
    const track = this.#tracks.get("sound");
    if (track === undefined) return;
    track.enabled = on;
    this.#changed("sound");
  }

  /** Another microphone, or other treatment of its sound: not all browsers change that on a track that lives. */
  reopenSound() {
    return this.#inTurn(async () => {
      if (this.source === "generated" || !this.#tracks.has("sound")) return;
      const on = this.soundOn;
      if (await this.#reopen("sound")) this.setSound(on);
    });
  }

  reopenPicture() {
    return this.#inTurn(async () => {
      if (this.source === "camera" && this.#tracks.has("picture")) await this.#reopen("picture");
    });
  }

  /** One after the other, however fast somebody changes their mind. */
  #inTurn(work) {
    this.#turn = this.#turn.then(work);
    return this.#turn;
  }

  /**
   * What is in use keeps its treatment: Chromium gives a second track of a microphone the noise suppression of the first. And many
   * phones have one camera at a time. So the old one ends before the new one begins.
   */
  async #reopen(slot) {
    this.#tracks.get(slot).stop();
    const there = await this.open(slot);
    if (!there) this.close(slot);
    return there;
  }

  async #obtain(slot) {
    if (slot === "screen") return openScreen();
    if (this.source === "generated") {
      this.#generated ??= generate(this.#number);
      return slot === "sound" ? this.#generated.audio : this.#generated.video;
    }
    return slot === "sound" ? openMicrophone(this.microphone, this.processing) : openCamera(this.camera);
  }

  #changed(slot) {
    this.dispatchEvent(new CustomEvent("change", { detail: slot }));
  }
}
