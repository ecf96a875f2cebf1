// What the node counts packets under, for people. `passed` went up the network stack, `carried` is work that was done,
// `dropped` is what somebody may miss.

const PASSED = "passed";
const CARRIED = "carried";
const DROPPED = "dropped";

/** Label to what kind it is and what it says. */
export const REASONS = {
  not_ours: [PASSED, "not for a media address of this node"],
  fragment: [PASSED, "an IP fragment, which the network stack puts together"],
  ip_options: [PASSED, "IPv4 options"],
  extension_header: [PASSED, "IPv6 extension headers"],
  foreign_mac: [PASSED, "our address, but another destination MAC"],
  stun: [PASSED, "STUN, for control"],
  dtls: [PASSED, "DTLS, for control"],
  rtcp: [PASSED, "RTCP, for control"],
  unknown_stream: [PASSED, "RTP that nobody has published"],
  malformed: [DROPPED, "lengths that contradict each other, or no RTP header"],
  not_media: [DROPPED, "to a media address, but no STUN, DTLS, RTP or RTCP"],
  refused_payload_type: [DROPPED, "a payload type that collides with RTCP"],
  no_members: [CARRIED, "taken, and nobody is subscribed"],
  queue_full: [DROPPED, "more packets waited than the queue holds"],
  surplus: [CARRIED, "a clone beyond the members of its broadcast"],
  removed: [CARRIED, "a replica whose subscriber had just left"],
  stale_hop: [DROPPED, "a replica whose next hop had been replaced"],
  lease_expired: [DROPPED, "a replica past its lease: consent, or the node, is gone"],
  unresolved: [DROPPED, "a replica whose next hop has no known MAC"],
  too_big: [DROPPED, "a replica larger than the MTU"],
  no_room: [DROPPED, "a frame that could not grow as needed"],
  foreign_frame: [DROPPED, "a frame on the loop that is not of this run"],
  stalled: [DROPPED, "lost on the loop"],
  taken: [CARRIED, "packets taken for forwarding"],
  sent: [CARRIED, "replicas handed to a device or a socket"],
  punted: [CARRIED, "packets copied to the socket worker"],
  punt_full: [DROPPED, "the ring of the socket worker was full"],
  no_device: [DROPPED, "the device is not there any more"],
  send_failed: [DROPPED, "a replica that the socket did not take"],
  queued: [CARRIED, "packets that waited for their turn"],
  steered: [CARRIED, "packets handed to the ring of a worker"],
  unknown_pair: [DROPPED, "media from an address that ICE has not validated"],
  unknown_ufrag: [DROPPED, "STUN that names none of our sessions"],
  metered: [DROPPED, "more STUN from one address than a client needs"],
  ring_full: [DROPPED, "the ring of the worker was full"],
  video_shed: [DROPPED, "video, so that there is room for sound"],
  stale_slot: [DROPPED, "a clone whose slot had been given away"],
  replayed: [DROPPED, "an SRTP packet that was seen before"],
  unauthentic: [DROPPED, "an SRTP tag that does not verify"],
  unknown_ssrc: [DROPPED, "an SSRC that no publication claims"],
  unmapped_payload_type: [DROPPED, "a payload type that is not negotiated"],
  opened: [CARRIED, "SRTP packets opened"],
  sealed: [CARRIED, "replicas sealed"],
  no_pair: [DROPPED, "a replica for a session that is not connected"],
  before_leg: [CARRIED, "a packet from before the subscription began"],
  slots_full: [DROPPED, "no slot became free in time"],
  tcp_full: [DROPPED, "the queue of a TCP connection was full"],
  seal_failed: [DROPPED, "a replica that could not be sealed"],
};

/** A reason that is not in the list is new, and worth to be seen. */
export const isDrop = (label) => (REASONS[label]?.[0] ?? DROPPED) === DROPPED;

export const meaning = (label) => REASONS[label]?.[1] ?? "";
