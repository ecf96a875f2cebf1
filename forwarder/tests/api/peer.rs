//! A peer on this host: str0m with a UDP socket, or a TCP connection with frames as RFC 4571 has them.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
pub use str0m::media::Direction;
use str0m::{
    Candidate, Event, IceCreds, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer},
    media::{MediaKind, Mid},
    net::{Protocol, Receive, TcpType},
    rtp::{ExtensionValues, RtpWrite},
};

use crate::rig::{Reply, Rig};

const OPUS: u8 = 111;

enum Road {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

pub struct Peer {
    rtc: Rtc,
    road: Road,
    local: SocketAddr,
    server: SocketAddr,
    due: Instant,
    sequence: u64,
    mid: Mid,
    pub id: String,
    pub connected: bool,
    pub closed: bool,
    /// Payloads that came.
    pub heard: Vec<Vec<u8>>,
}

impl Peer {
    /// Creates a session in the node and begins to connect to it.
    pub fn join(rig: &Rig, tcp: bool) -> Self {
        let road = if tcp {
            let stream = TcpStream::connect(rig.media).unwrap();
            stream.set_nonblocking(true).unwrap();
            Road::Tcp(stream, Vec::new())
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            Road::Udp(socket)
        };
        Self::join_by(rig, road)
    }

    /// Begins anew from the same address, with another session and other keys.
    pub fn join_again(self, rig: &Rig) -> Self {
        Self::join_by(rig, self.road)
    }

    fn join_by(rig: &Rig, road: Road) -> Self {
        let server = rig.media;
        let (local, tcp) = match &road {
            Road::Udp(socket) => (socket.local_addr().unwrap(), false),
            Road::Tcp(stream, _) => (stream.local_addr().unwrap(), true),
        };
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(Instant::now());
        let candidate = |address, active| {
            if tcp {
                let kind = if active {
                    TcpType::Active
                } else {
                    TcpType::Passive
                };
                Candidate::builder()
                    .tcp()
                    .host(address)
                    .tcptype(kind)
                    .build()
                    .unwrap()
            } else {
                Candidate::host(address, "udp").unwrap()
            }
        };
        rtc.add_local_candidate(candidate(local, true)).unwrap();
        rtc.add_remote_candidate(candidate(server, false));
        let mut api = rtc.direct_api();
        api.set_ice_controlling(true);
        let own = api.local_ice_credentials();
        let print = api.local_dtls_fingerprint().to_string();
        let (algorithm, value) = print.split_once(' ').unwrap();
        let body = json!({
            "ice": {"ufrag": own.ufrag, "pwd": own.pass},
            "dtls": {"role": "active", "fingerprints": [{"algorithm": algorithm, "value": value}]},
        });
        let (status, told) = rig.call("POST", "/v0/sessions", &body.to_string());
        assert_eq!(status, 201, "{told}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        api.set_remote_ice_credentials(IceCreds {
            ufrag: text(&told["ice"]["ufrag"]),
            pass: text(&told["ice"]["pwd"]),
        });
        let print = format!(
            "sha-256 {}",
            text(&told["dtls"]["fingerprints"][0]["value"])
        );
        api.set_remote_fingerprint(print.parse().unwrap());
        api.start_dtls(true).unwrap();
        Self {
            rtc,
            road,
            local,
            server,
            due: Instant::now(),
            sequence: 1000,
            mid: Mid::from("0"),
            id: text(&told["id"]),
            connected: false,
            closed: false,
            heard: Vec::new(),
        }
    }

    /// Publishes sound to a room by WHIP, or plays a room by WHEP; gives the answer to the POST, too.
    pub fn offer(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> (Self, Reply) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let direction = match path.starts_with("/whip/") {
            true => Direction::SendOnly,
            false => Direction::RecvOnly,
        };
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, direction, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let reply = rig.exchange("POST", path, headers, &offer.to_sdp_string());
        assert_eq!(reply.status, 201, "{}", reply.text);
        let answer = SdpAnswer::from_sdp_string(&reply.text).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let location = reply.header("location").unwrap();
        let peer = Self {
            rtc,
            road: Road::Udp(socket),
            local,
            server: rig.media,
            due: Instant::now(),
            sequence: 1000,
            mid,
            id: location.rsplit('/').next().unwrap().to_owned(),
            connected: false,
            closed: false,
            heard: Vec::new(),
        };
        (peer, reply)
    }

    /// An offer of sound, of a peer that goes no further.
    pub fn new_offer(direction: Direction) -> String {
        let mut rtc = Self::elsewhere();
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Audio, direction, None, None, None);
        let (offer, _) = change.apply().unwrap();
        offer.to_sdp_string()
    }

    /// The answer to an offer, of a peer that goes no further.
    pub fn new_answer(offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = Self::elsewhere().sdp_api().accept_offer(offer);
        answer.unwrap().to_sdp_string()
    }

    fn elsewhere() -> Rtc {
        let mut rtc = Rtc::builder().build(Instant::now());
        let local = SocketAddr::from(([127, 0, 0, 1], 9));
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        rtc
    }

    /// Our ICE credentials, to tell of candidates with.
    pub fn credentials(&mut self) -> IceCreds {
        self.rtc.direct_api().local_ice_credentials()
    }

    /// Publishes sound; gives the id of the publication.
    pub fn publish(&mut self, rig: &Rig, ssrc: u32) -> String {
        let mut api = self.rtc.direct_api();
        let mid = Mid::from("0");
        api.declare_media(mid, MediaKind::Audio);
        api.declare_stream_tx(ssrc.into(), None, mid, None)
            .set_unpaced(true);
        let codecs =
            json!([{"payload_type": OPUS, "name": "opus", "clock_rate": 48_000, "channels": 2}]);
        let level = json!({"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 1});
        let body = json!({
            "kind": "audio", "mid": "0", "codecs": codecs, "encodings": [{"ssrc": ssrc}],
            "header_extensions": [level],
        });
        rig.create(&format!("/v0/sessions/{}/publications", self.id), body)
    }

    /// Subscribes to a publication.
    pub fn subscribe(&mut self, rig: &Rig, publication: &str) {
        let codecs =
            json!([{"payload_type": OPUS, "name": "opus", "clock_rate": 48_000, "channels": 2}]);
        let body = json!({"publication": publication, "mid": "1", "codecs": codecs}).to_string();
        let path = format!("/v0/sessions/{}/subscriptions", self.id);
        let (status, told) = rig.call("POST", &path, &body);
        assert_eq!(status, 201, "{told}");
        let ssrc = u32::try_from(told["ssrc"].as_u64().unwrap()).unwrap();
        let mut api = self.rtc.direct_api();
        api.declare_media(Mid::from("1"), MediaKind::Audio);
        api.expect_stream_rx(ssrc.into(), None, Mid::from("1"), None);
    }

    /// Sends one packet of sound.
    pub fn speak(&mut self, payload: Vec<u8>) {
        self.say(payload, ExtensionValues::default());
    }

    /// Sends one packet of loud speech.
    pub fn shout(&mut self, payload: Vec<u8>) {
        let loud = ExtensionValues {
            audio_level: Some(-10),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        self.say(payload, loud);
    }

    fn say(&mut self, payload: Vec<u8>, extensions: ExtensionValues) {
        self.sequence += 1;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        let write = RtpWrite::new(
            OPUS.into(),
            self.sequence.into(),
            self.sequence as u32 * 960,
            Instant::now(),
            payload,
        );
        stream.write_rtp(write.ext_vals(extensions));
        self.due = Instant::now();
    }

    /// Takes and gives what waits.
    pub fn turn(&mut self) {
        let mut buffer = [0; 2048];
        while let Some(len) = self.read(&mut buffer) {
            let receive = Receive {
                proto: match self.road {
                    Road::Udp(_) => Protocol::Udp,
                    Road::Tcp(..) => Protocol::Tcp,
                },
                source: self.server,
                destination: self.local,
                contents: buffer[..len].try_into().unwrap(),
            };
            self.input(Input::Receive(Instant::now(), receive));
        }
        if Instant::now() >= self.due {
            self.input(Input::Timeout(Instant::now()));
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.closed |= self.rtc.handle_input(input).is_err();
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.due = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.write(&transmit.contents),
                Ok(Output::Event(Event::Connected)) => self.connected = true,
                Ok(Output::Event(Event::Closed)) => self.closed = true,
                Ok(Output::Event(Event::RtpPacket(packet))) => {
                    self.heard.push(packet.payload.to_vec());
                }
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn write(&mut self, datagram: &[u8]) {
        match &mut self.road {
            Road::Udp(socket) => {
                socket.send_to(datagram, self.server).unwrap();
            }
            Road::Tcp(stream, _) => {
                let mut frame = u16::try_from(datagram.len())
                    .unwrap()
                    .to_be_bytes()
                    .to_vec();
                frame.extend(datagram);
                // A closed connection shows when it is read.
                let _ = stream.write_all(&frame);
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match &mut self.road {
            Road::Udp(socket) => socket.recv(buffer).ok(),
            Road::Tcp(stream, waiting) => {
                match stream.read(buffer) {
                    Ok(0) => self.closed = true,
                    Ok(len) => waiting.extend(&buffer[..len]),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                let len = usize::from(u16::from_be_bytes([*waiting.first()?, *waiting.get(1)?]));
                let frame = waiting.get(2..2 + len)?.to_vec();
                waiting.drain(..2 + len);
                buffer[..len].copy_from_slice(&frame);
                Some(len)
            }
        }
    }
}

/// Lets peers take turns until `done`, or panics after some seconds.
pub fn until<const N: usize>(
    mut peers: [&mut Peer; N],
    mut done: impl FnMut(&mut [&mut Peer; N]) -> bool,
) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done(&mut peers) {
        assert!(Instant::now() < end, "it did not come about");
        for peer in &mut peers {
            peer.turn();
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}
