//! What the API takes from those who reach it.

use std::time::Duration;

use super::access::Allowances;

/// What the API takes from those who reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time. A sixteenth of them is for this host.
    pub connections: usize,
    /// Connections of one source at one time; this host may have all.
    pub connections_per_source: usize,
    /// Listeners of events at one time. A sixteenth of them is for who operates the node.
    pub listeners: usize,
    /// Listeners of one who operates the node.
    pub listeners_per_operator: usize,
    /// Listeners of one token, with those of the sessions that it created.
    pub listeners_per_token: usize,
    /// Listeners of one session that no token created.
    pub listeners_per_session: usize,
    /// How long the head of a request may take, and its body.
    pub patience: Duration,
    /// How often credentials may be wrong.
    pub failures: Allowances,
}

impl Limits {
    /// At most half of the files that the process may open are connections: media needs the others.
    #[must_use]
    pub fn within(self, files: u64) -> Self {
        let most = usize::try_from(files / 2).unwrap_or(usize::MAX);
        let connections = self.connections.min(most);
        Self {
            connections,
            connections_per_source: self.connections_per_source.min(connections),
            listeners: self.listeners.min(connections),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_source: 2048,
            listeners: 4096,
            listeners_per_operator: 1024,
            listeners_per_token: 256,
            listeners_per_session: 16,
            patience: Duration::from_secs(10),
            failures: Allowances::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_media() {
        let few = Limits::default().within(1024);
        assert_eq!(
            (few.connections, few.connections_per_source, few.listeners),
            (512, 512, 512)
        );
        assert_eq!(Limits::default().within(1 << 20), Limits::default());
    }
}
