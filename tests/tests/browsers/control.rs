//! Browsers against each other over a veth pair, without a forwarder: what the rig sees when nothing is in between.

use std::fmt;

use forwarder_tests::browsers::{self, Browser, Kind, Media, Peer};

use crate::Scenario;
use crate::stage::{LONG, SOME, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("chromium_to_chromium", chromium_to_chromium),
    ("chromium_to_firefox", chromium_to_firefox),
    ("firefox_to_chromium", firefox_to_chromium),
    ("torn_pictures_are_unreadable", torn_pictures_are_unreadable),
];

fn chromium_to_chromium(stage: &mut Stage) {
    call(&stage.publisher, &stage.local);
}

fn chromium_to_firefox(stage: &mut Stage) {
    call(&stage.local, &stage.firefox);
}

fn firefox_to_chromium(stage: &mut Stage) {
    call(&stage.firefox, &stage.local);
}

/// Pictures put together of two, whose numbers differ in one bit alone, are taken for neither: else a fault would pass for a picture.
fn torn_pictures_are_unreadable(stage: &mut Stage) {
    for to in [&stage.chromium, &stage.firefox] {
        let (_sender, receiver) = connect(&stage.local, to, &Media::small(7).torn());
        let unreadable = |report: &browsers::Report| {
            let mut pictures = report.pictures.iter();
            pictures.any(|seen| seen.unreadable >= SOME)
        };
        let report = receiver.wait_for("torn pictures", LONG, unreadable);
        for seen in report.unwrap().pictures {
            assert_eq!(seen.read, 0, "{seen:#?}");
            assert!(!seen.faults.is_empty(), "{seen:#?}");
            for fault in &seen.faults {
                // Both were legible: below the eight bits that check them, the numbers differ in the last one.
                assert_eq!((fault.upper ^ fault.lower) >> 8, 1, "{seen:#?}");
            }
        }
    }
    browsers::test_reading().unwrap();
}

/// Picture and sound of a stream at the other browser, whole, in order and without a freeze.
fn call(from: &Browser, to: &Browser) {
    let (_sender, receiver) = connect(from, to, &Media::hd(7));
    receiver.wait_for_stream(7, SOME, LONG).unwrap();
    println!("{}", Quality::of(&receiver, 7));
    if to.kind() == Kind::Chromium {
        let ahead = receiver.wait_for_sync(LONG).unwrap();
        println!("the picture is {ahead:.0} ms ahead of the sound");
    }
}

fn connect(from: &Browser, to: &Browser, media: &Media) -> (Peer, Peer) {
    let name = format!("{} to {}", from.name(), to.name());
    let (sender, receiver) = (from.peer(&name).unwrap(), to.peer(&name).unwrap());
    sender.publish(media).unwrap();
    let answer = receiver.answer(&sender.offer().unwrap()).unwrap();
    sender.accept(&answer).unwrap();
    (sender, receiver)
}

/// How a stream is at who gets it.
#[derive(Clone, Debug)]
pub struct Quality {
    pub browser: String,
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// How old the oldest picture was when it was shown, in milliseconds.
    pub oldest: i64,
    /// As `getStats` has it.
    pub freezes: u64,
    pub decoded: u64,
}

impl Quality {
    /// Looks. Every picture that was read is of this stream, whole and in order, or the test fails.
    pub fn of(receiver: &Peer, stream: u8) -> Self {
        let report = receiver.report().unwrap();
        let seen = report.picture(stream).unwrap();
        assert_eq!(
            (seen.unreadable, seen.backwards, seen.strangers),
            (0, 0, 0),
            "{seen:#?}"
        );
        let stats = receiver.stats().unwrap();
        let number = |field| stats.inbound("video", field).as_u64().unwrap_or(0);
        Self {
            browser: receiver.browser().name().to_owned(),
            codec: stats.codec("video").unwrap_or("unknown").to_owned(),
            width: seen.width,
            height: seen.height,
            oldest: seen.oldest,
            freezes: number("freezeCount"),
            decoded: number("framesDecoded"),
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} {}x{}, {} pictures, the oldest {} ms old, {} freezes",
            self.browser,
            self.codec,
            self.width,
            self.height,
            self.decoded,
            self.oldest,
            self.freezes
        )
    }
}
