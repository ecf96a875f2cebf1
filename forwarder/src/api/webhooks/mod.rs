//! Webhooks: others are told what happens, by signed requests.
//!
//! Each hook is a listener of the event log with a task of its own, which posts one event after the other. The log is the queue,
//! and it is bounded: a hook that is down for long misses events and is then sent one of type `reset`. One that was given up, or that
//! another takes the place of, is added again after the last event that it took.

mod delivery;
mod signature;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinHandle;

use self::{delivery::Delivery, signature::Signer};
use super::error::{FAILED, FULL, INVALID, Problem, UNKNOWN};
use crate::{config::Webhook, node::NodeHandle};

/// Hooks at one time.
pub const MAX_WEBHOOKS: usize = 64;

struct Hook {
    url: String,
    events: Vec<String>,
    task: JoinHandle<()>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Hooks {
    hooks: BTreeMap<u64, Hook>,
    last: u64,
}

/// The webhooks of a node.
#[derive(Clone)]
pub struct Webhooks {
    node: NodeHandle,
    hooks: Arc<Mutex<Hooks>>,
}

/// A hook as it is shown; its secret is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookView {
    /// Its number.
    pub id: u64,
    /// Where it posts.
    pub url: String,
    /// What it posts.
    pub events: Vec<String>,
}

impl Webhooks {
    /// None yet.
    pub fn new(node: NodeHandle) -> Self {
        Self {
            node,
            hooks: Arc::default(),
        }
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        // Nothing that holds it can panic half way.
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All hooks, the oldest first.
    pub fn list(&self) -> Vec<HookView> {
        let hooks = self.hooks();
        let view = |(id, hook): (&u64, &Hook)| HookView {
            id: *id,
            url: hook.url.clone(),
            events: hook.events.clone(),
        };
        hooks.hooks.iter().map(view).collect()
    }

    /// Adds a hook, which is told what happens from now on, or what happened after an event. In a dry run it is only checked.
    pub fn add(
        &self,
        hook: Webhook,
        after: Option<u64>,
        dry_run: bool,
    ) -> Result<Option<HookView>, Problem> {
        if let Some(wrong) = hook.events.iter().find(|pattern| !names_events(pattern)) {
            let allowed = "the type of an event, such as session.joined, or a beginning of types with *, such as session.*";
            return Err(Problem::new(&INVALID, "events", &**wrong, allowed));
        }
        let signer = Signer::new(hook.secret.expose()).ok_or_else(|| {
            let allowed = "16 to 512 characters of ASCII; after whsec_, Base64";
            Problem::new(&INVALID, "secret", "(not repeated)", allowed)
        })?;
        let delivery = Delivery::new(&hook, signer).map_err(|why| {
            Problem::new(
                &FAILED,
                "url",
                why,
                "a system with certificates of authorities to trust",
            )
        })?;
        let mut hooks = self.hooks();
        if hooks.hooks.len() >= MAX_WEBHOOKS {
            let allowed = format!("at most {MAX_WEBHOOKS}; delete one first");
            return Err(Problem::new(&FULL, "webhooks", "one more", allowed));
        }
        if dry_run {
            return Ok(None);
        }
        hooks.last += 1;
        let id = hooks.last;
        let task = tokio::spawn(delivery.run(self.node.events(), after));
        let view = HookView {
            id,
            url: hook.url.clone(),
            events: hook.events.clone(),
        };
        let (url, events) = (hook.url, hook.events);
        hooks.hooks.insert(id, Hook { url, events, task });
        Ok(Some(view))
    }

    /// Removes a hook, with what it has not told yet.
    pub fn remove(&self, id: u64, dry_run: bool) -> Result<(), Problem> {
        let mut hooks = self.hooks();
        let there = match dry_run {
            true => hooks.hooks.contains_key(&id),
            false => hooks.hooks.remove(&id).is_some(),
        };
        match there {
            true => Ok(()),
            false => Err(Problem::new(
                &UNKNOWN,
                "webhook",
                id,
                "an id that GET /v0/webhooks lists",
            )),
        }
    }
}

/// Whether a pattern can be one of types of events.
fn names_events(pattern: &str) -> bool {
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    let plain = |byte: u8| byte.is_ascii_lowercase() || b"._".contains(&byte);
    !pattern.is_empty() && pattern.len() <= 64 && name.bytes().all(plain)
}

/// Whether a type of event is among those that the patterns name.
fn wanted(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_types_or_their_beginnings() {
        let patterns = ["session.*".to_owned(), "speaking".to_owned()];
        for (name, expected) in [
            ("session.joined", true),
            ("speaking", true),
            ("sessions", false),
            ("track.muted", false),
        ] {
            assert_eq!(wanted(&patterns, name), expected, "{name}");
        }
        assert!(wanted(&["*".to_owned()], "track.muted"));
        for wrong in ["", "Session", "a b", "*.joined", "session.**"] {
            assert!(!names_events(wrong), "{wrong}");
        }
    }
}
