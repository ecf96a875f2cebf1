//! One session: a peer with its ICE, DTLS and SRTCP, the pairs to it, and its m-lines.

use std::{collections::VecDeque, sync::Arc};

use arrayvec::ArrayVec;

use super::{
    extensions::ExtensionTable,
    ids::{PublicationId, SessionId, SubscriptionId},
    output::{AudioPayloadTypes, Output},
    pairs::OpenPairs,
    publication::Publication,
    reports::Reporting,
    specs::Mid,
    ssrcs::Ssrcs,
    subscription::Subscription,
};
use crate::{
    core::refusal::Refusal,
    feedback::{bye, datagrams},
    media::{Extension, ExtensionIds, Kind},
    srtp::{SendKeys, SrtcpReceiver, SrtcpSender, Suite},
    transport::{Dtls, IceLite, Pair, Version},
    worker::{
        command::{Reach, Sender, TransportSequence},
        counters::SessionCounters,
    },
};

/// 5-tuples that a session holds: those that its ICE agent remembers, and those that it forgot since.
const MAX_CLAIMED: usize = 16;

/// Streams whose end one compound packet says: five BYE of 31 SSRCs, which fit into a datagram with the longest CNAME.
const MOST_GOODBYES: usize = 5 * 31;

/// What DTLS agreed on.
pub struct Keys {
    pub suite: Suite,
    pub version: Version,
    pub send: Arc<SendKeys>,
    pub transport_sequence: Arc<TransportSequence>,
    pub srtcp_sender: SrtcpSender,
    pub srtcp_receiver: SrtcpReceiver,
}

/// Datagrams of one session, as control counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// Authentic ICE checks.
    pub checks: u64,
    /// STUN that named this session and was not authentic, or came from where another session is heard.
    pub refused_checks: u64,
    /// SRTCP packets that were authentic.
    pub rtcp_received: u64,
    /// SRTCP packets that were not, or came twice.
    pub rtcp_refused: u64,
    /// SRTCP packets sent.
    pub rtcp_sent: u64,
}

/// One session.
pub struct Session {
    pub id: SessionId,
    /// Its number in the workers' tables.
    pub number: u32,
    /// The worker that opens what its peer sends.
    pub worker: u32,
    pub created: u64,
    /// When it is closed unless it is connected.
    pub set_up_by: Option<u64>,
    /// When it is closed unless its peer selects a pair: it has lost the one that it had.
    pub found_by: Option<u64>,
    /// Canonical name of what this session publishes (RFC 7022 §4.2): equal for its audio and video, so that receivers
    /// keep them in sync.
    pub cname: Arc<str>,
    pub ice: IceLite,
    /// Our username fragments that are still answered.
    pub ufrags: Vec<[u8; 8]>,
    /// 5-tuples whose DTLS and SRTCP is for this session.
    pub claimed: ArrayVec<Pair, MAX_CLAIMED>,
    pub pairs: OpenPairs,
    pub dtls: Dtls,
    /// Where DTLS came from last, which is where to answer until a pair is selected.
    pub dtls_pair: Option<Pair>,
    pub keys: Option<Box<Keys>>,
    pub counters: Arc<SessionCounters>,
    pub control: ControlCounters,
    pub extensions: ExtensionTable,
    /// The header extensions that the worker knows of, and whether it tells arrivals, once it was told.
    pub told: Option<(ExtensionIds, bool)>,
    /// The audio payload types that the steering knows of.
    pub steered: AudioPayloadTypes,
    /// Whether the workers were ever told a way to the peer.
    pub heard: bool,
    pub publications: Vec<Publication>,
    pub subscriptions: Vec<Subscription>,
    pub ssrcs: Ssrcs,
    /// SSRCs that were promised in a description, for subscriptions to come.
    pub reserved: Vec<u32>,
    /// SSRC of the reports that come from no leg.
    pub report_ssrc: u32,
    pub reporting: Reporting,
    /// It is not woken before.
    pub not_before: u64,
    /// The deadline that the schedule has.
    pub scheduled: Option<u64>,
}

impl Session {
    /// The publication with this id.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none.
    pub fn publication(&self, id: PublicationId) -> Result<&Publication, Refusal> {
        let mut publications = self.publications.iter();
        publications
            .find(|publication| publication.id == id)
            .ok_or_else(|| unknown_publication(id))
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none.
    pub fn publication_mut(&mut self, id: PublicationId) -> Result<&mut Publication, Refusal> {
        let mut publications = self.publications.iter_mut();
        publications
            .find(|publication| publication.id == id)
            .ok_or_else(|| unknown_publication(id))
    }

    /// The subscription with this id, to change it.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none.
    pub fn subscription_mut(&mut self, id: SubscriptionId) -> Result<&mut Subscription, Refusal> {
        let mut subscriptions = self.subscriptions.iter_mut();
        subscriptions
            .find(|subscription| subscription.id == id)
            .ok_or_else(|| unknown_subscription(id))
    }

    /// The publication of this track.
    pub fn track_mut(&mut self, track: u32) -> Option<&mut Publication> {
        let mut publications = self.publications.iter_mut();
        publications.find(|publication| publication.track == track)
    }

    /// The publication whose media has this SSRC.
    pub fn source_mut(&mut self, ssrc: u32) -> Option<&mut Publication> {
        let mut publications = self.publications.iter_mut();
        publications.find(|publication| publication.ssrc == Some(ssrc))
    }

    /// The subscription that is sent with this SSRC.
    pub fn sent_as_mut(&mut self, ssrc: u32) -> Option<&mut Subscription> {
        let mut subscriptions = self.subscriptions.iter_mut();
        subscriptions.find(|subscription| subscription.ssrc == ssrc)
    }

    /// Refuses an SSRC or MID of a publication that the session has already.
    pub fn check_unused(
        &self,
        mut ssrcs: impl Iterator<Item = (&'static str, u32)>,
        mid: Option<&Mid>,
    ) -> Result<(), Refusal> {
        let held = |ssrc| {
            let mut publications = self.publications.iter();
            publications.find(|publication| publication.has_ssrc(ssrc))
        };
        if let Some((field, ssrc, holder)) =
            ssrcs.find_map(|(field, ssrc)| Some((field, ssrc, held(ssrc)?)))
        {
            return Err(Refusal::duplicate(
                field,
                ssrc,
                format!(
                    "SSRCs that the session does not publish yet; publication {} has this one",
                    holder.id
                ),
            ));
        }
        let mut others = self.publications.iter();
        match others.find(|publication| mid.is_some() && publication.mid.as_ref() == mid) {
            Some(holder) => Err(duplicate_mid(mid, &format!("publication {}", holder.id))),
            None => Ok(()),
        }
    }

    /// Refuses a MID that another subscription has.
    pub fn check_free_mid(&self, mid: Option<&Mid>) -> Result<(), Refusal> {
        let mut others = self.subscriptions.iter();
        match others.find(|subscription| mid.is_some() && subscription.mid.as_ref() == mid) {
            Some(holder) => Err(duplicate_mid(mid, &format!("subscription {}", holder.id))),
            None => Ok(()),
        }
    }

    /// An SSRC to send with, which the session never had.
    pub fn take_ssrc(&mut self) -> u32 {
        let publications = &self.publications;
        self.ssrcs
            .take(|ssrc| publications.iter().any(|it| it.has_ssrc(ssrc)))
    }

    /// What the worker is to be told of header extensions, and whether it is to tell arrivals: the peer numbers its packets
    /// for transport-wide feedback.
    pub fn negotiated(&self) -> (ExtensionIds, bool) {
        let ids = self.extensions.ids();
        let transport_cc = ids.id(Extension::TransportCc).is_some_and(|id| {
            let mut publications = self.publications.iter();
            publications.any(|publication| publication.extensions.contains(&id))
        });
        (ids, transport_cc)
    }

    /// Payload types of published audio, one bit each.
    pub fn audio(&self) -> AudioPayloadTypes {
        let mut bits = [0_u32; 4];
        let publications = self.publications.iter();
        for codec in publications
            .filter(|publication| publication.kind == Kind::Audio)
            .flat_map(|publication| &publication.codecs)
        {
            if let Some(word) = bits.get_mut(usize::from(codec.payload_type >> 5)) {
                *word |= 1 << (codec.payload_type & 31);
            }
        }
        bits
    }

    /// How the workers reach the peer, once keys and a way are there.
    pub fn sender(&self, reach: Reach) -> Option<Arc<Sender>> {
        let keys = self.keys.as_ref()?;
        Some(Arc::new(Sender {
            session: self.number,
            keys: Arc::clone(&keys.send),
            reach,
            transport_sequence: Arc::clone(&keys.transport_sequence),
        }))
    }

    /// Whether media can reach the peer.
    pub fn can_send(&self) -> bool {
        self.keys.is_some() && self.pairs.reach().is_some()
    }

    /// Seals RTCP packets and sends them, in as many datagrams as they need.
    pub fn send_rtcp(&mut self, packets: &[u8], outputs: &mut VecDeque<Output>) {
        let Some(pair) = self.pairs.current().or_else(|| self.ice.selected()) else {
            return;
        };
        let Some(keys) = &mut self.keys else { return };
        for packet in datagrams(packets) {
            let mut bytes = Vec::with_capacity(packet.len() + 32);
            if keys.srtcp_sender.protect(packet, &mut bytes).is_ok() {
                self.control.rtcp_sent += 1;
                outputs.push_back(Output::Transmit { pair, bytes });
            }
        }
    }

    /// Says that streams of ours end.
    pub fn send_bye(&mut self, ssrcs: &[u32], cname: &str, outputs: &mut VecDeque<Output>) {
        let mut packets = Vec::new();
        for ssrcs in ssrcs.chunks(MOST_GOODBYES) {
            bye::goodbye_compound(&mut packets, ssrcs, cname, "");
        }
        self.send_rtcp(&packets, outputs);
    }

    /// Sends what DTLS has to send.
    pub fn send_dtls(&mut self, outputs: &mut VecDeque<Output>) {
        let mut bytes = Vec::new();
        while self.dtls.poll_transmit(&mut bytes) {
            if let Some(pair) = self.ice.selected().or(self.dtls_pair) {
                let bytes = std::mem::take(&mut bytes);
                outputs.push_back(Output::Transmit { pair, bytes });
            }
        }
    }

    /// When the session has something to do.
    pub fn poll_timeout(&self) -> Option<u64> {
        let never = |at: u64| (at != u64::MAX).then_some(at);
        let publications = self.publications.iter().filter(|_| self.keys.is_some());
        let keyframes = publications.filter_map(Publication::keyframe_due);
        [
            self.set_up_by,
            self.found_by,
            never(self.ice.poll_timeout()),
            never(self.dtls.poll_timeout()),
            self.pairs.poll_timeout(),
            self.reports_due(),
        ]
        .into_iter()
        .flatten()
        .chain(keyframes)
        .min()
    }
}

fn duplicate_mid(mid: Option<&Mid>, holder: &str) -> Refusal {
    let text = mid.map_or_else(String::new, |mid| String::from_utf8_lossy(mid).into_owned());
    Refusal::duplicate(
        "mid",
        text,
        format!("each mid once per direction in a session; {holder} has this one"),
    )
}

/// No publication of the session has this id.
pub fn unknown_publication(id: PublicationId) -> Refusal {
    Refusal::unknown("publication", id, "the id of a publication of the session")
}

/// No subscription of the session has this id.
pub fn unknown_subscription(id: SubscriptionId) -> Refusal {
    Refusal::unknown(
        "subscription",
        id,
        "the id of a subscription of the session",
    )
}
