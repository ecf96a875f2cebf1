//! What the session core is told at start: limits, and what every session is told of us.

use forwarder_common::{slots::MAX_WORKERS, tables::MAX_SESSIONS};

use super::candidate::Candidate;
use crate::core::refusal::Refusal;

/// Most subscriptions that a node can be given room for.
pub const MAX_SUBSCRIPTIONS: u32 = 1 << 20;
/// Publications and subscriptions of one session, each.
pub const MAX_M_LINES: usize = 512;

/// How long a session may take until ICE and DTLS are through, in nanoseconds, unless the settings say otherwise.
pub const SET_UP: u64 = 30_000_000_000;

/// What the session core is told at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sessions at one time, 1 to [`MAX_SESSIONS`].
    pub max_sessions: u32,
    /// Publications of all sessions together.
    pub max_publications: u32,
    /// Subscriptions of all sessions together, up to [`MAX_SUBSCRIPTIONS`].
    pub max_subscriptions: u32,
    /// Workers, 1 to [`MAX_WORKERS`].
    pub workers: u32,
    /// Our addresses, as peers are told.
    pub candidates: Vec<Candidate>,
    /// Canonical name of what the node itself reports (RFC 3550 §6.5.1).
    pub cname: String,
    /// Nanoseconds that a session may take until ICE and DTLS are through; then it is closed.
    pub set_up: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_sessions: 1024,
            max_publications: 4096,
            max_subscriptions: 65_536,
            workers: 1,
            candidates: Vec::new(),
            cname: "forwarder".to_owned(),
            set_up: SET_UP,
        }
    }
}

impl Settings {
    /// Checks what the operator configured.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        let within = [
            ("max_sessions", self.max_sessions, MAX_SESSIONS),
            ("max_publications", self.max_publications, MAX_SUBSCRIPTIONS),
            (
                "max_subscriptions",
                self.max_subscriptions,
                MAX_SUBSCRIPTIONS,
            ),
            ("workers", self.workers, MAX_WORKERS),
        ];
        for (field, value, most) in within {
            if value == 0 || value > most {
                return Err(Refusal::invalid(field, value, format!("1 to {most}")));
            }
        }
        // An SDES item has one byte for its length (RFC 3550 §6.5).
        if self.cname.is_empty() || self.cname.len() > 255 {
            return Err(Refusal::invalid("cname", &self.cname, "1 to 255 bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_has_limits() {
        assert_eq!(Settings::default().check(), Ok(()));
        let refused = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().unwrap_err().field
        };
        assert_eq!(refused(|it| it.max_sessions = 4096), "max_sessions");
        assert_eq!(refused(|it| it.max_publications = 0), "max_publications");
        assert_eq!(
            refused(|it| it.max_subscriptions = 1 << 21),
            "max_subscriptions"
        );
        assert_eq!(refused(|it| it.workers = 65), "workers");
        assert_eq!(refused(|it| it.cname = "x".repeat(256)), "cname");
    }
}
