//! RTCP packets appended to a datagram. Lists that are longer than a packet takes make several packets.

use rtcp_types::{
    Bye, DelaySinceLastReceiverReport, DelaySinceLastReceiverReportBlock, Fir, Nack,
    PayloadFeedback, Pli, ReceiverReport, RtcpPacketWriter, RtcpPacketWriterExt as _, Sdes,
    SdesChunk, SdesItem, SenderReport, TransportFeedback, Xr,
};

use super::rtcp::{MAX_ITEMS, ReceiverDelay, ReportBlock, SenderInfo};

/// Appends any packet; one that cannot be said is left out.
pub(super) fn packet(out: &mut Vec<u8>, packet: &impl RtcpPacketWriter) {
    let start = out.len();
    let Ok(len) = packet.calculate_size() else {
        return;
    };
    out.resize(start + len, 0);
    let written = out.get_mut(start..).map(|room| packet.write_into(room));
    if !matches!(written, Some(Ok(_))) {
        out.truncate(start);
    }
}

/// Appends a sender report without blocks: what is received is told by [`receiver_report`].
pub fn sender_report(out: &mut Vec<u8>, info: &SenderInfo) {
    let report = SenderReport::builder(info.ssrc)
        .ntp_timestamp(info.ntp)
        .rtp_timestamp(info.rtp)
        .packet_count(info.packets)
        .octet_count(info.octets);
    packet(out, &report);
}

/// Appends receiver reports, one for each 31 blocks, or an empty one.
pub fn receiver_report(out: &mut Vec<u8>, sender: u32, blocks: &[ReportBlock]) {
    if blocks.is_empty() {
        packet(out, &ReceiverReport::builder(sender));
    }
    for blocks in blocks.chunks(MAX_ITEMS) {
        let report = ReceiverReport::builder(sender);
        let report = blocks.iter().fold(report, |report, block| {
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
            report.add_report_block(
                rtcp_types::ReportBlock::builder(block.ssrc)
                    .fraction_lost(block.fraction_lost)
                    .cumulative_lost(lost.cast_unsigned() & 0xff_ffff)
                    .extended_sequence_number(block.highest)
                    .interarrival_jitter(block.jitter)
                    .last_sender_report_timestamp(block.last_report)
                    .delay_since_last_sender_report_timestamp(block.delay),
            )
        });
        packet(out, &report);
    }
}

/// Appends the CNAME of these sources.
pub fn source_description(out: &mut Vec<u8>, ssrcs: &[u32], cname: &str) {
    for ssrcs in ssrcs.chunks(MAX_ITEMS) {
        let description = ssrcs.iter().fold(Sdes::builder(), |description, ssrc| {
            let name = SdesItem::builder(SdesItem::CNAME, cname);
            description.add_chunk(SdesChunk::builder(*ssrc).add_item(name))
        });
        packet(out, &description);
    }
}

/// Appends the end of these sources.
pub fn goodbye(out: &mut Vec<u8>, ssrcs: &[u32], reason: &str) {
    for ssrcs in ssrcs.chunks(MAX_ITEMS) {
        let sources = ssrcs.iter().copied();
        let bye = Bye::builder().reason(reason);
        packet(out, &sources.fold(bye, |bye, ssrc| bye.add_source(ssrc)));
    }
}

/// Appends a picture loss indication.
pub fn picture_loss(out: &mut Vec<u8>, sender: u32, media: u32) {
    let request = Pli::builder();
    let feedback = PayloadFeedback::builder(&request);
    packet(out, &feedback.sender_ssrc(sender).media_ssrc(media));
}

/// Appends a full intra request. Its media source is 0, the stream is in its entry (RFC 5104 §4.3.1.2).
pub fn full_intra(out: &mut Vec<u8>, sender: u32, media: u32, sequence: u8) {
    let request = Fir::builder().add_ssrc(media, sequence);
    packet(out, &PayloadFeedback::builder(&request).sender_ssrc(sender));
}

/// Appends a request for lost packets.
pub fn nack(out: &mut Vec<u8>, sender: u32, media: u32, sequences: &[u16]) {
    let sequences = sequences.iter().copied();
    let request = sequences.fold(Nack::builder(), |nack, sequence| {
        nack.add_rtp_sequence(sequence)
    });
    let feedback = TransportFeedback::builder(&request);
    packet(out, &feedback.sender_ssrc(sender).media_ssrc(media));
}

/// Appends answers to reference times.
pub fn receiver_delays(out: &mut Vec<u8>, sender: u32, delays: &[ReceiverDelay]) {
    if delays.is_empty() {
        return;
    }
    let block = DelaySinceLastReceiverReport::builder();
    let block = delays.iter().fold(block, |block, delay| {
        block.add_block(
            DelaySinceLastReceiverReportBlock::builder()
                .ssrc(delay.ssrc)
                .last_receiver_report(delay.last_reference)
                .delay_since_last_receiver_report_timestamp(delay.delay),
        )
    });
    packet(out, &Xr::builder().sender_ssrc(sender).add_block(block));
}
