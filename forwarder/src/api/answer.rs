//! How handlers ask the node.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::error::Problem;
use crate::node::{Node, NodeHandle};

/// The node, as handlers take it.
pub type Owner = State<NodeHandle>;

/// Looks at the node, or changes it; the answer comes when the tables hold the outcome.
pub async fn ask<T: Serialize + Send + 'static>(
    node: &NodeHandle,
    status: StatusCode,
    question: impl FnOnce(&mut Node) -> Result<T, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let answer = call(node, question).await?;
    Ok((status, Json(answer)).into_response())
}

/// The same, for what is not told as JSON.
pub async fn call<T: Send + 'static>(
    node: &NodeHandle,
    question: impl FnOnce(&mut Node) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    node.call(question).await?
}

/// What is told where nothing is: it is done, or would have been.
pub async fn done(
    node: &NodeHandle,
    order: impl FnOnce(&mut Node) -> Result<(), Problem> + Send + 'static,
) -> Result<StatusCode, Problem> {
    call(node, order).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers with what was created, or that it could be.
pub fn created(what: Option<impl Serialize>) -> Response {
    match what {
        Some(what) => (StatusCode::CREATED, Json(what)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
