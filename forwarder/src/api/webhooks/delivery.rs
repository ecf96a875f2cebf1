//! Posts events to one hook, one after the other, again where it fails.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use reqwest::{Client, StatusCode, header, redirect};

use super::{signature::Signer, wanted};
use crate::{
    config::Webhook,
    node::events::{Entry, EventLog, Filter, Reach},
};

/// How long a hook may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is waited before each further attempt: about four minutes together.
const AGAIN: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

/// One hook.
pub struct Delivery {
    client: Client,
    url: String,
    events: Vec<String>,
    signer: Signer,
    /// Tells this run of the node from others, whose events have the same numbers.
    run: u64,
}

/// What became of an attempt.
enum Attempt {
    Taken,
    /// The hook wants nothing any more.
    Gone,
    Failed(String),
}

impl Delivery {
    /// Ready to post.
    pub fn new(hook: &Webhook, signer: Signer) -> Result<Self, String> {
        let client = Client::builder()
            .timeout(PATIENCE)
            // What is signed is for this URL alone.
            .redirect(redirect::Policy::none())
            .build();
        Ok(Self {
            client: client.map_err(|error| error.to_string())?,
            url: hook.url.clone(),
            events: hook.events.clone(),
            signer,
            run: unix_time().as_millis().try_into().unwrap_or(u64::MAX),
        })
    }

    /// Posts what happens from now on, or what happened after an event.
    pub fn run(
        self,
        log: &EventLog,
        after: Option<u64>,
    ) -> impl Future<Output = ()> + Send + use<> {
        // From when the hook was added, not from when its task first runs.
        let events = log.subscribe(after, Filter::All, Reach::Everything);
        async move {
            let mut events = std::pin::pin!(events);
            while let Some(entry) = events.next().await {
                let told = entry.name == "reset" || wanted(&self.events, entry.name);
                if told && !self.deliver(&entry).await {
                    log::info!("webhook {}: gone, and told nothing any more", self.url);
                    return;
                }
            }
        }
    }

    /// Posts an event until it is taken, or given up. `false` if the hook is gone.
    async fn deliver(&self, entry: &Entry) -> bool {
        let mut again = AGAIN.iter();
        loop {
            let why = match self.attempt(entry).await {
                Attempt::Taken => return true,
                Attempt::Gone => return false,
                Attempt::Failed(why) => why,
            };
            let Some(pause) = again.next() else {
                log::warn!(
                    "webhook {}: event {} is given up: {why}",
                    self.url,
                    entry.id
                );
                return true;
            };
            log::debug!(
                "webhook {}: event {} again in {pause:?}: {why}",
                self.url,
                entry.id
            );
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&self, entry: &Entry) -> Attempt {
        // The same for every attempt, so that the hook can tell that it has it already.
        let id = format!("msg_{}_{}", self.run, entry.id);
        let time = unix_time().as_secs();
        let request = self
            .client
            .post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", time.to_string())
            .header(
                "webhook-signature",
                self.signer.sign(&id, time, &entry.json),
            )
            .body(entry.json.to_string());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Attempt::Taken,
            Ok(answer) if answer.status() == StatusCode::GONE => Attempt::Gone,
            Ok(answer) => Attempt::Failed(format!("status {}", answer.status())),
            Err(error) => Attempt::Failed(error.without_url().to_string()),
        }
    }
}

fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_of_hooks_are_told_the_true_numbers() {
        let document = include_str!("../../../../docs/signalling.md");
        let words: Vec<&str> = document.split_whitespace().collect();
        let told = format!(
            "with a status of success within {} seconds is sent again up to {} times, in about four minutes",
            PATIENCE.as_secs(),
            AGAIN.len()
        );
        assert!(words.join(" ").contains(&told), "{told}");
        let all: Duration = AGAIN.iter().sum();
        assert!((200..280).contains(&all.as_secs()), "{all:?}");
    }
}
