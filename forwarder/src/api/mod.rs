//! The control API, version 0: HTTP and JSON, described by the OpenAPI document that it serves.

pub mod access;
mod answer;
mod browsers;
mod endpoint_routes;
pub mod error;
mod extract;
mod model;
mod node_routes;
mod openapi;
mod process_model;
mod read;
mod requests;
mod router;
pub mod serve;
mod session_model;
mod session_requests;
mod session_routes;

use std::sync::Arc;

use axum::extract::FromRef;

use self::access::Access;
use crate::node::NodeHandle;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    node: NodeHandle,
    access: Arc<Access>,
}

impl FromRef<Api> for NodeHandle {
    fn from_ref(api: &Api) -> Self {
        api.node.clone()
    }
}
