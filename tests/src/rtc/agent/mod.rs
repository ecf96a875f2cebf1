//! One client: str0m, its socket, its tracks. It lives in the thread of a [`Crowd`](crate::rtc::Crowd).

mod driving;
mod noting;
mod options;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use str0m::media::{KeyframeRequestKind, MediaKind, Mid};
use str0m::net::TcpType;
use str0m::{Candidate, IceCreds, Input, Rtc, RtcConfig};

pub use options::{AgentOptions, Local, Remote};

use crate::rtc::clip::Clip;
use crate::rtc::inbound::{Expected, Inbound};
use crate::rtc::mischief::Mischief;
use crate::rtc::numbering::Numbering;
use crate::rtc::outbound::{Ledger, Outbound, Track};
use crate::rtc::reports::{HeaderReport, RtcpReport};
use crate::rtc::road::{Protocol, Road};
use crate::rtc::suite::Noted;
use crate::rtc::wire::Wire;
use driving::tcp_candidate;

/// The longest datagram.
const DATAGRAM: usize = 2048;

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
    estimate: Option<f64>,
    egress_round_trip: BTreeMap<Mid, Duration>,
    error: Option<String>,
    wake: Instant,
    mids: u32,
    mischief: Option<Mischief>,
    remote: Option<SocketAddr>,
    last_media: Vec<u8>,
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
            .set_crypto_provider(Arc::new(noted.provider(options.suites.as_deref())))
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
            estimate: None,
            egress_round_trip: BTreeMap::new(),
            error: None,
            wake: now,
            mids: 0,
            mischief: None,
            remote: None,
            last_media: Vec::new(),
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

    /// The last SRTP packet that it sent, as it was on the wire.
    #[must_use]
    pub fn last_media(&self) -> Vec<u8> {
        self.last_media.clone()
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
        self.outbound
            .push(Outbound::new(track.clone(), payload_type));
        track
    }

    /// Goes on with another SSRC on the same m-line, as a sender does that begins anew; the track as it is from then on.
    ///
    /// # Errors
    /// When nothing is published there.
    pub fn change_source(&mut self, mid: Mid) -> Result<Track> {
        let mut published = self.outbound.iter_mut();
        let outbound = published
            .find(|outbound| outbound.track.mid == mid)
            .context("nothing is published there")?;
        let mut direct = self.rtc.direct_api();
        let ssrc = direct.new_ssrc();
        direct.remove_stream_tx(outbound.track.ssrc.into());
        direct.declare_stream_tx(ssrc, None, mid, None);
        outbound.change_source(*ssrc);
        Ok(outbound.track.clone())
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

    /// Expects another source of the same track there: what comes next may be any of its frames, at any RTP time.
    pub fn expect_another_source(&mut self, mid: Mid) {
        if let Some(track) = self.inbound.get_mut(&mid) {
            track.begin_anew();
        }
    }

    /// Expects nothing there any more.
    pub fn expect_no_more(&mut self, mid: Mid) {
        if let Some(ssrc) = self.inbound.remove(&mid).and_then(|track| track.ssrc) {
            self.rtc.direct_api().remove_stream_rx(ssrc.into());
        }
    }

    /// Sends a PLI or a FIR.
    ///
    /// # Errors
    /// When there is no such track, or str0m fails.
    pub fn request_keyframe(
        &mut self,
        mid: Mid,
        kind: KeyframeRequestKind,
        now: Instant,
    ) -> Result<()> {
        self.rtc
            .direct_api()
            .stream_rx_by_mid(mid, None)
            .context("no such stream")?
            .request_keyframe(kind);
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
        self.inbound
            .get(&mid)
            .map_or(0, |track| track.report.frames)
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
}
