//! The three containers that ffmpeg writes encoded frames into, taken apart and, for decoding, put together: IVF for VP8, an Annex B
//! byte stream for H.264 (ITU-T H.264, Annex B), Ogg for Opus (RFC 3533, RFC 7845).

use anyhow::{Context, Result, ensure};

/// Bytes of the IVF file header.
const IVF_HEADER: usize = 32;

/// Bytes in front of every IVF frame: length, then timestamp.
const IVF_FRAME_HEADER: usize = 12;

/// Frames of an IVF file.
///
/// # Errors
/// When it is none, or ends within a frame.
pub fn ivf_frames(file: &[u8]) -> Result<Vec<Vec<u8>>> {
    ensure!(
        file.starts_with(b"DKIF") && file.len() >= IVF_HEADER,
        "not an IVF file"
    );
    let mut rest = &file[IVF_HEADER..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (header, after) = rest
            .split_at_checked(IVF_FRAME_HEADER)
            .context("the IVF file ends within a frame's header")?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let (frame, after) = after
            .split_at_checked(length)
            .context("the IVF file ends within a frame")?;
        frames.push(frame.to_vec());
        rest = after;
    }
    Ok(frames)
}

/// An IVF file of VP8 frames, 30 per second.
#[must_use]
pub fn ivf_file(frames: &[impl AsRef<[u8]>], width: u16, height: u16) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(b"DKIF");
    file.extend_from_slice(&0u16.to_le_bytes());
    file.extend_from_slice(&(IVF_HEADER as u16).to_le_bytes());
    file.extend_from_slice(b"VP80");
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&30u32.to_le_bytes());
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&(frames.len() as u32).to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    for (n, frame) in frames.iter().enumerate() {
        let frame = frame.as_ref();
        file.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        file.extend_from_slice(&(n as u64).to_le_bytes());
        file.extend_from_slice(frame);
    }
    file
}

/// Access units of an Annex B stream in which each begins with an access unit delimiter. Delimiters are left out, and every NAL unit
/// gets a start code of four bytes: what a depacketizer of RFC 6184 makes of them too.
///
/// # Errors
/// When there is no delimiter.
pub fn annex_b_access_units(stream: &[u8]) -> Result<Vec<Vec<u8>>> {
    const DELIMITER: u8 = 9;
    let mut units: Vec<Vec<u8>> = Vec::new();
    for nal in nal_units(stream) {
        match nal.first().map(|first| first & 0x1f) {
            None => {}
            Some(DELIMITER) => units.push(Vec::new()),
            Some(_) => {
                let unit = units
                    .last_mut()
                    .context("the stream does not begin with an access unit delimiter")?;
                unit.extend_from_slice(&[0, 0, 0, 1]);
                unit.extend_from_slice(nal);
            }
        }
    }
    Ok(units)
}

/// Whether an access unit has an IDR slice.
#[must_use]
pub fn has_idr(unit: &[u8]) -> bool {
    const IDR: u8 = 5;
    nal_units(unit)
        .iter()
        .any(|nal| nal.first().is_some_and(|first| first & 0x1f == IDR))
}

/// NAL units between start codes of three or four bytes.
fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = stream
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == [0, 0, 1])
        .map(|(at, _)| at)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let mut nal = &stream[start + 3..end];
            // A NAL unit ends with a one bit: zeros behind it belong to the next start code.
            while let [rest @ .., 0] = nal {
                nal = rest;
            }
            nal
        })
        .collect()
}

/// Packets of the only stream in an Ogg file, without Opus' two header packets.
///
/// # Errors
/// When it is none, or ends within a page.
pub fn opus_packets(file: &[u8]) -> Result<Vec<Vec<u8>>> {
    const PAGE_HEADER: usize = 27;
    let mut packets = Vec::new();
    let mut open = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        ensure!(rest.starts_with(b"OggS"), "not an Ogg page");
        let segments = usize::from(*rest.get(PAGE_HEADER - 1).context("a page is cut off")?);
        let (lengths, mut data) = rest[PAGE_HEADER..]
            .split_at_checked(segments)
            .context("a page is cut off")?;
        for length in lengths {
            let (segment, after) = data
                .split_at_checked(usize::from(*length))
                .context("a page is cut off")?;
            open.extend_from_slice(segment);
            data = after;
            // A segment of 255 bytes says that its packet goes on.
            if *length < 255 {
                packets.push(std::mem::take(&mut open));
            }
        }
        rest = data;
    }
    ensure!(
        packets
            .first()
            .is_some_and(|head| head.starts_with(b"OpusHead")),
        "no Opus in the Ogg file"
    );
    packets.drain(..packets.len().min(2));
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ivf_file_has_the_frames_that_went_in() {
        let frames = vec![vec![1, 2, 3], vec![], vec![4; 300]];
        assert_eq!(ivf_frames(&ivf_file(&frames, 4, 2)).unwrap(), frames);
        let file = ivf_file(&frames, 4, 2);
        assert!(ivf_frames(&file[..file.len() - 1]).is_err());
        assert!(ivf_frames(b"DKIF").is_err());
    }

    #[test]
    fn start_codes_of_both_lengths_are_seen_and_delimiters_left_out() {
        let stream = [
            &[0, 0, 0, 1, 9, 0xf0][..],
            &[0, 0, 1, 0x67, 1, 2],
            &[0, 0, 0, 1, 0x65, 7, 0, 0, 3],
            &[0, 0, 0, 1, 9, 0xf0],
            &[0, 0, 1, 0x41, 5],
        ]
        .concat();
        let units = annex_b_access_units(&stream).unwrap();
        assert_eq!(units.len(), 2);
        assert_eq!(
            units[0],
            [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65, 7, 0, 0, 3]
        );
        assert!(has_idr(&units[0]));
        assert!(!has_idr(&units[1]));
    }

    #[test]
    fn opus_packets_go_over_segments_and_pages() {
        let page = |lengths: &[u8], data: &[u8]| {
            let mut page = b"OggS".to_vec();
            page.extend_from_slice(&[0; 22]);
            page.push(lengths.len() as u8);
            page.extend_from_slice(lengths);
            page.extend_from_slice(data);
            page
        };
        let mut file = page(&[8, 8], b"OpusHeadOpusTags");
        let long: Vec<u8> = (0..=255).collect();
        file.extend(page(&[3, 255], &[&[9, 9, 9], &long[..255]].concat()));
        file.extend(page(&[1], &long[255..]));
        assert_eq!(opus_packets(&file).unwrap(), [vec![9, 9, 9], long]);
    }
}
