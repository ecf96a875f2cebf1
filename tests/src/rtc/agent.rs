//! One client: str0m, its socket, its tracks. It lives in the thread of a [`Crowd`](super::Crowd).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use str0m::media::{KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Receive, TcpType};
use str0m::rtp::rtcp::{Rtcp, SdesType};
use str0m::rtp::RawPacket;
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

use super::clip::Clip;
use super::inbound::{Expected, Inbound};
use super::mischief::Mischief;
use super::numbering::Numbering;
use super::outbound::{Ledger, Outbound, Track};
use super::reports::{HeaderReport, OutboundReport, Report, RtcpReport};
use super::road::{Protocol, Road};
use super::suite::{DtlsVersion, Noted};
use super::wire::Wire;

/// The longest datagram.
const DATAGRAM: usize = 2048;

/// Datagrams that are read from a socket before another client has its turn.
const TURN: usize = 64;

/// How a client is to be.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// For messages.
    pub name: String,
    /// Own address.
    pub address: IpAddr,
    /// Own UDP port; any unless told.
    pub port: u16,
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Versions of DTLS.
    pub dtls: DtlsVersion,
    /// Payload types and header extensions.
    pub numbering: Numbering,
    /// Whether it measures the way to the other side and asks for feedback to that end.
    pub estimates: bool,
    /// Whether it looks into RTCP: costs a copy of every packet.
    pub inspects: bool,
}

impl AgentOptions {
    /// UDP at this address, everything else as Chromium has it.
    #[must_use]
    pub fn new(name: impl Into<String>, address: IpAddr) -> Self {
        Self {
            name: name.into(),
            address,
            port: 0,
            protocol: Protocol::Udp,
            dtls: DtlsVersion::Both,
            numbering: Numbering::CHROMIUM,
            estimates: false,
            inspects: false,
        }
    }
}

/// What a client must know of the other side.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
    /// `a=fingerprint`, such as `sha-256 AB:CD`.
    pub fingerprint: String,
    /// Addresses of the other side.
    pub candidates: Vec<(Protocol, SocketAddr)>,
    /// Whether it is an ICE-lite agent: the client then controls and does all checks.
    pub lite: bool,
    /// Whether the client sends the DTLS hello.
    pub active: bool,
}

/// What the other side must know of a client.
#[derive(Clone, Debug)]
pub struct Local {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
    /// `a=fingerprint`.
    pub fingerprint: String,
    /// Own address.
    pub address: SocketAddr,
}

/// A client.
pub struct Agent {
    options: AgentOptions,
    rtc: Rtc,
    roads: Vec<Road>,
    candidates: Vec<Candidate>,
    noted: Noted,
    inbound: BTreeMap<Mid, Inbound>,
    outbound: Vec<Outbound>,
    wire: Wire,
    rtcp: RtcpReport,
    headers: HeaderReport,
    started: Option<Instant>,
    setup: Option<Duration>,
    connected: bool,
    closed: bool,
    round_trip: Option<Duration>,
    egress_round_trip: BTreeMap<Mid, Duration>,
    error: Option<String>,
    wake: Instant,
    mids: u32,
    mischief: Option<Mischief>,
    remote: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl Agent {
    /// A client with a socket in the calling thread's namespace. It does nothing until it knows the other side.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn new(options: AgentOptions, now: Instant) -> Result<Self> {
        let noted = Noted::default();
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::new(noted.provider()))
            .set_dtls_version(options.dtls.setting())
            .set_extension_map(options.numbering.extension_map())
            .set_stats_interval(Some(Duration::from_millis(250)))
            .enable_raw_packets(options.inspects)
            .set_rtcp_report_interval_audio(Duration::from_millis(500))
            .set_rtcp_report_interval_video(Duration::from_millis(500));
        if options.estimates {
            config = config.enable_bwe(Some(str0m::bwe::Bitrate::kbps(500)));
        }
        options.numbering.configure(config.codec_config());
        let rtc = config.build(now);
        let mut agent = Self {
            rtc,
            roads: Vec::new(),
            candidates: Vec::new(),
            noted,
            inbound: BTreeMap::new(),
            outbound: Vec::new(),
            wire: Wire::default(),
            rtcp: RtcpReport::default(),
            headers: HeaderReport::default(),
            started: None,
            setup: None,
            connected: false,
            closed: false,
            round_trip: None,
            egress_round_trip: BTreeMap::new(),
            error: None,
            wake: now,
            mids: 0,
            mischief: None,
            remote: None,
            buffer: vec![0; DATAGRAM],
            options,
        };
        if agent.options.protocol == Protocol::Udp {
            let own = SocketAddr::new(agent.options.address, agent.options.port);
            agent.add_road(Road::udp(own)?)?;
        }
        Ok(agent)
    }

    /// Numbers of codecs and extensions.
    #[must_use]
    pub fn numbering(&self) -> Numbering {
        self.options.numbering
    }

    /// What the other side must know. A client over TCP has its address only once it is started.
    ///
    /// # Errors
    /// When it has no socket.
    pub fn local(&mut self) -> Result<Local> {
        let address = self.roads.last().map(Road::local);
        let direct = self.rtc.direct_api();
        let credentials = direct.local_ice_credentials();
        Ok(Local {
            ufrag: credentials.ufrag,
            pwd: credentials.pass,
            fingerprint: direct.local_dtls_fingerprint().to_string(),
            address: address.unwrap_or(SocketAddr::new(self.options.address, 0)),
        })
    }

    /// Begins ICE and DTLS with the other side.
    ///
    /// # Errors
    /// When a TCP connection does not come about, or a candidate makes no sense.
    pub fn start(&mut self, remote: &Remote, now: Instant) -> Result<()> {
        if self.options.protocol == Protocol::Tcp {
            let family = |address: &SocketAddr| address.is_ipv4() == self.options.address.is_ipv4();
            let to = remote
                .candidates
                .iter()
                .find(|(protocol, address)| *protocol == Protocol::Tcp && family(address))
                .context("the other side has no TCP candidate of this family")?;
            self.add_road(Road::tcp(to.1)?)?;
        }
        let fingerprint = remote.fingerprint.parse().map_err(anyhow::Error::msg)?;
        for (protocol, address) in &remote.candidates {
            self.rtc.add_remote_candidate(match protocol {
                Protocol::Udp => Candidate::host(*address, "udp")?,
                Protocol::Tcp => tcp_candidate(*address, TcpType::Passive)?,
            });
        }
        let mut direct = self.rtc.direct_api();
        direct.set_ice_controlling(remote.lite || remote.active);
        direct.set_remote_ice_credentials(IceCreds {
            ufrag: remote.ufrag.clone(),
            pass: remote.pwd.clone(),
        });
        direct.set_remote_fingerprint(fingerprint);
        direct.start_dtls(remote.active)?;
        self.started = Some(now);
        self.drive(Input::Timeout(now))
    }

    /// Restarts ICE (RFC 8445 §9): new credentials here, those of the other side as told. The connection stays as it is until checks
    /// under the new ones have succeeded.
    ///
    /// # Errors
    /// When str0m fails.
    pub fn restart_ice(&mut self, own: IceCreds, remote: IceCreds, now: Instant) -> Result<()> {
        let mut direct = self.rtc.direct_api();
        direct.set_local_ice_credentials(own);
        direct.set_remote_ice_credentials(remote);
        self.drive(Input::Timeout(now))
    }

    /// Goes on at another address, as a telephone does that changes from Wi-Fi to mobile. Nothing is sent from the old one any more.
    ///
    /// # Errors
    /// When there is no socket at the new address.
    pub fn roam(&mut self, address: IpAddr, now: Instant) -> Result<()> {
        for candidate in std::mem::take(&mut self.candidates) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
        self.add_road(Road::udp(SocketAddr::new(address, 0))?)?;
        self.drive(Input::Timeout(now))
    }

    /// Sends and hears nothing any more, without a word to anybody: the socket is gone, as after a crash or out of coverage.
    pub fn fall_silent(&mut self) {
        self.roads.clear();
    }

    /// From now on sends faulty copies of its SRTP packets beside them.
    pub fn set_mischief(&mut self, mischief: Option<Mischief>) {
        self.mischief = mischief;
    }

    /// Sends these bytes to where media goes, from the client's own address.
    ///
    /// # Errors
    /// When a TCP connection has ended.
    pub fn send_raw(&mut self, datagram: &[u8]) -> Result<()> {
        let to = self.remote.context("nothing was sent yet")?;
        let road = self.roads.last_mut().context("no socket")?;
        road.send(datagram, to)
    }

    /// Adds an m-line that publishes this clip. Frames flow from [`Self::start_media`] on.
    pub fn publish(&mut self, clip: &Arc<Clip>) -> Track {
        let mid = self.next_mid(clip.codec.is_audio());
        let mut direct = self.rtc.direct_api();
        let ssrc = direct.new_ssrc();
        direct.declare_stream_tx(ssrc, None, mid, None);
        let track = Track {
            mid,
            ssrc: *ssrc,
            clip: Arc::clone(clip),
            ledger: Ledger::default(),
        };
        let payload_type = self.options.numbering.payload_type(clip.codec);
        self.outbound.push(Outbound::new(track.clone(), payload_type));
        track
    }

    /// Answers transport-wide sequence numbers with feedback, as a receiver does that negotiated it.
    pub fn enable_transport_feedback(&mut self) {
        self.rtc.direct_api().enable_twcc_feedback();
    }

    /// Lets all tracks flow.
    pub fn start_media(&mut self, now: Instant) {
        self.outbound.iter_mut().for_each(|track| track.start(now));
    }

    /// Stops all tracks.
    pub fn stop_media(&mut self) {
        self.outbound.iter_mut().for_each(Outbound::stop);
    }

    /// Adds an m-line, to receive a track of this kind or to publish one.
    pub fn next_mid(&mut self, audio: bool) -> Mid {
        let mid = Mid::from(self.mids.to_string().as_str());
        self.mids += 1;
        let kind = if audio {
            MediaKind::Audio
        } else {
            MediaKind::Video
        };
        self.rtc.direct_api().declare_media(mid, kind);
        mid
    }

    /// Expects a track on an m-line, from now on. Until its SSRC is told, its packets are known by their MID (RFC 9143).
    pub fn expect(&mut self, mid: Mid, expected: Expected, keep: bool, now: Instant) {
        self.inbound.insert(mid, Inbound::new(expected, keep, now));
    }

    /// Tells the SSRC of an expected track.
    pub fn tell_ssrc(&mut self, mid: Mid, ssrc: u32) {
        if let Some(track) = self.inbound.get_mut(&mid) {
            track.ssrc = Some(ssrc);
            self.rtc
                .direct_api()
                .expect_stream_rx(ssrc.into(), None, mid, None);
        }
    }

    /// Expects nothing there any more.
    pub fn expect_no_more(&mut self, mid: Mid) {
        if let Some(ssrc) = self.inbound.remove(&mid).and_then(|track| track.ssrc) {
            self.rtc.direct_api().remove_stream_rx(ssrc.into());
        }
    }

    /// Sends a PLI.
    ///
    /// # Errors
    /// When there is no such track, or str0m fails.
    pub fn request_keyframe(&mut self, mid: Mid, now: Instant) -> Result<()> {
        self.rtc
            .direct_api()
            .stream_rx_by_mid(mid, None)
            .context("no such stream")?
            .request_keyframe(KeyframeRequestKind::Pli);
        self.drive(Input::Timeout(now))
    }

    /// Frames of a track that was to keep them.
    pub fn take_kept(&mut self, mid: Mid) -> Vec<Arc<[u8]>> {
        self.inbound
            .get_mut(&mid)
            .map(Inbound::take_kept)
            .unwrap_or_default()
    }

    /// Whether ICE and DTLS are done.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.setup.is_some()
    }

    /// Whether every track has all frames from its first to the publisher's last.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.inbound.values().all(Inbound::is_complete)
    }

    /// Frames that have come on a track.
    #[must_use]
    pub fn frames(&self, mid: Mid) -> u64 {
        self.inbound.get(&mid).map_or(0, |track| track.report.frames)
    }

    /// All that it saw.
    pub fn report(&mut self) -> Report {
        let outbound = self.outbound.iter().map(|outbound| {
            let mid = outbound.track.mid;
            let report = OutboundReport {
                frames: outbound.track.ledger.len(),
                keyframe_requests: outbound.keyframe_requests.clone(),
                round_trip: self.egress_round_trip.get(&mid).copied(),
            };
            (mid.to_string(), report)
        });
        Report {
            name: self.options.name.clone(),
            setup: self.setup,
            connected: self.connected,
            closed: self.closed,
            suite: self.noted.suite(),
            round_trip: self.round_trip,
            local: self.roads.last().map_or_else(
                || SocketAddr::new(self.options.address, 0),
                Road::local,
            ),
            inbound: self
                .inbound
                .iter()
                .map(|(mid, track)| (mid.to_string(), track.report.clone()))
                .collect(),
            outbound: outbound.collect(),
            wire: self.wire.clone(),
            rtcp: self.rtcp.clone(),
            headers: self.headers.clone(),
            error: self.error.clone(),
            dtls: self
                .rtc
                .direct_api()
                .dtls_protocol_version()
                .map(|version| format!("{version:?}")),
        }
    }

    /// Says goodbye: RTCP BYE, DTLS close_notify.
    pub fn close(&mut self, now: Instant) {
        let closed = self.rtc.close().map_err(anyhow::Error::from);
        let outcome = closed.and_then(|()| self.drive(Input::Timeout(now)));
        self.keep_error(outcome);
    }

    /// The sockets to wait for.
    pub fn roads(&self) -> impl Iterator<Item = &Road> {
        self.roads.iter()
    }

    /// When it wants its next turn.
    #[must_use]
    pub fn next_wake(&self) -> Instant {
        self.outbound
            .iter()
            .filter_map(Outbound::next)
            .fold(self.wake, Instant::min)
    }

    /// Reads what came; whether there may be more.
    pub fn receive(&mut self) -> bool {
        let outcome = self.receive_turn();
        let more = outcome.as_ref().is_ok_and(|more| *more);
        self.keep_error(outcome.map(drop));
        more
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Instant) {
        let outcome = self.advance_to(now);
        self.keep_error(outcome);
    }

    fn receive_turn(&mut self) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = false;
        let mut outcome = Ok(());
        for n in 0..self.roads.len() {
            let mut turns = TURN;
            while turns > 0 && outcome.is_ok() {
                let Some(road) = self.roads.get_mut(n) else {
                    break;
                };
                match road.receive(&mut buffer) {
                    Ok(Some((length, from))) => {
                        let (local, protocol) = (road.local(), road.protocol());
                        outcome = self.take(&buffer[..length], from, local, protocol);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // Others may still work.
                        self.roads.remove(n);
                        outcome = Err(error);
                    }
                }
                turns -= 1;
            }
            more |= turns == 0;
        }
        self.buffer = buffer;
        outcome.map(|()| more)
    }

    fn take(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        local: SocketAddr,
        protocol: Protocol,
    ) -> Result<()> {
        self.wire.note(datagram);
        let Ok(received) = Receive::new(str0m_protocol(protocol), from, local, datagram) else {
            return Ok(());
        };
        self.drive(Input::Receive(Instant::now(), received))
    }

    fn advance_to(&mut self, now: Instant) -> Result<()> {
        for road in &mut self.roads {
            road.flush()?;
        }
        if self.wake <= now {
            self.drive(Input::Timeout(now))?;
        }
        if self.setup.is_none() {
            return Ok(());
        }
        for n in 0..self.outbound.len() {
            while let Some(due) = self.outbound[n].take_due(now) {
                let writer = self.rtc.writer(due.mid).context("the m-line is gone")?;
                writer.write(due.payload_type.into(), due.captured, due.time, due.frame)?;
                self.drive(Input::Timeout(now))?;
            }
        }
        Ok(())
    }

    /// Hands something in and carries out all that comes of it.
    fn drive(&mut self, input: Input<'_>) -> Result<()> {
        if !self.rtc.is_alive() {
            self.wake = Instant::now() + Duration::from_secs(3600);
            return Ok(());
        }
        self.rtc.handle_input(input)?;
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wake = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    let road = self
                        .roads
                        .iter_mut()
                        .find(|road| road.local() == transmit.source);
                    if let Some(road) = road {
                        self.remote = Some(transmit.destination);
                        let copies = self.mischief.map(|what| what.copies(&transmit.contents));
                        for copy in copies.into_iter().flatten() {
                            road.send(&copy, transmit.destination)?;
                        }
                        road.send(&transmit.contents, transmit.destination)?;
                    }
                }
                Output::Event(event) => self.note(event),
            }
        }
    }

    fn note(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Connected => {
                self.setup = self.started.map(|started| now - started);
                self.connected = true;
            }
            Event::IceConnectionStateChange(state) => {
                self.connected = self.setup.is_some() && !state.is_disconnected();
            }
            Event::Closed => self.closed = true,
            Event::MediaData(data) => {
                if let Some(track) = self.inbound.get_mut(&data.mid) {
                    track.check(&data, now);
                }
            }
            Event::KeyframeRequest(request) => {
                let track = self
                    .outbound
                    .iter_mut()
                    .find(|outbound| outbound.track.mid == request.mid);
                if let Some(track) = track {
                    track.restart_clip(now);
                }
            }
            Event::SenderFeedback(feedback) => {
                if let Some(track) = self.inbound.get_mut(&feedback.mid) {
                    track.note_sender_report();
                }
            }
            Event::PeerStats(stats) => {
                let pair = stats.selected_candidate_pair;
                self.round_trip = pair.and_then(|pair| pair.current_round_trip_time);
            }
            Event::MediaEgressStats(stats) => {
                if let Some(round_trip) = stats.rtt {
                    self.egress_round_trip.insert(stats.mid, round_trip);
                }
            }
            Event::RawPacket(packet) => {
                match *packet {
                    RawPacket::RtcpRx(rtcp) => self.note_rtcp(&rtcp),
                    RawPacket::RtpRx(header, _) => self.headers.note(&header),
                    RawPacket::RtcpTx(_) | RawPacket::RtpTx(..) => {}
                }
            }
            _ => {}
        }
    }

    fn note_rtcp(&mut self, rtcp: &Rtcp) {
        let seen = &mut self.rtcp;
        match rtcp {
            Rtcp::SenderReport(_) => seen.sender_reports += 1,
            Rtcp::ReceiverReport(_) => seen.receiver_reports += 1,
            Rtcp::SourceDescription(descriptions) => {
                for source in descriptions.reports.iter() {
                    let names = source.values.iter();
                    for (_, name) in names.filter(|(kind, _)| *kind == SdesType::CNAME) {
                        seen.names.insert(*source.ssrc, name.clone());
                    }
                }
            }
            Rtcp::Goodbye(goodbye) => seen.goodbyes.extend(goodbye.reports.iter().map(|ssrc| **ssrc)),
            Rtcp::Twcc(_) => seen.transport_cc += 1,
            Rtcp::Remb(remb) => seen.remb = Some(remb.bitrate as u64),
            _ => {}
        }
    }

    fn add_road(&mut self, road: Road) -> Result<()> {
        let candidate = match road.protocol() {
            Protocol::Udp => Candidate::host(road.local(), "udp")?,
            Protocol::Tcp => tcp_candidate(road.local(), TcpType::Active)?,
        };
        if self.rtc.add_local_candidate(candidate.clone()).is_none() {
            bail!("{} is no use as a candidate", road.local());
        }
        self.candidates.push(candidate);
        self.roads.push(road);
        Ok(())
    }

    fn keep_error(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.error.get_or_insert(format!("{error:#}"));
            // Not again at once, and again and again.
            self.wake = Instant::now() + Duration::from_millis(50);
        }
    }
}

fn str0m_protocol(protocol: Protocol) -> str0m::net::Protocol {
    match protocol {
        Protocol::Udp => str0m::net::Protocol::Udp,
        Protocol::Tcp => str0m::net::Protocol::Tcp,
    }
}

fn tcp_candidate(address: SocketAddr, role: TcpType) -> Result<Candidate> {
    let builder = Candidate::builder().tcp().host(address).tcptype(role);
    Ok(builder.build()?)
}
