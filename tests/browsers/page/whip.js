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
  await peer.describe();
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
  if (response.ok) {
    peer.resource = new URL(outcome.location, url).href;
    peer.answer = body;
    await peer.accept(only(body, candidates));
  }
  return outcome;
}

// Restarts ICE (RFC 9725, section 4.3.3): no offer and no answer, credentials and candidates alone.
export async function restart(peer, { token, candidates }) {
  const offer = await peer.offer({ restart: true });
  const response = await fetch(peer.resource, {
    method: 'PATCH',
    headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*', ...(token && { authorization: `Bearer ${token}` }) },
    body: fragment(offer),
  });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`PATCH answered ${response.status}: ${body}`);
  peer.answer = renewed(peer.answer, body);
  await peer.accept(only(peer.answer, candidates));
  return { etag: response.headers.get('etag') };
}

const ICE = ['a=ice-ufrag:', 'a=ice-pwd:', 'a=candidate:'];
const isIce = line => ICE.some(start => line.startsWith(start));
const linesOf = sdp => sdp.split(/\r?\n/);

// What of an offer a fragment has (RFC 8840, section 9): of the m-line that all are bundled with, its transport.
function fragment(offer) {
  const [session, first] = offer.split(/^(?=m=)/m).map(linesOf);
  const bundle = session.filter(line => line.startsWith('a=group:'));
  const media = first.filter(line => /^m=|^a=mid:/.test(line) || isIce(line));
  return [...bundle, ...media, 'a=end-of-candidates', ''].join('\r\n');
}

// An answer with the ICE credentials and candidates of a fragment, everything else as it was.
function renewed(answer, fragment) {
  const ours = linesOf(fragment).filter(isIce);
  const [credentials, candidates] = [ours.filter(line => !line.startsWith(ICE[2])), ours.filter(line => line.startsWith(ICE[2]))];
  const parts = answer.split(/^(?=m=)/m).map(part => linesOf(part).filter(line => line && !isIce(line)));
  const media = parts.slice(1).map((lines, n) => [...lines, ...credentials, ...(n === 0 ? candidates : [])]);
  return [parts[0], ...media].flat().concat('').join('\r\n');
}

// Waits until an endpoint answers. After a change of the network a browser may hold to connections of the one before, which are dead:
// giving a request up closes its connection.
export async function reach({ url }) {
  for (;;) {
    try {
      return (await fetch(url, { method: 'OPTIONS', signal: AbortSignal.timeout(2000) })).status;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }
}

// Ends what the POST made.
export async function leave(peer, { token }) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(peer.resource, { method: 'DELETE', headers });
  if (!response.ok) throw new Error(`DELETE answered ${response.status}: ${await response.text()}`);
  peer.close();
}
