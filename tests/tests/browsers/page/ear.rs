//! What a person would hear of another one: the page's own element of sound is listened to.

use std::thread::sleep;
use std::time::{Duration, Instant};

use forwarder_tests::browsers::Browser;
use serde::Deserialize;

use crate::stage::LONG;

/// The ear of the tests' own page, as a script of its own.
const TONE: &str = include_str!("../../../browsers/page/tone.js");

/// What is silent, dB of full scale. A track that is muted sends nothing but zeros.
const SILENCE: f64 = -90.0;
/// Recordings of half a second that have to be silent: a camera's own sound beeps twice a second.
const SILENT: u64 = 4;
/// What is loud enough to be heard, dB of full scale.
const AUDIBLE: f64 = -60.0;
/// How far a tone may be from what was published, Hz.
const IN_TUNE: f64 = 12.0;

/// A recording of half a second.
#[derive(Debug, Deserialize)]
struct Heard {
    /// Hz.
    frequency: f64,
    /// dB of full scale.
    level: f64,
    /// How many there were so far.
    recordings: u64,
}

/// Listens to one person in a page.
pub struct Ear<'a> {
    browser: &'a Browser,
    heard: String,
}

impl<'a> Ear<'a> {
    /// Begins to listen to the person of this session, whose sound has to have come.
    pub fn open(browser: &'a Browser, session: &str) -> Self {
        let script = TONE.replace("export class", "class");
        let element = format!("document.querySelector('audio[data-session=\"{session}\"]')");
        super::house::wait(browser, &format!("{element} !== null"));
        let open = format!(
            "(() => {{ {script}
                const ears = window.ears ??= new Map();
                ears.get('{session}')?.stop();
                ears.set('{session}', new Ear({element}.srcObject.getAudioTracks()[0]));
                return true;
            }})()"
        );
        let _: bool = browser.evaluate(&open).unwrap();
        Self {
            browser,
            heard: format!("window.ears.get('{session}').heard"),
        }
    }

    /// Waits until this tone is heard, in Hz.
    pub fn wait_for_tone(&self, frequency: f64) {
        self.wait(&format!("{frequency} Hz"), |heard| {
            (heard.frequency - frequency).abs() < IN_TUNE && heard.level > AUDIBLE
        });
    }

    /// Waits until anything is heard.
    pub fn wait_for_sound(&self) {
        self.wait("a sound", |heard| heard.level > AUDIBLE);
    }

    /// Waits until nothing is heard any more.
    pub fn wait_for_silence(&self) {
        let (mut silent, mut last) = (0, 0);
        self.wait("silence", |heard| {
            if heard.recordings != last {
                silent = if heard.level < SILENCE { silent + 1 } else { 0 };
                last = heard.recordings;
            }
            silent >= SILENT
        });
    }

    fn wait(&self, what: &str, mut enough: impl FnMut(&Heard) -> bool) {
        let end = Instant::now() + LONG;
        loop {
            let heard: Heard = self.browser.evaluate(&self.heard).unwrap();
            if enough(&heard) {
                return;
            }
            let name = self.browser.name();
            assert!(Instant::now() < end, "{name} hears {heard:?}, not {what}");
            sleep(Duration::from_millis(100));
        }
    }
}
