// Requests to the forwarder's API.

/** A refusal, as the API tells it (RFC 9457), or as much of it as there was. */
export class Problem extends Error {
  constructor(status, document = {}) {
    const parts = [document.title, document.detail].filter((text) => typeof text === "string" && text !== "");
    super(parts.join(": ") || `The forwarder answered ${status}.`);
    this.name = "Problem";
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 429 || this.status >= 500;
  }
}

/** The API, asked with a token, a key, or without either. */
export class Api {
  #token;

  constructor(token = "") {
    this.#token = token;
  }

  /** Asks with another token from now on. */
  renew(token) {
    this.#token = token;
  }

  /** Asks; throws a [Problem] unless the answer is a success, and a TypeError where nobody answers. */
  async request(method, path, { body, headers = {}, ...options } = {}) {
    const all = { Accept: "application/json", ...headers };
    if (this.#token) all.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const response = await fetch(path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      ...options,
    });
    if (!response.ok) throw new Problem(response.status, await json(response));
    return response;
  }

  /** Asks for a document; `undefined` where there is none (204). */
  async ask(method, path, options) {
    const response = await this.request(method, path, options);
    return response.status === 204 ? undefined : response.json();
  }
}

async function json(response) {
  try {
    const document = await response.json();
    return document !== null && typeof document === "object" ? document : {};
  } catch {
    return {};
  }
}

/** A part of a path. */
export const part = encodeURIComponent;
