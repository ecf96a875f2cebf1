//! The control API, version 0: HTTP and JSON, described by the OpenAPI document that it serves.

pub mod access;
mod access_routes;
mod answer;
mod browsers;
mod conditions;
mod endpoint_routes;
pub mod error;
mod event_routes;
mod extract;
mod ice_servers;
mod idempotency;
mod line_routes;
mod model;
mod negotiation_routes;
mod node_routes;
mod openapi;
mod process_model;
mod read;
mod requests;
mod room_model;
mod room_routes;
mod router;
pub mod serve;
mod session_model;
mod session_requests;
mod session_routes;
mod webhook_routes;
mod webhooks;
mod whip;

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use self::{access::Access, ice_servers::IceServers, idempotency::Answers, webhooks::Webhooks};
use crate::node::NodeHandle;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    node: NodeHandle,
    access: Arc<Access>,
    ice_servers: Arc<IceServers>,
    answers: Answers,
    webhooks: Webhooks,
    /// A permit for each listener of events.
    listeners: Arc<Semaphore>,
}

impl FromRef<Api> for NodeHandle {
    fn from_ref(api: &Api) -> Self {
        api.node.clone()
    }
}
