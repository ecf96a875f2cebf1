//! A peer: str0m by its direct API, which needs no SDP.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use str0m::{
    Candidate, Event, IceCreds, Input, Output, Rtc,
    config::Fingerprint,
    format::Codec,
    media::{MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RawPacket, RtpWrite, Ssrc, rtcp::Rtcp},
};

/// Payload types of str0m.
pub const VP8: u8 = 96;
pub const OPUS: u8 = 111;

/// An RTP packet as the peer got it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at: u64,
    pub ssrc: u32,
    pub payload_type: u8,
    pub sequence: u64,
    pub timestamp: u32,
    pub mid: Option<String>,
    pub transport_cc: Option<u16>,
    pub payload: Vec<u8>,
}

/// What a peer sends on one m-line.
pub struct Stream {
    pub kind: MediaKind,
    pub payload_type: u8,
    pub next: u64,
    pub sequence: u64,
    pub timestamp: u32,
    pub keyframe: bool,
    pub sent: Vec<Vec<u8>>,
}

impl Stream {
    const fn new(now: u64, kind: MediaKind) -> Self {
        Self {
            kind,
            payload_type: match kind {
                MediaKind::Audio => OPUS,
                MediaKind::Video => VP8,
            },
            next: now,
            // A few packets before a wrap.
            sequence: 65_500,
            timestamp: 0xffff_0000,
            keyframe: true,
            sent: Vec::new(),
        }
    }
}

pub struct Peer {
    pub rtc: Rtc,
    pub base: (u64, Instant),
    pub addresses: Vec<SocketAddr>,
    pub due: u64,
    pub out: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub heard: Vec<Heard>,
    pub rtcp: Vec<(u64, Rtcp)>,
    pub keyframes_asked: Vec<u64>,
    pub estimate: Option<f64>,
    pub connected: bool,
    pub closed: bool,
    pub streams: BTreeMap<Mid, Stream>,
    /// Nothing goes out any more.
    pub dead: bool,
}

impl Peer {
    pub fn new(base: (u64, Instant), now: u64, address: SocketAddr) -> Self {
        let at = instant(base, now);
        let rtc = Rtc::builder()
            .set_rtp_mode(true)
            .enable_raw_packets(true)
            .enable_bwe(Some(str0m::bwe::Bitrate::kbps(500)))
            .build(at);
        let mut peer = Self {
            rtc,
            base,
            addresses: Vec::new(),
            due: now,
            out: Vec::new(),
            heard: Vec::new(),
            rtcp: Vec::new(),
            keyframes_asked: Vec::new(),
            estimate: None,
            connected: false,
            closed: false,
            streams: BTreeMap::new(),
            dead: false,
        };
        peer.rtc.direct_api().set_ice_controlling(true);
        peer.add_address(address);
        peer
    }

    /// Uses one more address.
    pub fn add_address(&mut self, address: SocketAddr) {
        let candidate = Candidate::host(address, "udp").unwrap();
        self.rtc.add_local_candidate(candidate);
        self.addresses.push(address);
    }

    pub fn credentials(&mut self) -> (String, String) {
        let held = self.rtc.direct_api().local_ice_credentials();
        (held.ufrag, held.pass)
    }

    pub fn fingerprint(&mut self) -> String {
        let held = self.rtc.direct_api().local_dtls_fingerprint().clone();
        let pairs = held.bytes.iter().map(|byte| format!("{byte:02X}"));
        pairs.collect::<Vec<_>>().join(":")
    }

    /// Takes in what the node answered.
    pub fn answer(
        &mut self,
        (ufrag, pwd): (&str, &str),
        server: SocketAddr,
        certificate: &str,
        active: bool,
    ) {
        let bytes = certificate
            .split(':')
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        self.rtc
            .add_remote_candidate(Candidate::host(server, "udp").unwrap());
        let mut api = self.rtc.direct_api();
        api.set_remote_ice_credentials(IceCreds {
            ufrag: ufrag.to_owned(),
            pass: pwd.to_owned(),
        });
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes,
        });
        api.start_dtls(active).unwrap();
    }

    /// Begins to send on an m-line that was negotiated.
    pub fn begin(&mut self, now: u64, mid: Mid, kind: MediaKind) {
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, None) {
            stream.set_unpaced(true);
        }
        let codec = if kind == MediaKind::Video {
            Codec::Vp8
        } else {
            Codec::Opus
        };
        let config = self.rtc.codec_config();
        let format = config.find(|params| params.spec().codec == codec).unwrap();
        let payload_type = *format.pt();
        let stream = Stream {
            payload_type,
            ..Stream::new(now, kind)
        };
        self.streams.insert(mid, stream);
    }

    /// Begins to send an m-line.
    pub fn send(&mut self, now: u64, mid: &str, kind: MediaKind, ssrc: u32) {
        let mid = Mid::from(mid);
        let mut api = self.rtc.direct_api();
        api.declare_media(mid, kind);
        // Media leaves when it is written: the pacer would hold it back until the estimate has grown.
        api.declare_stream_tx(ssrc.into(), None, mid, None)
            .set_unpaced(true);
        self.streams.insert(mid, Stream::new(now, kind));
    }

    /// Expects an m-line.
    pub fn expect(&mut self, mid: &str, kind: MediaKind, ssrc: u32) {
        let mid = Mid::from(mid);
        let mut api = self.rtc.direct_api();
        api.declare_media(mid, kind);
        api.expect_stream_rx(ssrc.into(), None, mid, None);
    }

    /// Expects an m-line no longer.
    pub fn forget(&mut self, mid: &str) {
        self.rtc.direct_api().remove_media(Mid::from(mid));
    }

    /// The SSRCs that BYE named.
    pub fn said_goodbye(&self) -> Vec<u32> {
        let goodbye = |(_, rtcp): &(u64, Rtcp)| match rtcp {
            Rtcp::Goodbye(goodbye) => goodbye.reports.iter().map(|ssrc| **ssrc).collect(),
            _ => Vec::new(),
        };
        self.rtcp.iter().flat_map(goodbye).collect()
    }

    pub fn ask_keyframe(&mut self, ssrc: u32) {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&Ssrc::from(ssrc)).unwrap();
        stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    }

    pub fn poll_timeout(&self) -> u64 {
        let media = self.streams.values().map(|stream| stream.next).min();
        let media = media.filter(|_| self.connected).unwrap_or(u64::MAX);
        self.due.min(media)
    }

    pub fn handle_timeout(&mut self, now: u64) {
        if self.connected {
            self.write_media(now);
        }
        self.input(now, None);
    }

    pub fn receive(&mut self, now: u64, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        self.input(now, Some((source, destination, bytes)));
    }

    fn write_media(&mut self, now: u64) {
        let wallclock = instant(self.base, now);
        for (mid, stream) in &mut self.streams {
            if stream.next > now {
                continue;
            }
            let video = stream.kind == MediaKind::Video;
            let number = stream.sent.len() as u32;
            let mut payload = if video {
                let tag = if stream.keyframe { 0x50 } else { 0x51 };
                vec![0x10, tag, 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 1]
            } else {
                vec![0x78]
            };
            stream.keyframe = false;
            payload.extend(number.to_be_bytes());
            payload.resize(if video { 1000 } else { 100 }, number as u8);
            stream.sent.push(payload.clone());
            let mut api = self.rtc.direct_api();
            // Negotiation may have ended it.
            let Some(writer) = api.stream_tx_by_mid(*mid, None) else {
                stream.next = u64::MAX;
                continue;
            };
            let write = RtpWrite::new(
                stream.payload_type.into(),
                stream.sequence.into(),
                stream.timestamp,
                wallclock,
                payload,
            );
            let values = ExtensionValues::default();
            writer.write_rtp(write.marker(true).ext_vals(values));
            stream.sequence += 1;
            stream.timestamp = stream.timestamp.wrapping_add(if video { 900 } else { 480 });
            stream.next += 10_000_000;
        }
    }

    fn input(&mut self, now: u64, datagram: Option<(SocketAddr, SocketAddr, &[u8])>) {
        let at = instant(self.base, now);
        let input = match datagram {
            None => Input::Timeout(at),
            Some((source, destination, bytes)) => Input::Receive(
                at,
                Receive {
                    proto: Protocol::Udp,
                    source,
                    destination,
                    contents: bytes.try_into().unwrap(),
                },
            ),
        };
        if self.rtc.handle_input(input).is_err() {
            self.closed = true;
        }
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    let due = at.saturating_duration_since(self.base.1).as_nanos() as u64;
                    self.due = (self.base.0 + due).max(now + 1_000_000);
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    if !self.dead && self.addresses.contains(&transmit.source) {
                        self.out.push((
                            transmit.source,
                            transmit.destination,
                            transmit.contents.to_vec(),
                        ));
                    }
                }
                Ok(Output::Event(event)) => self.event(now, event),
                Err(_) => {
                    self.closed = true;
                    self.due = u64::MAX;
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: u64, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::KeyframeRequest(request) => {
                self.keyframes_asked.push(now);
                // It may not have begun to send.
                if let Some(stream) = self.streams.get_mut(&request.mid) {
                    stream.keyframe = true;
                }
            }
            Event::EgressBitrateEstimate(str0m::bwe::BweKind::Twcc { estimate, .. }) => {
                self.estimate = Some(estimate.as_f64());
            }
            Event::RtpPacket(packet) => self.heard.push(Heard {
                at: now,
                ssrc: *packet.header.ssrc,
                payload_type: *packet.header.payload_type,
                sequence: *packet.seq_no,
                timestamp: packet.header.timestamp,
                mid: packet.header.ext_vals.mid.map(|mid| mid.to_string()),
                transport_cc: packet.header.ext_vals.transport_cc,
                payload: packet.payload.to_vec(),
            }),
            Event::RawPacket(packet) => {
                if let RawPacket::RtcpRx(rtcp) = *packet {
                    self.rtcp.push((now, rtcp));
                }
            }
            _ => {}
        }
    }

    /// str0m's payload types are what the tests take them for.
    pub fn check_payload_types(&self) {
        let config = self.rtc.codec_config();
        let of = |codec| {
            config
                .find(|params| params.spec().codec == codec)
                .unwrap()
                .pt()
        };
        assert_eq!((*of(Codec::Vp8), *of(Codec::Opus)), (VP8, OPUS));
    }
}

fn instant(base: (u64, Instant), now: u64) -> Instant {
    base.1 + std::time::Duration::from_nanos(now - base.0)
}
