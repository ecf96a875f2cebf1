//! The forwarder's own account of its sessions.

use std::collections::BTreeMap;

use forwarder_tests::model::State;
use serde_json::Value;

/// What the forwarder says.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Legs of sessions by path.
    pub legs: BTreeMap<String, u64>,
    /// Why legs do not take a faster path.
    pub why: Vec<String>,
    /// Sessions by suite.
    pub suites: BTreeMap<String, u64>,
    /// Why the node does not take a faster path.
    pub node_why: Option<String>,
    /// Packets under each reason, where not zero.
    pub reasons: BTreeMap<String, u64>,
}

/// Takes out of the whole state what is of interest here.
pub fn of(state: &State) -> Account {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let mut account = Account {
        node_why: text(&state.node, "why"),
        reasons: (state.reasons.iter())
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| (name.clone(), *count))
            .collect(),
        ..Account::default()
    };
    let sessions = state.more.get("sessions").and_then(Value::as_array);
    for session in sessions.into_iter().flatten() {
        if let Some(suite) = text(session, "suite") {
            *account.suites.entry(suite).or_default() += 1;
        }
        let path = text(session, "path");
        let subscriptions = session.get("subscriptions").and_then(Value::as_array);
        for leg in subscriptions.into_iter().flatten() {
            if let Some(path) = text(leg, "path").or_else(|| path.clone()) {
                *account.legs.entry(path).or_default() += 1;
            }
            if let Some(why) = text(leg, "why")
                && !account.why.contains(&why)
            {
                account.why.push(why);
            }
        }
    }
    account
}
