//! The node as a whole.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    answer::{Owner, ask},
    conditions::DryRun,
    error::Problem,
    model,
    process_model::Process,
};

/// The paths of the node.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(show_state))
        .routes(routes!(show_node))
        .routes(routes!(stop))
}

/// Shows everything that the node does, with its counters.
///
/// On a full node that is megabytes. It is read in parts, between which the node does other things: each thing is as it was at its turn.
#[utoipa::path(
    get,
    path = "/v0/state",
    tag = "node",
    responses((status = 200, description = "everything", body = model::State))
)]
async fn show_state(State(node): Owner) -> Result<Response, Problem> {
    model::State::write(&node, Process::read()).await
}

/// Shows what the node runs on.
#[utoipa::path(
    get,
    path = "/v0/node",
    tag = "node",
    responses((status = 200, description = "the node", body = model::NodeInfo))
)]
async fn show_node(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| Ok(model::NodeInfo::new(node))).await
}

/// Stops the node, as SIGTERM does.
#[utoipa::path(
    post,
    path = "/v0/stop",
    tag = "node",
    params(("dry_run" = Option<bool>, Query, description = "only check")),
    responses((status = 204, description = "it is stopping"))
)]
async fn stop(State(node): Owner, DryRun(dry_run): DryRun) -> StatusCode {
    if !dry_run {
        node.stop();
    }
    StatusCode::NO_CONTENT
}
