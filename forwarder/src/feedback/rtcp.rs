//! RTCP packets as they arrive: compound or of reduced size (RFC 3550 §6.1, RFC 5506), each as a value.
//!
//! `rtcp-types` reads the formats. Not with it are read: the frame around packets, since padding must be cut off before
//! the lists inside are read; SDES and DLRR, since its readers lose chunks whose SSRC begins with a zero byte, and
//! blocks with more than one entry; and REMB, which it does not know.

use arrayvec::ArrayVec;
use rtcp_types::{
    Bye, FciParser as _, Fir, Nack, ReceiverReport, RtcpPacket, RtcpPacketParser as _, SenderReport,
};

use super::remb;

/// The most entries of a list that are kept: what the count field of RTCP can say.
pub const MAX_ITEMS: usize = 31;

/// The most sequence numbers that are kept of one NACK.
pub const MAX_NACKED: usize = 64;

const EXTENDED_REPORT: u8 = 207;
const SOURCE_DESCRIPTION: u8 = 202;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// A packet, or one that is none of our business and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rtcp<'a> {
    /// SR (RFC 3550 §6.4.1).
    SenderReport {
        /// What it says about its sender.
        info: SenderInfo,
        /// What it says about what it receives.
        blocks: ArrayVec<ReportBlock, MAX_ITEMS>,
    },
    /// RR (RFC 3550 §6.4.2).
    ReceiverReport {
        /// Who reports.
        sender: u32,
        /// What it says about what it receives.
        blocks: ArrayVec<ReportBlock, MAX_ITEMS>,
    },
    /// SDES: the CNAME of sources that have one (RFC 3550 §6.5).
    SourceDescription(ArrayVec<(u32, &'a [u8]), MAX_ITEMS>),
    /// BYE (RFC 3550 §6.6).
    Goodbye(ArrayVec<u32, MAX_ITEMS>),
    /// PLI (RFC 4585 §6.3.1).
    PictureLoss {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
    },
    /// FIR (RFC 5104 §4.3.1): streams with command sequence numbers.
    FullIntra {
        /// Who asks.
        sender: u32,
        /// The streams, each with its command sequence number.
        entries: ArrayVec<(u32, u8), MAX_ITEMS>,
    },
    /// Generic NACK (RFC 4585 §6.2.1).
    Nack {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
        /// The first of the lost sequence numbers.
        sequences: ArrayVec<u16, MAX_NACKED>,
    },
    /// REMB: what the sender of this can receive.
    Remb {
        /// Who estimates.
        sender: u32,
        /// Bits per second.
        bitrate: u64,
        /// The streams that the estimate is about.
        ssrcs: ArrayVec<u32, MAX_ITEMS>,
    },
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1), its contents not read yet.
    TransportCc {
        /// Who reports.
        sender: u32,
        /// A stream of the transport.
        media: u32,
        /// From the base sequence number on.
        control: &'a [u8],
    },
    /// XR (RFC 3611): the blocks about round trips.
    ExtendedReport {
        /// Who reports.
        sender: u32,
        /// The sender's time as an NTP timestamp: RRTR (§4.4).
        reference: Option<u64>,
        /// Answers to our own RRTR: DLRR (§4.5).
        delays: ArrayVec<ReceiverDelay, MAX_ITEMS>,
    },
}

/// What a sender says about its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: u32,
    /// The time of the report as an NTP timestamp.
    pub ntp: u64,
    /// The same time as an RTP timestamp of the stream.
    pub rtp: u32,
    /// RTP packets sent, modulo 2^32.
    pub packets: u32,
    /// Bytes of payload sent, modulo 2^32.
    pub octets: u32,
}

/// What a receiver says about a stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all; less than none if packets came twice. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// The highest sequence number, with the count of its rounds above it.
    pub highest: u32,
    /// Interarrival jitter in units of the stream's clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP timestamp; 0 if none came.
    pub last_report: u32,
    /// Since that report, in 1/65536 s.
    pub delay: u32,
}

/// The answer to a receiver's reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverDelay {
    /// Whose reference time it was.
    pub ssrc: u32,
    /// The middle 32 bits of that time.
    pub last_reference: u32,
    /// Since it came, in 1/65536 s.
    pub delay: u32,
}

/// The packets of a datagram, unknown and broken ones left out; it ends where lengths do not add up.
pub fn parse_compound(datagram: &[u8]) -> impl Iterator<Item = Rtcp<'_>> {
    let mut rest = datagram;
    let framed = std::iter::from_fn(move || {
        let (packet, others) = Framed::split(rest)?;
        rest = others;
        Some(packet)
    });
    framed.filter_map(|packet| packet.read())
}

/// One packet of a compound.
struct Framed<'a> {
    kind: u8,
    count: u8,
    /// With its header and padding.
    whole: &'a [u8],
    /// Without.
    body: &'a [u8],
}

impl<'a> Framed<'a> {
    /// The first packet (RFC 3550 §6.4.1: version, padding, count, type, length in words less one).
    fn split(datagram: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let &[first, kind, high, low] = datagram.first_chunk()?;
        let len = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let (whole, others) = datagram.split_at_checked(len)?;
        let (_, body) = whole.split_first_chunk::<4>()?;
        if first >> 6 != 2 {
            return None;
        }
        let body = if first & 0x20 == 0 {
            body
        } else {
            let padding = usize::from(*body.last()?);
            body.get(..body.len().checked_sub(padding)?)
                .filter(|_| padding != 0)?
        };
        let count = first & 0x1f;
        let packet = Self {
            kind,
            count,
            whole,
            body,
        };
        Some((packet, others))
    }

    fn read(&self) -> Option<Rtcp<'a>> {
        match self.kind {
            SenderReport::PACKET_TYPE => self.sender_report(),
            ReceiverReport::PACKET_TYPE => self.receiver_report(),
            SOURCE_DESCRIPTION => Some(self.source_description()),
            Bye::PACKET_TYPE => {
                let bye = Bye::parse(self.whole).ok()?;
                Some(Rtcp::Goodbye(bye.ssrcs().take(MAX_ITEMS).collect()))
            }
            TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => self.feedback(),
            EXTENDED_REPORT => self.extended_report(),
            _ => None,
        }
    }

    fn sender_report(&self) -> Option<Rtcp<'a>> {
        let report = SenderReport::parse(self.whole).ok()?;
        Some(Rtcp::SenderReport {
            info: SenderInfo {
                ssrc: report.ssrc(),
                ntp: report.ntp_timestamp(),
                rtp: report.rtp_timestamp(),
                packets: report.packet_count(),
                octets: report.octet_count(),
            },
            blocks: report.report_blocks().take(MAX_ITEMS).map(block).collect(),
        })
    }

    fn receiver_report(&self) -> Option<Rtcp<'a>> {
        let report = ReceiverReport::parse(self.whole).ok()?;
        Some(Rtcp::ReceiverReport {
            sender: report.ssrc(),
            blocks: report.report_blocks().take(MAX_ITEMS).map(block).collect(),
        })
    }

    /// Chunks of an SSRC and items, each item a type, a length and text; a zero byte ends the items and pads to a word.
    fn source_description(&self) -> Rtcp<'a> {
        let mut names = ArrayVec::new();
        let mut rest = self.body;
        for _ in 0..self.count {
            let Some((name, others)) = chunk(rest) else {
                break;
            };
            rest = others;
            let Some(name) = name else { continue };
            if names.try_push(name).is_err() {
                break;
            }
        }
        Rtcp::SourceDescription(names)
    }

    /// The common format of feedback (RFC 4585 §6.1); the count field is the format.
    fn feedback(&self) -> Option<Rtcp<'a>> {
        let (sender, rest) = word(self.body)?;
        let (media, control) = word(rest)?;
        Some(match (self.kind, self.count) {
            (TRANSPORT_FEEDBACK, 1) => Rtcp::Nack {
                sender,
                media,
                sequences: Nack::parse(control)
                    .ok()?
                    .entries()
                    .take(MAX_NACKED)
                    .collect(),
            },
            (TRANSPORT_FEEDBACK, 15) => Rtcp::TransportCc {
                sender,
                media,
                control,
            },
            (PAYLOAD_FEEDBACK, 1) => Rtcp::PictureLoss { sender, media },
            (PAYLOAD_FEEDBACK, 4) => {
                let request = Fir::parse(control).ok()?;
                let entries = request.entries().take(MAX_ITEMS);
                let entries = entries
                    .map(|entry| (entry.ssrc(), entry.sequence()))
                    .collect();
                Rtcp::FullIntra { sender, entries }
            }
            (PAYLOAD_FEEDBACK, 15) => {
                let (bitrate, ssrcs) = remb::read(control)?;
                Rtcp::Remb {
                    sender,
                    bitrate,
                    ssrcs,
                }
            }
            _ => return None,
        })
    }

    /// Blocks of a type, a byte of its own, and a length in words (RFC 3611 §3).
    fn extended_report(&self) -> Option<Rtcp<'a>> {
        const REFERENCE_TIME: u8 = 4;
        const DELAYS: u8 = 5;
        let (sender, mut rest) = word(self.body)?;
        let (mut reference, mut delays) = (None, ArrayVec::new());
        while let Some((&[kind, _, high, low], others)) = rest.split_first_chunk() {
            let len = 4 * usize::from(u16::from_be_bytes([high, low]));
            let Some((block, others)) = others.split_at_checked(len) else {
                break;
            };
            rest = others;
            match kind {
                REFERENCE_TIME => {
                    reference = block.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                }
                DELAYS => {
                    let free = delays.remaining_capacity();
                    let (entries, _) = block.as_chunks::<12>();
                    delays.extend(entries.iter().filter_map(|entry| delay(entry)).take(free));
                }
                _ => {}
            }
        }
        Some(Rtcp::ExtendedReport {
            sender,
            reference,
            delays,
        })
    }
}

/// The first word, and what follows it.
fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

fn delay(entry: &[u8]) -> Option<ReceiverDelay> {
    let (ssrc, rest) = word(entry)?;
    let (last_reference, rest) = word(rest)?;
    let (delay, _) = word(rest)?;
    Some(ReceiverDelay {
        ssrc,
        last_reference,
        delay,
    })
}

fn block(block: rtcp_types::ReportBlock<'_>) -> ReportBlock {
    ReportBlock {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        // The sign is that of 24 bits.
        cumulative_lost: (block.cumulative_lost() << 8).cast_signed() >> 8,
        highest: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_report: block.last_sender_report_timestamp(),
        delay: block.delay_since_last_sender_report_timestamp(),
    }
}

/// The first chunk of a source description: its SSRC and CNAME if it has one, and what follows the chunk.
#[allow(clippy::type_complexity, reason = "a name for it would say less")]
fn chunk(bytes: &[u8]) -> Option<(Option<(u32, &[u8])>, &[u8])> {
    const CNAME: u8 = 1;
    let (ssrc, items) = word(bytes)?;
    let (mut name, mut rest) = (None, items);
    loop {
        let (&kind, others) = rest.split_first()?;
        if kind == 0 {
            let len = (items.len() - others.len()).next_multiple_of(4);
            return Some((name, items.get(len..)?));
        }
        let (&len, others) = others.split_first()?;
        let (text, others) = others.split_at_checked(len.into())?;
        if kind == CNAME {
            name = Some((ssrc, text));
        }
        rest = others;
    }
}
