// What the driver calls: actions by name, each on a peer by name.

import * as ortc from './ortc.js';
import { Peer, codecs, formats } from './peer.js';
import { leave, reach, restart, whep, whip } from './whip.js';

const peers = new Map();

function peer(name) {
  const found = peers.get(name);
  if (!found) throw new Error(`no peer ${name}`);
  return found;
}

const actions = {
  codecs,
  formats,
  make({ peer: name }) {
    peers.set(name, new Peer());
  },
  publish: given => peer(given.peer).publish(given),
  subscribe: given => peer(given.peer).subscribe(given),
  ask_for_more: given => peer(given.peer).ask_for_more(),
  tune: given => peer(given.peer).tune(given),
  quiet: given => peer(given.peer).quiet(given),
  unpublish: given => peer(given.peer).unpublish(given),
  unsubscribe: given => peer(given.peer).unsubscribe(given),
  offer: given => peer(given.peer).offer(given),
  answer: given => peer(given.peer).answerTo(given.sdp),
  accept: given => peer(given.peer).accept(given.sdp),
  told: given => peer(given.peer).connection.currentRemoteDescription?.sdp,
  parameters: given => ortc.parameters(peer(given.peer).connection.localDescription.sdp),
  accept_session: given => peer(given.peer).accept(ortc.answer(peer(given.peer).connection.localDescription.sdp, given)),
  whip: given => whip(peer(given.peer), given),
  whep: given => whep(peer(given.peer), given),
  reach,
  restart: given => restart(peer(given.peer), given),
  leave: given => leave(peer(given.peer), given),
  report: given => peer(given.peer).report(),
  stats: given => peer(given.peer).stats(),
  damaged: () => [...peers.values()].flatMap(one => one.damaged()),
  close({ peer: name }) {
    peer(name).close();
    peers.delete(name);
  },
};

window.rig = async (name, given) => (await actions[name](given)) ?? null;
