// How long to wait before something is tried again: longer each time, and not all clients at the same moment.

export class Backoff {
  #tries = 0;
  #first;
  #most;
  #random;

  /** Milliseconds before the second try at first, and at most. */
  constructor({ first = 250, most = 10_000, random = Math.random } = {}) {
    this.#first = first;
    this.#most = most;
    this.#random = random;
  }

  /** Milliseconds to wait now: half of it is left to chance. */
  next() {
    const whole = Math.min(this.#most, this.#first * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, 32);
    return whole * (0.5 + this.#random() / 2);
  }

  /** It worked. */
  reset() {
    this.#tries = 0;
  }
}

/** Waits, unless `signal` says that nobody is interested any more: then it throws. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
