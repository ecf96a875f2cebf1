//! What becomes of the offers that clients really make.

use super::{samples::*, *};

/// Per m-line: the MID, the codecs and their numbers in the answer, and the direction. A closed line has no codec.
type Line = (&'static str, &'static str, &'static str);

const SENT_BY_CHROMIUM: &str =
    "VP8:96 H264:102 H264:104 H264:108 H264:114 H264:116 H264:39 AV1:45 VP9:98 VP9:100";

const TAKEN_BY_CHROMIUM: &str = "VP8:96 VP9:98 VP9:100 H264:102 H264:104 H264:108 H264:114 H264:116 H264:39 H264:41 H264:43 AV1:45 AV1:47";

const ANSWERS: [(&str, &[Line]); 19] = [
    (
        "aiortc-recvonly-data",
        &[
            ("0", "opus:96", "inactive"),
            ("1", "VP8:97 H264:99 H264:101", "inactive"),
            ("2", "", "inactive"),
        ],
    ),
    (
        "aiortc-sendrecv",
        &[
            ("0", "opus:96", "recvonly"),
            ("1", "VP8:97 H264:99 H264:101", "recvonly"),
        ],
    ),
    (
        "chromium-balanced",
        &[
            ("0", "opus:111 red:63", "recvonly"),
            ("1", SENT_BY_CHROMIUM, "recvonly"),
        ],
    ),
    (
        "chromium-data-channel",
        &[("0", "opus:111 red:63", "recvonly"), ("1", "", "inactive")],
    ),
    ("chromium-data-channel-alone", &[("0", "", "inactive")]),
    (
        "chromium-recvonly",
        &[
            ("0", "opus:111 red:63", "inactive"),
            ("1", TAKEN_BY_CHROMIUM, "inactive"),
        ],
    ),
    (
        "chromium-sendonly",
        &[
            ("0", "opus:111 red:63", "recvonly"),
            ("1", SENT_BY_CHROMIUM, "recvonly"),
        ],
    ),
    (
        "chromium-sendrecv",
        &[
            ("0", "opus:111 red:63", "recvonly"),
            ("1", SENT_BY_CHROMIUM, "recvonly"),
        ],
    ),
    ("chromium-simulcast", &[("0", SENT_BY_CHROMIUM, "recvonly")]),
    (
        "ffmpeg-whip",
        &[("0", "opus:111", "recvonly"), ("1", "H264:106", "recvonly")],
    ),
    (
        "firefox-balanced",
        &[
            ("0", "opus:109", "recvonly"),
            ("1", "VP8:120 VP9:121 AV1:99", "recvonly"),
        ],
    ),
    (
        "firefox-data-channel",
        &[("0", "opus:109", "recvonly"), ("1", "", "inactive")],
    ),
    ("firefox-data-channel-alone", &[("0", "", "inactive")]),
    (
        "firefox-recvonly",
        &[
            ("0", "opus:109", "inactive"),
            ("1", "VP8:120 VP9:121 AV1:99", "inactive"),
        ],
    ),
    (
        "firefox-sendonly",
        &[
            ("0", "opus:109", "recvonly"),
            ("1", "VP8:120 VP9:121 AV1:99", "recvonly"),
        ],
    ),
    (
        "firefox-sendrecv",
        &[
            ("0", "opus:109", "recvonly"),
            ("1", "VP8:120 VP9:121 AV1:99", "recvonly"),
        ],
    ),
    (
        "firefox-simulcast",
        &[("0", "VP8:120 VP9:121 AV1:99", "recvonly")],
    ),
    (
        "gstreamer-sendrecv",
        &[
            ("video0", "VP8:96", "recvonly"),
            ("audio1", "OPUS:97", "recvonly"),
        ],
    ),
    (
        "libdatachannel-obs",
        &[("0", "opus:111", "recvonly"), ("1", "H264:96", "recvonly")],
    ),
];

fn shape(sdp: &str) -> Vec<(String, String, String)> {
    let lines = crate::sdp::read(sdp).unwrap().lines;
    let shape = lines.iter().map(|line| {
        let codecs = line.codecs.iter().map(|format| {
            let codec = &format.codec;
            format!("{}:{}", codec.name, codec.payload_type)
        });
        let codecs = if line.is_open() {
            codecs.collect()
        } else {
            Vec::new()
        };
        let mid = line.mid.clone().unwrap_or_default();
        (mid, codecs.join(" "), line.direction.name().to_owned())
    });
    shape.collect()
}

#[test]
fn each_gets_the_answer_it_should() {
    for (name, expected) in ANSWERS {
        let answer = answered(&mut Negotiation::new(), offer(name));
        let expected: Vec<_> = expected
            .iter()
            .map(|(mid, codecs, way)| ((*mid).to_owned(), (*codecs).to_owned(), (*way).to_owned()))
            .collect();
        assert_eq!(shape(&answer), expected, "{name}");
    }
    for (name, _) in OFFERS {
        let tested = ANSWERS.iter().any(|(known, _)| *known == name);
        assert!(tested || name == "chromium-ten-videos", "{name}");
    }
}
