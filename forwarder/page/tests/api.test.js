import assert from "node:assert/strict";
import test from "node:test";

import { Api, Problem } from "../api.js";

/** What a request would have borne. */
async function bearer(api) {
  const { fetch } = globalThis;
  let headers;
  globalThis.fetch = async (path, options) => {
    headers = options.headers;
    return new Response("{}", { status: 200 });
  };
  try {
    await api.ask("GET", "/v0/access");
  } finally {
    globalThis.fetch = fetch;
  }
  return headers.Authorization;
}

test("a token goes along, and after it was renewed the new one does", async () => {
  const api = new Api("old");
  assert.equal(await bearer(api), "Bearer old");
  api.renew("new");
  assert.equal(await bearer(api), "Bearer new");
  assert.equal(await bearer(new Api()), undefined);
});

test("what passes by itself is asked for again, what does not is not", () => {
  assert.deepEqual([429, 503, 401, 404].map((status) => new Problem(status).passes), [true, true, false, false]);
});
