//! The control API, version 0: HTTP and JSON, described by the OpenAPI document that it serves.

pub mod access;
mod access_routes;
mod answer;
mod answers;
mod bodies;
mod browsers;
mod conditions;
mod connections;
mod endpoint_routes;
pub mod error;
mod event_routes;
mod extract;
mod ice_servers;
mod idempotency;
pub mod limits;
mod line_model;
mod line_requests;
mod line_routes;
mod model;
mod negotiation_routes;
mod node_routes;
mod openapi;
mod places;
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
pub mod tls;
mod webhook_routes;
mod webhooks;
mod whip;
mod whole;

use std::sync::Arc;

use axum::extract::FromRef;

use self::{
    access::{Access, Failures},
    answers::Answers,
    ice_servers::IceServers,
    limits::Limits,
    places::Places,
    webhooks::Webhooks,
};
use crate::node::NodeHandle;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    node: NodeHandle,
    access: Arc<Access>,
    ice_servers: Arc<IceServers>,
    answers: Answers,
    webhooks: Webhooks,
    limits: Limits,
    /// A place for each listener of events.
    listeners: Places<String>,
    failures: Arc<Failures>,
}

impl FromRef<Api> for NodeHandle {
    fn from_ref(api: &Api) -> Self {
        api.node.clone()
    }
}
