import { only } from './candidates.js';

// WHIP (RFC 9725) and WHEP from a page: one POST of an offer, the answer in its reply.

// Publishes what the peer sends. `url` is the endpoint; `candidates` tells which of the forwarder's it is to learn.
export function whip(peer, given) {
  return call(peer, given);
}

// Plays. The time of the first picture after the POST is in the peer's report.
export function whep(peer, given) {
  peer.subscribe({ kinds: given.kinds ?? ['audio', 'video'], codec: given.codec });
  return call(peer, given);
}

async function call(peer, { url, token, candidates, wait }) {
  const { connection } = peer;
  await connection.setLocalDescription();
  const offer = wait ? await peer.gathered() : connection.localDescription.sdp;
  const posted = Date.now();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...(token && { authorization: `Bearer ${token}` }) },
    body: offer,
  });
  const body = await response.text();
  const outcome = {
    status: response.status,
    posted,
    answered: Date.now(),
    type: response.headers.get('content-type'),
    location: response.headers.get('location'),
    etag: response.headers.get('etag'),
    body: response.ok ? null : body,
  };
  if (response.ok) peer.resource = new URL(outcome.location, url).href;
  if (response.ok) await peer.accept(only(body, candidates));
  return outcome;
}

// Ends what the POST made.
export async function leave(peer, { token }) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(peer.resource, { method: 'DELETE', headers });
  if (!response.ok) throw new Error(`DELETE answered ${response.status}: ${await response.text()}`);
  peer.close();
}
