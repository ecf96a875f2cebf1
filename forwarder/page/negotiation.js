// Offer and answer between one RTCPeerConnection and the forwarder (RFC 9429). One exchange at a time, in the order in which
// they were wanted. When both sides offer at once, ours goes through and the forwarder takes its own back; what it still wants
// then, it offers again.

import { Problem } from "./api.js";

export class Negotiation {
  #connection;
  #signalling;
  #onApplied;
  #onFailed;
  #tail = Promise.resolve();
  #waiting = 0;
  #wanted = false;
  // An offer that was taken back is needed again at once; when it is made again is for the caller to say.
  #failing = false;
  #version = 0;

  /**
   * `signalling` carries descriptions: `offer(sdp)` gives the answer, `answer(sdp, version)` takes one, `outstanding()` gives
   * the forwarder's offer `{ sdp, version }` if there is one. `onApplied()` is called after each exchange, `onFailed(error)`
   * where one did not come about: then nothing is offered before `want()`.
   */
  constructor(connection, signalling, { onApplied, onFailed }) {
    this.#connection = connection;
    this.#signalling = signalling;
    this.#onApplied = onApplied;
    this.#onFailed = onFailed;
    connection.addEventListener("negotiationneeded", () => this.#failing || this.want());
  }

  /** Offers what is different here. */
  want() {
    this.#failing = false;
    if (this.#wanted) return;
    this.#wanted = true;
    this.#queue(async () => {
      this.#wanted = false;
      await this.#offer();
    });
  }

  /** The forwarder has an offer. */
  hear(offer) {
    // With an exchange of ours under way, who was first? The forwarder knows: it says which offer of its own still stands.
    const alone = this.#waiting === 0;
    this.#queue(async () => {
      const standing = alone ? offer : await this.#signalling.outstanding();
      if (standing !== undefined) await this.#take(standing);
    });
  }

  /** Asks for an offer that may have been missed. */
  look() {
    this.#queue(async () => {
      const standing = await this.#signalling.outstanding();
      if (standing !== undefined) await this.#take(standing);
    });
  }

  #queue(step) {
    this.#waiting += 1;
    this.#tail = this.#tail.then(async () => {
      try {
        if (this.#connection.signalingState !== "closed") await step();
      } catch (error) {
        if (this.#connection.signalingState !== "closed") this.#onFailed(error);
      } finally {
        this.#waiting -= 1;
      }
    });
  }

  async #offer() {
    const connection = this.#connection;
    await connection.setLocalDescription();
    let sdp;
    try {
      sdp = await this.#signalling.offer(connection.localDescription.sdp);
    } catch (error) {
      this.#failing = true;
      if (connection.signalingState === "have-local-offer") await connection.setLocalDescription({ type: "rollback" });
      throw error;
    }
    await connection.setRemoteDescription({ type: "answer", sdp });
    this.#onApplied();
  }

  async #take({ sdp, version }) {
    if (version <= this.#version) return;
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: "offer", sdp });
    await connection.setLocalDescription();
    this.#version = version;
    try {
      await this.#signalling.answer(connection.localDescription.sdp, version);
    } catch (error) {
      // It was taken back meanwhile: an offer of ours says where we stand, and all is even again.
      if (!(error instanceof Problem && error.status === 409)) throw error;
      this.want();
    }
    this.#onApplied();
  }
}
