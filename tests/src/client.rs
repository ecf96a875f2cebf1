//! A client of the control API that calls from inside a namespace: its thread lives there, and so do its connections.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{
    Endpoint, NewEndpoint, NewPublication, NewSubscription, NodeInfo, Problem, Publication, State,
    Subscription,
};
use crate::netns::Netns;

/// A client of one node. Calls block; clones share the connection, one call at a time.
#[derive(Clone, Debug)]
pub struct Client {
    jobs: mpsc::Sender<Job>,
    key: Option<Arc<str>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content-Type.
    pub content_type: String,
    /// Body, empty if there is none.
    pub body: String,
    /// From sending the request to having the whole reply.
    pub took: Duration,
}

/// Why a call did not do what was asked.
#[derive(Debug)]
pub enum CallError {
    /// The node said no.
    Refused(Box<Problem>),
    /// The node could not be reached, or its answer not be understood.
    Broken(anyhow::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => write!(
                f,
                "{} {}: {}",
                problem.status, problem.title, problem.detail
            ),
            Self::Broken(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// The node's refusal; for tests that expect one.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::Refused(problem) => *problem,
            Self::Broken(error) => panic!("a refusal was expected: {error:#}"),
        }
    }
}

#[derive(Debug)]
struct Job {
    method: &'static str,
    path: String,
    body: Option<String>,
    key: Option<Arc<str>>,
    reply: mpsc::Sender<Result<Reply>>,
}

impl Client {
    /// A client that calls `base` (`http://127.0.0.1:7600`) from inside the namespace. Nothing is sent yet.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn new(netns: &Netns, base: &str) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, entered) = mpsc::channel();
        let (netns, base) = (netns.clone(), base.trim_end_matches('/').to_owned());
        std::thread::Builder::new()
            .name("api client".to_owned())
            .spawn(move || {
                let outcome = netns.enter_this_thread();
                let failed = outcome.is_err();
                let _ = ready.send(outcome);
                drop(netns);
                if failed {
                    return;
                }
                let agent = agent();
                for job in inbox {
                    let _ = job.reply.send(call(
                        &agent,
                        job.method,
                        &format!("{base}{}", job.path),
                        job.body.as_deref(),
                        job.key.as_deref(),
                    ));
                }
            })?;
        entered.recv().context("the client's thread is gone")??;
        Ok(Self { jobs, key: None })
    }

    /// The same, but calls bear this key or token.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            jobs: self.jobs.clone(),
            key: Some(key.into()),
        }
    }

    /// Any request: `request("POST", "/v0/endpoints", Some("{"))`. An error status is a reply like another.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub fn request(&self, method: &'static str, path: &str, body: Option<&str>) -> Result<Reply> {
        let (reply, answer) = mpsc::channel();
        let job = Job {
            method,
            path: path.to_owned(),
            body: body.map(str::to_owned),
            key: self.key.clone(),
            reply,
        };
        self.jobs
            .send(job)
            .ok()
            .context("the client's thread is gone")?;
        answer.recv().context("the client's thread is gone")?
    }

    /// Adds an endpoint.
    ///
    /// # Errors
    /// As the node refuses or is gone; so for all calls below.
    pub fn add_endpoint(&self, new: &NewEndpoint) -> Result<Endpoint, CallError> {
        self.post("/v0/endpoints", new)
    }

    /// One endpoint.
    pub fn endpoint(&self, id: &str) -> Result<Endpoint, CallError> {
        self.read(&format!("/v0/endpoints/{id}"))
    }

    /// All endpoints.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, CallError> {
        self.read("/v0/endpoints")
    }

    /// Removes an endpoint with its publications and subscriptions.
    pub fn remove_endpoint(&self, id: &str) -> Result<(), CallError> {
        self.delete(&format!("/v0/endpoints/{id}"))
    }

    /// Adds a publication.
    pub fn publish(&self, new: &NewPublication) -> Result<Publication, CallError> {
        self.post("/v0/publications", new)
    }

    /// One publication.
    pub fn publication(&self, id: &str) -> Result<Publication, CallError> {
        self.read(&format!("/v0/publications/{id}"))
    }

    /// All publications.
    pub fn publications(&self) -> Result<Vec<Publication>, CallError> {
        self.read("/v0/publications")
    }

    /// Removes a publication with its subscriptions.
    pub fn unpublish(&self, id: &str) -> Result<(), CallError> {
        self.delete(&format!("/v0/publications/{id}"))
    }

    /// Adds a subscription.
    pub fn subscribe(&self, new: &NewSubscription) -> Result<Subscription, CallError> {
        self.post("/v0/subscriptions", new)
    }

    /// One subscription.
    pub fn subscription(&self, id: &str) -> Result<Subscription, CallError> {
        self.read(&format!("/v0/subscriptions/{id}"))
    }

    /// All subscriptions.
    pub fn subscriptions(&self) -> Result<Vec<Subscription>, CallError> {
        self.read("/v0/subscriptions")
    }

    /// Removes a subscription.
    pub fn unsubscribe(&self, id: &str) -> Result<(), CallError> {
        self.delete(&format!("/v0/subscriptions/{id}"))
    }

    /// Pauses a subscription.
    pub fn pause(&self, id: &str) -> Result<(), CallError> {
        self.done("POST", &format!("/v0/subscriptions/{id}/pause"))
    }

    /// Resumes a subscription.
    pub fn resume(&self, id: &str) -> Result<(), CallError> {
        self.done("POST", &format!("/v0/subscriptions/{id}/resume"))
    }

    /// The whole state.
    pub fn state(&self) -> Result<State, CallError> {
        self.read("/v0/state")
    }

    /// About the node.
    pub fn node(&self) -> Result<NodeInfo, CallError> {
        self.read("/v0/node")
    }

    /// Asks the node to stop.
    pub fn stop(&self) -> Result<(), CallError> {
        self.done("POST", "/v0/stop")
    }

    /// Any `POST` whose answer has a body.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let text = serde_json::to_string(body).map_err(|error| CallError::Broken(error.into()))?;
        self.answer("POST", path, Some(&text))
    }

    /// Any `GET`.
    pub fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.answer("GET", path, None)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&str>,
    ) -> Result<T, CallError> {
        let reply = accepted(
            self.request(method, path, body)
                .map_err(CallError::Broken)?,
        )?;
        serde_json::from_str(&reply.body)
            .with_context(|| format!("{method} {path} answered {} {}", reply.status, reply.body))
            .map_err(CallError::Broken)
    }

    /// Any `DELETE`.
    pub fn delete(&self, path: &str) -> Result<(), CallError> {
        self.done("DELETE", path)
    }

    /// Any request without a body, whose answer has none that matters.
    pub fn done(&self, method: &'static str, path: &str) -> Result<(), CallError> {
        accepted(
            self.request(method, path, None)
                .map_err(CallError::Broken)?,
        )
        .map(drop)
    }
}

fn accepted(reply: Reply) -> Result<Reply, CallError> {
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    match serde_json::from_str(&reply.body) {
        Ok(problem) => Err(CallError::Refused(Box::new(Problem {
            status: reply.status,
            ..problem
        }))),
        Err(_) => Err(CallError::Broken(anyhow::anyhow!(
            "status {} without a problem document: {}",
            reply.status,
            reply.body
        ))),
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        // The environment's proxy is none of a namespace's.
        .proxy(None)
        .build()
        .into()
}

fn call(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    body: Option<&str>,
    key: Option<&str>,
) -> Result<Reply> {
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let start = Instant::now();
    let response = match body {
        Some(body) => agent.run(request.body(body.to_owned())?),
        None if method == "POST" => agent.run(request.body(String::new())?),
        None => agent.run(request.body(())?),
    };
    let mut response = response.with_context(|| format!("{method} {url}"))?;
    let body = response
        .body_mut()
        .with_config()
        .limit(256 << 20)
        .read_to_string()
        .with_context(|| format!("{method} {url}"))?;
    let content_type = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_owned();
    Ok(Reply {
        status: response.status().as_u16(),
        content_type,
        body,
        took: start.elapsed(),
    })
}
