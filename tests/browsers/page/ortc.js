import { isWanted } from './candidates.js';

// From SDP to the parameters of ORTC that sessions are made of, and back: what a page does that talks to the control API of
// the forwarder without offers and answers.

// What an offer says of the transport and of each m-line.
export function parameters(sdp) {
  const [session, ...media] = sdp.split(/^(?=m=)/m).map(part => part.trim().split(/\r?\n/));
  const value = (lines, name) => lines.find(line => line.startsWith(`a=${name}:`))?.slice(name.length + 3);
  const common = name => value(session, name) ?? value(media[0], name);
  const [algorithm, fingerprint] = common('fingerprint').split(' ');
  return {
    ice: { ufrag: common('ice-ufrag'), pwd: common('ice-pwd') },
    dtls: { role: 'auto', fingerprints: [{ algorithm, value: fingerprint }] },
    lines: media.map(lines => ({
      kind: lines[0].slice(2).split(' ')[0],
      mid: value(lines, 'mid'),
      codecs: codecs(lines),
      header_extensions: all(lines, /^a=extmap:(\d+)(?:\/\w+)? (\S+)/).map(([id, uri]) => ({ id: Number(id), uri })),
      encodings: encodings(lines),
    })),
  };
}

function all(lines, pattern) {
  return lines.map(line => pattern.exec(line)?.slice(1)).filter(Boolean);
}

function codecs(lines) {
  const formats = new Map(all(lines, /^a=fmtp:(\d+) (.*)/));
  const retransmissions = new Map();
  for (const [type, format] of formats) {
    const original = /^apt=(\d+)/.exec(format)?.[1];
    if (original) retransmissions.set(original, Number(type));
  }
  const known = ['opus', 'vp8', 'vp9', 'h264', 'av1'];
  return all(lines, /^a=rtpmap:(\d+) ([^/]+)\/(\d+)(?:\/(\d+))?/)
    .filter(([, name]) => known.includes(name.toLowerCase()))
    .map(([type, name, rate, channels]) => ({
      payload_type: Number(type),
      name,
      clock_rate: Number(rate),
      ...(channels && { channels: Number(channels) }),
      ...(formats.has(type) && { parameters: formats.get(type) }),
      ...(retransmissions.has(type) && { rtx_payload_type: retransmissions.get(type) }),
    }));
}

function encodings(lines) {
  const group = all(lines, /^a=ssrc-group:FID (\d+) (\d+)/)[0];
  if (group) return [{ ssrc: Number(group[0]), rtx_ssrc: Number(group[1]) }];
  const single = all(lines, /^a=ssrc:(\d+) /)[0];
  return single ? [{ ssrc: Number(single[0]) }] : [];
}

// The answer that the forwarder would have given to an offer. `session` is what it answered to POST /v0/sessions, `accepted`
// names per mid the payload types and feedback, and for a line that it sends on, SSRC and CNAME.
export function answer(offer, { session, accepted, candidates }) {
  const { lines } = parameters(offer);
  const mine = session.ice.candidates.filter(one => isWanted(one, candidates));
  const text = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${lines.map(line => line.mid).join(' ')}`,
    'a=ice-lite',
  ];
  for (const line of lines) {
    const taken = accepted[line.mid];
    const chosen = line.codecs.filter(codec => taken.payload_types.includes(codec.payload_type));
    // The forwarder takes retransmissions, if only as probes of the bandwidth; it sends none.
    const repairs = taken.ssrc === undefined ? chosen.filter(codec => codec.rtx_payload_type !== undefined) : [];
    const types = [...chosen.map(codec => codec.payload_type), ...repairs.map(codec => codec.rtx_payload_type)];
    text.push(`m=${line.kind} 9 UDP/TLS/RTP/SAVPF ${types.join(' ')}`);
    text.push('c=IN IP4 0.0.0.0', `a=mid:${line.mid}`, 'a=rtcp-mux', 'a=rtcp-rsize');
    text.push(`a=ice-ufrag:${session.ice.ufrag}`, `a=ice-pwd:${session.ice.pwd}`);
    const [fingerprint] = session.dtls.fingerprints;
    text.push(`a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`);
    text.push(`a=setup:${session.dtls.role}`, `a=${taken.ssrc === undefined ? 'recvonly' : 'sendonly'}`);
    for (const codec of chosen) {
      const channels = codec.channels ? `/${codec.channels}` : '';
      text.push(`a=rtpmap:${codec.payload_type} ${codec.name}/${codec.clock_rate}${channels}`);
      if (codec.parameters) text.push(`a=fmtp:${codec.payload_type} ${codec.parameters}`);
      const feedback = line.kind === 'video' ? ['transport-cc', 'goog-remb', 'ccm fir', 'nack pli'] : ['transport-cc'];
      for (const kind of feedback) text.push(`a=rtcp-fb:${codec.payload_type} ${kind}`);
    }
    for (const { payload_type: original, rtx_payload_type: type, clock_rate: rate } of repairs) {
      text.push(`a=rtpmap:${type} rtx/${rate}`, `a=fmtp:${type} apt=${original}`);
    }
    for (const { id, uri } of line.header_extensions) text.push(`a=extmap:${id} ${uri}`);
    if (taken.ssrc !== undefined) text.push(`a=msid:${taken.cname} ${line.mid}`, `a=ssrc:${taken.ssrc} cname:${taken.cname}`);
    for (const one of mine) text.push(`a=candidate:${candidate(one)}`);
    text.push('a=end-of-candidates');
  }
  return `${text.join('\r\n')}\r\n`;
}

function candidate({ foundation, component, protocol, priority, address, port, type, tcp_type: tcp }) {
  const over = tcp ? ` tcptype ${tcp}` : '';
  return `${foundation} ${component} ${protocol} ${priority} ${address} ${port} typ ${type}${over}`;
}
