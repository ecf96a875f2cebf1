//! What the API takes from those who reach it: the table `[api-limits]`.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, file::Checks, together, values::number};
use crate::api::limits::Limits;

/// Most connections that a node can be given room for, and most listeners.
const MAX_CONNECTIONS: u32 = 1 << 16;

/// The table, before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FileApiLimits {
    connections: Option<i64>,
    connections_per_address: Option<i64>,
    listeners: Option<i64>,
    operator_listeners: Option<i64>,
    token_listeners: Option<i64>,
    session_listeners: Option<i64>,
    patience: Option<String>,
    guesses: Option<i64>,
    guess_renewal: Option<String>,
}

/// What a file names of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiLimitOverrides {
    /// See [`Limits::connections`].
    pub connections: Option<usize>,
    /// See [`Limits::connections_per_source`].
    pub connections_per_source: Option<usize>,
    /// See [`Limits::listeners`].
    pub listeners: Option<usize>,
    /// See [`Limits::listeners_per_operator`].
    pub listeners_per_operator: Option<usize>,
    /// See [`Limits::listeners_per_token`].
    pub listeners_per_token: Option<usize>,
    /// See [`Limits::listeners_per_session`].
    pub listeners_per_session: Option<usize>,
    /// See [`Limits::patience`].
    pub patience: Option<Duration>,
    /// Credentials that do not hold, from an address of another host, at once.
    pub guesses: Option<u32>,
    /// Time until there is one more.
    pub guess_renewal: Option<Duration>,
}

/// Reads the table.
pub(super) fn parse(
    checks: &Checks<'_>,
    file: FileApiLimits,
) -> Result<ApiLimitOverrides, ConfigError> {
    Ok(ApiLimitOverrides {
        // A sixteenth of them is for this host.
        connections: checks.number("api-limits.connections", file.connections, |text| {
            count(text, 16)
        })?,
        connections_per_source: checks.number(
            "api-limits.connections-per-address",
            file.connections_per_address,
            one_or_more,
        )?,
        listeners: checks.number("api-limits.listeners", file.listeners, |text| {
            count(text, 16)
        })?,
        listeners_per_operator: checks.number(
            "api-limits.operator-listeners",
            file.operator_listeners,
            one_or_more,
        )?,
        listeners_per_token: checks.number(
            "api-limits.token-listeners",
            file.token_listeners,
            one_or_more,
        )?,
        listeners_per_session: checks.number(
            "api-limits.session-listeners",
            file.session_listeners,
            one_or_more,
        )?,
        patience: checks.text("api-limits.patience", file.patience, |text| {
            time(text, Duration::from_secs(1), Duration::from_secs(60))
                .ok_or_else(|| "a duration from 1s to 1m, such as 10s".to_owned())
        })?,
        guesses: checks.number("api-limits.guesses", file.guesses, |text| {
            number(text, 1, 1_000_000)
        })?,
        guess_renewal: checks.text("api-limits.guess-renewal", file.guess_renewal, |text| {
            time(text, Duration::from_millis(1), Duration::from_secs(3600))
                .ok_or_else(|| "a duration from 1ms to 1h, such as 3s".to_owned())
        })?,
    })
}

fn one_or_more(text: &str) -> Result<usize, String> {
    count(text, 1)
}

fn count(text: &str, from: u32) -> Result<usize, String> {
    let count = number(text, from, MAX_CONNECTIONS)?;
    usize::try_from(count).map_err(|error| error.to_string())
}

fn time(text: &str, from: Duration, to: Duration) -> Option<Duration> {
    let time = humantime::parse_duration(text).ok()?;
    (from..=to).contains(&time).then_some(time)
}

/// Overrides what the file names.
pub(super) fn override_with(limits: &mut Limits, given: &ApiLimitOverrides) {
    let Limits {
        connections,
        connections_per_source,
        listeners,
        listeners_per_operator,
        listeners_per_token,
        listeners_per_session,
        patience,
        failures,
    } = limits;
    *connections = given.connections.unwrap_or(*connections);
    *connections_per_source = given
        .connections_per_source
        .unwrap_or(*connections_per_source);
    *listeners = given.listeners.unwrap_or(*listeners);
    *listeners_per_operator = given
        .listeners_per_operator
        .unwrap_or(*listeners_per_operator);
    *listeners_per_token = given.listeners_per_token.unwrap_or(*listeners_per_token);
    *listeners_per_session = given
        .listeners_per_session
        .unwrap_or(*listeners_per_session);
    *patience = given.patience.unwrap_or(*patience);
    // A share that nobody named is no larger than a whole that somebody did.
    let [of_connections, of_listeners] = [*connections, *listeners];
    if given.connections_per_source.is_none() {
        *connections_per_source = of_connections.min(*connections_per_source);
    }
    for (share, is_given) in [
        (
            listeners_per_operator,
            given.listeners_per_operator.is_some(),
        ),
        (listeners_per_token, given.listeners_per_token.is_some()),
        (listeners_per_session, given.listeners_per_session.is_some()),
    ] {
        if !is_given {
            *share = of_listeners.min(*share);
        }
    }
    failures.others.burst = given.guesses.unwrap_or(failures.others.burst);
    failures.others.renewal = given.guess_renewal.unwrap_or(failures.others.renewal);
}

/// Checks what single values do not show: no share is larger than the whole.
pub(super) fn check(limits: &Limits) -> Result<(), ConfigError> {
    let (of_connections, of_listeners) = (
        ("connections", limits.connections),
        ("listeners", limits.listeners),
    );
    for (field, share, (whole, most)) in [
        (
            "api-limits.connections-per-address",
            limits.connections_per_source,
            of_connections,
        ),
        (
            "api-limits.operator-listeners",
            limits.listeners_per_operator,
            of_listeners,
        ),
        (
            "api-limits.token-listeners",
            limits.listeners_per_token,
            of_listeners,
        ),
        (
            "api-limits.session-listeners",
            limits.listeners_per_session,
            of_listeners,
        ),
    ] {
        if share > most {
            return Err(together(field, share, format!("at most {whole}, {most}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, file};

    fn read(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        let given = file::parse("test.toml", text).map_err(|error| error.to_string())?;
        config
            .override_with(given)
            .and_then(|()| config.check())
            .map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn what_is_named_replaces_what_is_usual() {
        assert_eq!(read("[api-limits]").unwrap(), Config::default());
        // As the README has them: the usual ones.
        let usual = "[api-limits]\nconnections = 8192\nconnections-per-address = 2048\nlisteners = 4096\noperator-listeners = 1024\n\
             token-listeners = 256\nsession-listeners = 16\npatience = \"10s\"\nguesses = 20\nguess-renewal = \"3s\"";
        assert_eq!(read(usual).unwrap(), Config::default());
        let limits =
            read("[api-limits]\nconnections = 64\nconnections-per-address = 9\nguesses = 3")
                .unwrap()
                .control
                .limits;
        assert_eq!((limits.connections, limits.connections_per_source), (64, 9));
        assert_eq!(limits.failures.others.burst, 3);
    }

    #[test]
    fn shares_that_are_not_named_follow_the_whole() {
        let config = read("[api-limits]\nconnections = 1024\nlisteners = 100").unwrap();
        let limits = config.control.limits;
        assert_eq!(limits.connections_per_source, 1024);
        assert_eq!(limits.listeners_per_operator, 100);
        assert_eq!(limits.listeners_per_token, 100);
        assert_eq!(limits.listeners_per_session, 16);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        for (text, wanted) in [
            ("connections = 15", ["connections", "15", "16 to 65536"]),
            (
                "connections = 65537",
                ["connections", "65537", "16 to 65536"],
            ),
            (
                "connections-per-address = 0",
                ["connections-per-address", "0", "1 to 65536"],
            ),
            (
                "connections-per-address = 9000",
                [
                    "connections-per-address",
                    "9000",
                    "at most connections, 8192",
                ],
            ),
            ("listeners = -1", ["listeners", "-1", "16 to"]),
            (
                "operator-listeners = 5000",
                ["operator-listeners", "5000", "at most listeners, 4096"],
            ),
            (
                "token-listeners = 5000",
                ["token-listeners", "5000", "at most listeners, 4096"],
            ),
            (
                "session-listeners = 5000",
                ["session-listeners", "5000", "at most listeners, 4096"],
            ),
            ("patience = \"0s\"", ["patience", "0s", "1s to 1m"]),
            ("guesses = 0", ["guesses", "0", "1 to 1000000"]),
            (
                "guess-renewal = \"2h\"",
                ["guess-renewal", "2h", "1ms to 1h"],
            ),
            ("bodies = 1", ["bodies", "unknown field", "api-limits"]),
        ] {
            let refused = read(&format!("[api-limits]\n{text}")).unwrap_err();
            for part in wanted {
                assert!(refused.contains(part), "{text}: {refused}");
            }
        }
    }
}
