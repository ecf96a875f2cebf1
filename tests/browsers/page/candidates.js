// Which candidates of the forwarder a peer learns: `udp4`, `udp6`, `tcp`, or all of them.

export function isWanted({ protocol, address }, wanted) {
  if (!wanted) return true;
  return protocol === 'tcp' ? wanted === 'tcp' : wanted === (address.includes(':') ? 'udp6' : 'udp4');
}

// A description with these alone.
export function only(sdp, wanted) {
  const keep = line => {
    if (!line.startsWith('a=candidate:')) return true;
    const [, , protocol, , address] = line.split(' ');
    return isWanted({ protocol: protocol.toLowerCase(), address }, wanted);
  };
  return sdp.split('\r\n').filter(keep).join('\r\n');
}
