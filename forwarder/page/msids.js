// Which publication of whom a description puts on which m-line. A receiver's own track id is no use for that: it stays when
// an m-line is given to another publication.

/** `Map` from mid to `{ session, publication }`, of the m-lines that the description's author sends (RFC 8830). */
export function readMsids(sdp) {
  const found = new Map();
  let section;
  const end = () => {
    if (section?.mid !== undefined && section.msid && section.sends) found.set(section.mid, section.msid);
  };
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith("m=")) {
      end();
      section = { sends: true };
    } else if (section === undefined) {
      continue;
    } else if (line.startsWith("a=mid:")) {
      section.mid = line.slice(6).trim();
    } else if (line.startsWith("a=msid:") && !section.msid) {
      const [session, publication = ""] = line.slice(7).trim().split(/\s+/);
      if (session !== "-") section.msid = { session, publication };
    } else if (line === "a=recvonly" || line === "a=inactive") {
      section.sends = false;
    }
  }
  end();
  return found;
}
