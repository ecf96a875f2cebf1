//! A peer on paper: it writes descriptions and mirrors ours, and never sends a packet.

use std::fmt::Write;

use crate::media::Kind;

const FINGERPRINT: &str = "AB";
const CODECS: [(&str, &str); 2] = [("audio", "111 opus/48000/2"), ("video", "96 VP8/90000")];

struct Line {
    kind: &'static str,
    mid: String,
    direction: &'static str,
    ssrc: u32,
}

/// What the peer offers, and how often it wrote.
pub struct Paper {
    lines: Vec<Line>,
    version: u32,
}

impl Paper {
    pub const fn new() -> Self {
        Self {
            lines: Vec::new(),
            version: 0,
        }
    }

    /// One more m-line in the next offer.
    pub fn add(&mut self, kind: &'static str, direction: &'static str) {
        let mid = format!("p{}", self.lines.len());
        let ssrc = 1000 + self.lines.len() as u32;
        self.lines.push(Line {
            kind,
            mid,
            direction,
            ssrc,
        });
    }

    /// Changes the direction of one of its own m-lines.
    pub fn turn(&mut self, at: usize, direction: &'static str) {
        let len = self.lines.len();
        let line = at.checked_rem(len).and_then(|at| self.lines.get_mut(at));
        // What it sends on, it goes on sending on.
        if let Some(line) = line.filter(|line| line.direction != "sendonly") {
            line.direction = direction;
        }
    }

    /// How many m-lines of a kind it takes something on.
    pub fn receiving(&self, kind: Kind) -> usize {
        let kind = if kind == Kind::Audio {
            "audio"
        } else {
            "video"
        };
        let lines = self.lines.iter();
        lines
            .filter(|line| line.kind == kind && line.direction == "recvonly")
            .count()
    }

    /// Its offer: only for peers that are sent none of ours.
    pub fn offer(&mut self) -> String {
        self.version += 1;
        let mids: Vec<_> = self.lines.iter().map(|line| line.mid.as_str()).collect();
        let mut sdp = session(self.version, &mids);
        for line in &self.lines {
            let codec = CODECS.iter().find(|it| it.0 == line.kind).unwrap().1;
            let (number, name) = codec.split_once(' ').unwrap();
            let Line {
                kind,
                mid,
                direction,
                ssrc,
            } = line;
            write!(
                sdp,
                "m={kind} 9 UDP/TLS/RTP/SAVPF {number}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\n\
                 a=rtcp-mux\r\na=setup:actpass\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
                 a=rtpmap:{number} {name}\r\n{}",
                transport(),
            )
            .unwrap();
            if direction.starts_with("send") {
                write!(sdp, "a=ssrc:{ssrc} cname:x\r\n").unwrap();
            }
        }
        sdp
    }

    /// An offer of nothing but one of its m-lines, as if it had no others.
    pub fn alone(&self, at: usize) -> String {
        let Line {
            kind, direction, ..
        } = self.lines[at];
        let mut paper = Self::new();
        paper.add(kind, direction);
        paper.offer()
    }

    /// The answer that takes all that an offer of ours says. `declines` says by the index of a line whether it is not taken.
    pub fn mirror(&mut self, offer: &str, declines: impl Fn(usize) -> bool) -> String {
        self.version += 1;
        let mut answer = session(self.version, &[]);
        let group = offer
            .lines()
            .find(|line| line.starts_with("a=group:BUNDLE"));
        if let Some(group) = group {
            answer.push_str(group);
            answer.push_str("\r\n");
        }
        let kept = [
            "a=mid:",
            "a=rtcp-mux",
            "a=rtpmap:",
            "a=fmtp:",
            "a=extmap:",
            "c=",
        ];
        for (at, section) in offer.split("m=").skip(1).enumerate() {
            let mut lines = section.lines();
            write!(answer, "m={}\r\n", lines.next().unwrap()).unwrap();
            answer.push_str(&transport());
            answer.push_str("a=setup:active\r\n");
            let mut own = None;
            for line in lines {
                if kept.iter().any(|it| line.starts_with(it)) {
                    write!(answer, "{line}\r\n").unwrap();
                }
                if let Some(mid) = line.strip_prefix("a=mid:") {
                    own = self.lines.iter().find(|line| line.mid == mid);
                }
                if let Some(direction) = mirrored(line) {
                    let declined = declines(at) && direction == "recvonly";
                    let direction = if declined { "inactive" } else { direction };
                    write!(answer, "a={direction}\r\n").unwrap();
                }
            }
            if let Some(Line { ssrc, .. }) = own.filter(|line| line.direction == "sendonly") {
                write!(answer, "a=ssrc:{ssrc} cname:x\r\n").unwrap();
            }
        }
        answer
    }
}

fn session(version: u32, mids: &[&str]) -> String {
    let mut text = format!("v=0\r\no=- 1 {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    if !mids.is_empty() {
        write!(text, "a=group:BUNDLE {}\r\n", mids.join(" ")).unwrap();
    }
    text
}

fn transport() -> String {
    let value = [FINGERPRINT; 32].join(":");
    format!(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {value}\r\n"
    )
}

/// What a line says of its direction, seen from the other side.
fn mirrored(line: &str) -> Option<&'static str> {
    match line {
        "a=sendonly" => Some("recvonly"),
        "a=recvonly" => Some("sendonly"),
        "a=inactive" => Some("inactive"),
        "a=sendrecv" => Some("sendrecv"),
        _ => None,
    }
}
