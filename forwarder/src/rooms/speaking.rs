//! Who speaks: by what publishers say of the level of their sound (RFC 6464), with hysteresis.

/// Sound as loud as this is speech, in dB above -127 dBov, which is silence: quiet speech into a laptop is about -45 dBov.
const LOUD: u64 = 127 - 45;
/// Sound that its sender takes for voice may be quieter by so many dB.
const VOICED: u64 = 10;
/// Speech goes on down to so many dB less: words fade.
const FADE: u64 = 10;
/// Samples on end that speech begins with, and that silence does: a click is no speech, and a pause for breath no silence.
const BEGINS: u32 = 2;
const ENDS: u32 = 6;

/// What the worker has added up so far for one publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Packets that said how loud they are.
    pub packets: u64,
    /// The sum of that, in dB above -127 dBov.
    pub loudness: u64,
    /// How many of them were taken for voice.
    pub voiced: u64,
}

/// One publication of audio.
#[derive(Debug, Default)]
pub struct Speaker {
    before: Levels,
    speaking: bool,
    /// Samples on end that said otherwise.
    against: u32,
}

impl Speaker {
    /// Whether it is speech now.
    pub const fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// What was added up at the last sample.
    pub const fn before(&self) -> Levels {
        self.before
    }

    /// Takes in what was added up by now; says so if speech begins or ends.
    pub fn sample(&mut self, now: Levels) -> Option<bool> {
        let before = std::mem::replace(&mut self.before, now);
        let since = |now: u64, before: u64| now.wrapping_sub(before);
        let packets = since(now.packets, before.packets);
        let voiced = since(now.voiced, before.voiced);
        // No packets are silence: a muted microphone, or DTX.
        let level = since(now.loudness, before.loudness)
            .checked_div(packets)
            .unwrap_or(0);
        let mut enough = LOUD;
        if voiced > packets / 2 {
            enough -= VOICED;
        }
        if self.speaking {
            enough -= FADE;
        }
        let heard = packets > 0 && level >= enough;
        if heard == self.speaking {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.against < if self.speaking { ENDS } else { BEGINS } {
            return None;
        }
        self.against = 0;
        self.speaking = heard;
        Some(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a speaker says to samples of so many packets each, with this level in dBov below 0 and marked as voice or not.
    struct Microphone {
        speaker: Speaker,
        levels: Levels,
    }

    impl Microphone {
        fn new() -> Self {
            // Counters that have run before.
            let levels = Levels {
                packets: 1000,
                loudness: 50_000,
                voiced: 30,
            };
            let mut speaker = Speaker::default();
            assert_eq!(speaker.sample(Levels::default()), None);
            speaker.before = levels;
            Self { speaker, levels }
        }

        fn hear(&mut self, below: u64, voice: bool) -> Option<bool> {
            self.levels.packets += 7;
            self.levels.loudness += 7 * (127 - below);
            self.levels.voiced += if voice { 7 } else { 0 };
            self.speaker.sample(self.levels)
        }
    }

    #[test]
    fn speech_begins_and_ends_with_hysteresis() {
        let mut microphone = Microphone::new();
        for _ in 0..20 {
            assert_eq!(microphone.hear(70, false), None);
        }
        // A click.
        assert_eq!(microphone.hear(10, false), None);
        assert_eq!(microphone.hear(70, false), None);
        assert_eq!(microphone.hear(30, false), None);
        assert_eq!(microphone.hear(30, false), Some(true));
        // It fades, and goes on.
        for _ in 0..20 {
            assert_eq!(microphone.hear(54, false), None);
        }
        // A pause for breath.
        for _ in 0..5 {
            assert_eq!(microphone.hear(80, false), None);
        }
        assert_eq!(microphone.hear(30, false), None);
        for _ in 0..5 {
            assert_eq!(microphone.hear(80, false), None);
        }
        assert_eq!(microphone.hear(80, false), Some(false));
        assert!(!microphone.speaker.is_speaking());
    }

    #[test]
    fn voice_may_be_quieter_than_noise() {
        let mut microphone = Microphone::new();
        for _ in 0..10 {
            assert_eq!(microphone.hear(50, false), None);
        }
        assert_eq!(microphone.hear(50, true), None);
        assert_eq!(microphone.hear(50, true), Some(true));
    }

    #[test]
    fn who_sends_nothing_any_more_is_silent() {
        let mut microphone = Microphone::new();
        microphone.hear(20, true);
        assert_eq!(microphone.hear(20, true), Some(true));
        let last = microphone.levels;
        let told: Vec<_> = (0..ENDS)
            .filter_map(|_| microphone.speaker.sample(last))
            .collect();
        assert_eq!(told, [false]);
    }
}
