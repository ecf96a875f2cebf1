// Peer connections of this page, each with a name, and what they send and get.

import { Picture } from './picture.js';
import { Reader } from './reader.js';
import { Ear, Tone } from './tone.js';

export class Peer {
  constructor() {
    this.connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.sources = new Map();
    this.readers = new Map();
    this.ears = new Map();
    this.states = [];
    this.opus = null;
    this.connection.addEventListener('track', event => this.got(event));
    this.connection.addEventListener('connectionstatechange', () => this.became(this.connection.connectionState));
    // ICE has found a way; DTLS is not done before the connection is `connected`.
    this.connection.addEventListener('iceconnectionstatechange', () => this.became(`ice ${this.connection.iceConnectionState}`));
  }

  // Adds tracks: `picture` {stream, width, height, torn} and `tone` in Hz, each optional; `right` if another tone is to be on the
  // right; `codec` such as "VP8" and its `format`, as in `a=fmtp`, for the picture, `kept` if it is to keep its size, `redundant` if
  // sound is to be sent by RED (RFC 2198).
  async publish({ picture, tone, right, codec, format, kept, redundant }) {
    const stream = new MediaStream();
    if (tone) {
      const source = await Tone.start(tone, right);
      const transceiver = this.connection.addTransceiver(source.track, { direction: 'sendonly', streams: [stream] });
      if (redundant) preferRed(transceiver);
      this.sources.set(transceiver, source);
    }
    if (picture) {
      const source = new Picture(picture);
      const transceiver = this.connection.addTransceiver(source.track, { direction: 'sendonly', streams: [stream] });
      if (codec) prefer(transceiver, 'video', codec, format);
      if (kept) await keep(transceiver.sender);
      this.sources.set(transceiver, source);
    }
  }

  // Makes room for tracks of these kinds.
  subscribe({ kinds, codec }) {
    for (const kind of kinds) {
      const transceiver = this.connection.addTransceiver(kind, { direction: 'recvonly' });
      if (codec && kind === 'video') prefer(transceiver, kind, codec);
    }
  }

  // Asks for what the forwarder does not have: sound by a codec that it does not carry, and a channel of data.
  ask_for_more() {
    prefer(this.connection.addTransceiver('audio'), 'audio', 'PCMU');
    this.channel = this.connection.createDataChannel('chat');
  }

  // More parameters of Opus for offers to come (RFC 7587).
  tune({ opus }) {
    this.opus = opus;
  }

  // Whether tones are silent.
  quiet({ quiet }) {
    for (const source of this.sources.values()) source.quiet?.(quiet);
  }

  // Stops sending tracks of a kind; the next offer tells.
  unpublish({ kind }) {
    for (const [transceiver, source] of this.sources) {
      if (source.track.kind === kind) {
        transceiver.stop();
        source.stop();
        this.sources.delete(transceiver);
      }
    }
  }

  // Ends the m-lines on which tracks of a kind come; the next offer tells.
  unsubscribe({ kind }) {
    for (const transceiver of this.connection.getTransceivers()) {
      const comes = !this.sources.has(transceiver) && transceiver.receiver.track.kind === kind;
      if (comes && transceiver.direction !== 'stopped') transceiver.stop();
    }
  }

  // An offer with all candidates in it.
  async offer({ restart } = {}) {
    await this.describe({ iceRestart: restart ?? false });
    return this.gathered();
  }

  // Sets an offer as the local description.
  async describe(options) {
    const { type, sdp } = await this.connection.createOffer(options);
    await this.connection.setLocalDescription({ type, sdp: this.opus ? tuned(sdp, this.opus) : sdp });
  }

  async answerTo(sdp) {
    await this.connection.setRemoteDescription({ type: 'offer', sdp });
    await this.connection.setLocalDescription();
    return this.gathered();
  }

  accept(sdp) {
    return this.connection.setRemoteDescription({ type: 'answer', sdp });
  }

  async gathered() {
    const { connection } = this;
    if (connection.iceGatheringState !== 'complete') {
      await new Promise(resolve => {
        connection.addEventListener('icegatheringstatechange', () => connection.iceGatheringState === 'complete' && resolve());
      });
    }
    return connection.localDescription.sdp;
  }

  became(state) {
    this.states.push({ state, at: Date.now() });
  }

  got({ track, transceiver }) {
    // The first packet unmutes a track.
    track.addEventListener('unmute', () => this.became(`${track.kind} came`));
    // The same track begins anew when its m-line receives again.
    if (this.readers.has(transceiver) || this.ears.has(transceiver)) return;
    if (track.kind === 'video') {
      this.readers.set(transceiver, new Reader(track));
    } else {
      this.ears.set(transceiver, new Ear(track));
    }
  }

  report() {
    const { connection } = this;
    return {
      state: connection.connectionState,
      channel: this.channel?.readyState ?? null,
      states: this.states,
      pictures: [...this.readers].map(([transceiver, reader]) => ({ mid: transceiver.mid, ended: isOver(transceiver), ...reader.report() })),
      sounds: [...this.ears].map(([{ mid }, ear]) => ({ mid, ...ear.heard })),
    };
  }

  // getStats, by type: the fields of the standard as the browser has them.
  async stats() {
    const all = { outbound: [], inbound: [], remote_inbound: [], remote_outbound: [], source: [], transport: [], pair: [], codec: {}, format: {} };
    const lists = {
      'outbound-rtp': all.outbound,
      'inbound-rtp': all.inbound,
      'remote-inbound-rtp': all.remote_inbound,
      'remote-outbound-rtp': all.remote_outbound,
      'media-source': all.source,
      transport: all.transport,
    };
    const report = await this.connection.getStats();
    for (const entry of report.values()) {
      lists[entry.type]?.push(entry);
      if (entry.type === 'candidate-pair' && entry.state === 'succeeded' && entry.nominated) {
        all.pair.push({ ...entry, local: report.get(entry.localCandidateId), remote: report.get(entry.remoteCandidateId) });
      }
      if (entry.type === 'codec') {
        all.codec[entry.id] = entry.mimeType;
        all.format[entry.id] = entry.sdpFmtpLine ?? '';
      }
    }
    return all;
  }

  // Pictures that could not be read, as addresses of data.
  damaged() {
    return [...this.readers.values()].flatMap(reader => reader.damaged);
  }

  close() {
    this.connection.close();
    for (const part of [...this.sources.values(), ...this.readers.values(), ...this.ears.values()]) part.stop();
  }
}

// Whether nothing comes on an m-line any more.
function isOver({ receiver, currentDirection }) {
  return receiver.track.readyState === 'ended' || !['recvonly', 'sendrecv'].includes(currentDirection);
}

// However few bits or cycles there are, the picture keeps its size.
function keep(sender) {
  return sender.setParameters({ ...sender.getParameters(), degradationPreference: 'maintain-resolution' });
}

// RED first, and all others after it.
function preferRed(transceiver) {
  const { codecs } = RTCRtpSender.getCapabilities('audio');
  const isRed = codec => codec.mimeType.toLowerCase() === 'audio/red';
  transceiver.setCodecPreferences([...codecs.filter(isRed), ...codecs.filter(codec => !isRed(codec))]);
}

// Only this codec, in this format if one is named, and its retransmissions.
function prefer(transceiver, kind, name, format) {
  const sends = transceiver.direction === 'sendonly';
  const { codecs } = (sends ? RTCRtpSender : RTCRtpReceiver).getCapabilities(kind);
  const wanted = [`${kind}/${name}`.toLowerCase(), `${kind}/rtx`];
  const isFormat = codec => !format || !codec.sdpFmtpLine || codec.sdpFmtpLine === format;
  transceiver.setCodecPreferences(codecs.filter(codec => wanted.includes(codec.mimeType.toLowerCase()) && isFormat(codec)));
}

// A description whose Opus has more parameters.
function tuned(sdp, parameters) {
  const [, type] = /^a=rtpmap:(\d+) opus\//im.exec(sdp);
  return sdp.replace(new RegExp(`^a=fmtp:${type} .*`, 'm'), line => `${line};${parameters}`);
}

// The formats of a codec of pictures that the browser sends, as in `a=fmtp`.
export function formats({ codec }) {
  const all = RTCRtpSender.getCapabilities('video').codecs;
  return all.filter(one => one.mimeType.toLowerCase() === `video/${codec}`.toLowerCase()).map(one => one.sdpFmtpLine);
}

// Names of the codecs that the browser sends and takes.
export function codecs() {
  const names = side => {
    const all = ['audio', 'video'].flatMap(kind => side.getCapabilities(kind).codecs);
    return [...new Set(all.map(codec => codec.mimeType.split('/')[1].toUpperCase()))];
  };
  return { sends: names(RTCRtpSender), takes: names(RTCRtpReceiver) };
}
