//! A peer connection in a page.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::browser::Browser;
use super::report::{Posted, Report, Stats};

/// How far a tone may be from what was published: what half a second of it tells, Hz.
const IN_TUNE: f64 = 12.0;

/// The least level of a tone, dB of full scale; it is published at -8.
const AUDIBLE: f64 = -40.0;

/// How far picture and sound may be apart, in milliseconds: less than the wrong clock rate, or a report of another stream, would make it.
const IN_TIME: f64 = 500.0;

/// A peer connection in the page of a browser.
#[derive(Clone, Debug)]
pub struct Peer {
    browser: Browser,
    name: String,
}

/// A picture to publish.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Picture {
    /// The number that says whose it is, below 64.
    pub stream: u8,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether it is put together of two, as after a fault of a decoder.
    pub torn: bool,
}

/// What a peer publishes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Media {
    /// A picture.
    pub picture: Option<Picture>,
    /// A tone of this frequency, Hz.
    pub tone: Option<u32>,
    /// Another tone on the right, Hz; the one above is on both sides without it.
    pub right: Option<u32>,
    /// The codec of the picture, such as `VP8`; what the browser likes best unless told.
    pub codec: Option<String>,
    /// The format of that codec, as in `a=fmtp`.
    pub format: Option<String>,
    /// Whether the picture keeps its size, come what may.
    pub kept: bool,
    /// Whether sound is sent by RED (RFC 2198).
    pub redundant: bool,
}

/// Which candidates of the forwarder a peer learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidates {
    /// All of them.
    All,
    /// UDP over IPv4.
    V4,
    /// UDP over IPv6.
    V6,
    /// TCP, of either.
    Tcp,
}

impl Media {
    /// A picture of 1280 by 720 pixels and a tone, both told from others by this number.
    #[must_use]
    pub fn hd(stream: u8) -> Self {
        Self::sized(stream, 1280, 720)
    }

    /// A picture of 640 by 360 pixels and a tone.
    #[must_use]
    pub fn small(stream: u8) -> Self {
        Self::sized(stream, 640, 360)
    }

    /// A picture of 320 by 180 pixels and a tone: many of them fit on a small machine.
    #[must_use]
    pub fn tiny(stream: u8) -> Self {
        Self::sized(stream, 320, 180)
    }

    fn sized(stream: u8, width: u32, height: u32) -> Self {
        Self {
            picture: Some(Picture {
                stream,
                width,
                height,
                torn: false,
            }),
            tone: Some(Self::tone_of(stream)),
            right: None,
            codec: None,
            format: None,
            kept: false,
            redundant: false,
        }
    }

    /// The tone of a stream: 75 Hz apart, which the page's analyser tells apart by far.
    #[must_use]
    pub fn tone_of(stream: u8) -> u32 {
        440 + 75 * u32::from(stream)
    }

    /// The same, which keeps the picture's size however few bits or cycles there are.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// The same with pictures that no reader may take for one.
    #[must_use]
    pub const fn torn(mut self) -> Self {
        if let Some(picture) = &mut self.picture {
            picture.torn = true;
        }
        self
    }

    /// The same, with sound by RED.
    #[must_use]
    pub const fn redundant(mut self) -> Self {
        self.redundant = true;
        self
    }

    /// The same, with the tone of another stream on the right.
    #[must_use]
    pub fn with_right(mut self, stream: u8) -> Self {
        self.right = Some(Self::tone_of(stream));
        self
    }

    /// The same, without a picture.
    #[must_use]
    pub fn without_picture(&self) -> Self {
        Self {
            picture: None,
            ..self.clone()
        }
    }

    /// The same, without a tone.
    #[must_use]
    pub fn without_tone(&self) -> Self {
        Self {
            tone: None,
            ..self.clone()
        }
    }

    /// The same by this codec.
    #[must_use]
    pub fn with_codec(mut self, codec: &str) -> Self {
        self.codec = Some(codec.to_owned());
        self
    }
}

impl Candidates {
    /// As the page knows it.
    fn wanted(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::V4 => Some("udp4"),
            Self::V6 => Some("udp6"),
            Self::Tcp => Some("tcp"),
        }
    }
}

impl Peer {
    pub(super) fn make(browser: &Browser, name: &str) -> Result<Self> {
        let peer = Self {
            browser: browser.clone(),
            name: name.to_owned(),
        };
        peer.act::<Value>("make", json!({}))?;
        Ok(peer)
    }

    /// Its browser.
    #[must_use]
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Adds tracks; the next offer has them.
    ///
    /// # Errors
    /// When the page refuses; so for all calls below.
    pub fn publish(&self, media: &Media) -> Result<()> {
        self.act("publish", serde_json::to_value(media)?)
    }

    /// Asks for tracks of these kinds, for video by a certain codec alone.
    pub fn subscribe(&self, kinds: &[&str], codec: Option<&str>) -> Result<()> {
        self.act("subscribe", json!({ "kinds": kinds, "codec": codec }))
    }

    /// Asks for what the forwarder does not have: sound by a codec that it does not carry, and a channel of data.
    pub fn ask_for_more(&self) -> Result<()> {
        self.act("ask_for_more", json!({}))
    }

    /// Adds parameters of Opus (RFC 7587) to its offers to come.
    pub fn tune(&self, opus: &str) -> Result<()> {
        self.act("tune", json!({ "opus": opus }))
    }

    /// Silences its tone, or lets it sound again.
    pub fn quiet(&self, quiet: bool) -> Result<()> {
        self.act("quiet", json!({ "quiet": quiet }))
    }

    /// Stops sending a kind; the next offer tells.
    pub fn unpublish(&self, kind: &str) -> Result<()> {
        self.act("unpublish", json!({ "kind": kind }))
    }

    /// Ends the m-lines on which a kind comes; the next offer tells.
    ///
    /// # Errors
    /// The browser's.
    pub fn unsubscribe(&self, kind: &str) -> Result<()> {
        self.act("unsubscribe", json!({ "kind": kind }))
    }

    /// An offer with all candidates in it, set as the local description.
    pub fn offer(&self) -> Result<String> {
        self.act("offer", json!({}))
    }

    /// An offer that restarts ICE.
    pub fn restart_offer(&self) -> Result<String> {
        self.act("offer", json!({ "restart": true }))
    }

    /// An answer to an offer, with all candidates in it.
    pub fn answer(&self, offer: &str) -> Result<String> {
        self.act("answer", json!({ "sdp": offer }))
    }

    /// Takes the answer to its own offer.
    pub fn accept(&self, answer: &str) -> Result<()> {
        self.act("accept", json!({ "sdp": answer }))
    }

    /// The m-lines of the forwarder's description that it took: the kind of media, and whether the line is open.
    pub fn lines(&self) -> Result<Vec<(String, bool)>> {
        let lines = self.told()?;
        let lines = lines.lines().filter_map(|line| line.strip_prefix("m="));
        let read = lines.filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()? != "0"))
        });
        Ok(read.collect())
    }

    /// The forwarder's description that it took.
    pub fn told(&self) -> Result<String> {
        self.act("told", json!({}))
    }

    /// What its offer says, in the terms of ORTC.
    pub fn parameters(&self) -> Result<Value> {
        self.act("parameters", json!({}))
    }

    /// Takes what the forwarder said of a session as the answer to its own offer. `accepted` names per mid what became of the line.
    pub fn accept_session(
        &self,
        session: &Value,
        accepted: &Value,
        candidates: Candidates,
    ) -> Result<()> {
        let given =
            json!({ "session": session, "accepted": accepted, "candidates": candidates.wanted() });
        self.act("accept_session", given)
    }

    /// Publishes at a WHIP endpoint.
    pub fn whip(&self, url: &str, token: Option<&str>, candidates: Candidates) -> Result<Posted> {
        let given = json!({ "url": url, "token": token, "candidates": candidates.wanted() });
        self.act("whip", given)
    }

    /// Plays from a WHEP endpoint, picture and sound, the picture by this codec if one is named.
    pub fn whep(
        &self,
        url: &str,
        token: Option<&str>,
        candidates: Candidates,
        codec: Option<&str>,
    ) -> Result<Posted> {
        let wanted = candidates.wanted();
        let given = json!({ "url": url, "token": token, "candidates": wanted, "codec": codec });
        self.act("whep", given)
    }

    /// Restarts ICE at the WHIP or WHEP endpoint by PATCH; gives the entity tag of the new ICE session.
    pub fn restart(&self, token: Option<&str>, candidates: Candidates) -> Result<Option<String>> {
        let given = json!({ "token": token, "candidates": candidates.wanted() });
        let restarted: Value = self.act("restart", given)?;
        Ok(restarted["etag"].as_str().map(str::to_owned))
    }

    /// Ends what it has at a WHIP or WHEP endpoint by DELETE, and the connection.
    pub fn leave(&self, token: Option<&str>) -> Result<()> {
        self.act("leave", json!({ "token": token }))
    }

    /// What it has seen and hears.
    pub fn report(&self) -> Result<Report> {
        self.act("report", json!({}))
    }

    /// Its statistics.
    pub fn stats(&self) -> Result<Stats> {
        self.act("stats", json!({}))
    }

    /// Ends the connection.
    pub fn close(self) -> Result<()> {
        self.act("close", json!({}))
    }

    /// Waits until what a report says is so.
    ///
    /// # Errors
    /// With the last report, when it is not so in time.
    pub fn wait_for(
        &self,
        what: &str,
        timeout: Duration,
        is_so: impl Fn(&Report) -> bool,
    ) -> Result<Report> {
        let end = Instant::now() + timeout;
        loop {
            let report = self.report()?;
            if is_so(&report) {
                return Ok(report);
            }
            if Instant::now() >= end {
                let browser = self.browser.name();
                bail!("{browser}: {what}: not within {timeout:?}: {report:#?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until `pictures` more pictures of a stream than now have been read and its tone is heard.
    ///
    /// # Errors
    /// With the last report, when they do not come in time.
    pub fn wait_for_stream(&self, stream: u8, pictures: u64, timeout: Duration) -> Result<Report> {
        let read = |report: &Report| report.picture(stream).map_or(0, |seen| seen.read);
        let wanted = read(&self.report()?) + pictures;
        self.wait_for(&format!("stream {stream}"), timeout, |report| {
            read(report) >= wanted && report.hears(stream)
        })
    }

    /// Waits until picture and sound are played out in time with each other, by the publisher's clock as its sender reports tell it;
    /// gives by how much the picture is ahead, in milliseconds. Chromium alone has it in its statistics.
    ///
    /// # Errors
    /// When they are further apart for all of `timeout`.
    pub fn wait_for_sync(&self, timeout: Duration) -> Result<f64> {
        let end = Instant::now() + timeout;
        loop {
            let stats = self.stats()?;
            let [audio, video] = ["audio", "video"].map(|kind| {
                let at = stats.inbound(kind, "estimatedPlayoutTimestamp");
                at.as_f64().filter(|at| *at > 0.0)
            });
            let ahead = audio.zip(video).map(|(audio, video)| video - audio);
            if let Some(ahead) = ahead.filter(|ahead| ahead.abs() <= IN_TIME) {
                return Ok(ahead);
            }
            let browser = self.browser.name();
            ensure!(
                Instant::now() < end,
                "{browser}: picture and sound are apart: {audio:?} and {video:?} ms"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn act<T: serde::de::DeserializeOwned>(&self, action: &str, mut given: Value) -> Result<T> {
        given["peer"] = json!(self.name);
        self.browser
            .act(action, given)
            .with_context(|| format!("peer {}", self.name))
    }
}

impl Report {
    /// What was seen of a stream.
    #[must_use]
    pub fn picture(&self, stream: u8) -> Option<&super::report::Seen> {
        self.pictures
            .iter()
            .find(|seen| seen.stream == Some(stream))
    }

    /// Whether the tone of a stream is heard now.
    #[must_use]
    pub fn hears(&self, stream: u8) -> bool {
        let mut sounds = self.sounds.iter();
        sounds.any(|sound| is_tone(sound.frequency, sound.level, stream))
    }

    /// Whether the tones of two streams are heard now, one on the left and one on the right.
    #[must_use]
    pub fn hears_both(&self, left: u8, right: u8) -> bool {
        let mut sounds = self.sounds.iter();
        sounds.any(|sound| {
            let other = sound.right.as_ref();
            is_tone(sound.frequency, sound.level, left)
                && other.is_some_and(|other| is_tone(other.frequency, other.level, right))
        })
    }

    /// Whether nothing is heard now.
    #[must_use]
    pub fn hears_nothing(&self) -> bool {
        self.sounds.iter().all(|sound| sound.level < AUDIBLE)
    }
}

fn is_tone(frequency: f64, level: f64, stream: u8) -> bool {
    let wanted = f64::from(Media::tone_of(stream));
    (frequency - wanted).abs() <= IN_TUNE && level >= AUDIBLE
}
