//! Answers about everything of a kind. They are read in parts, so that other callers, and sessions, get their turn between two of
//! them; and written as JSON apart from the threads that answer, since they can be megabytes.

use axum::{
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{answer::call, error::Problem};
use crate::{
    core::refusal::{Refusal, RefusalKind},
    node::{Node, NodeHandle},
};

/// How many things are read at a time: for less than a millisecond.
const PART: usize = 32;

/// Something that there are many of.
pub trait Listed: Sized + Send + 'static {
    /// What tells one from the others.
    type Id: Copy + Send + 'static;

    /// All that there are, in their order.
    fn ids(node: &Node) -> Vec<Self::Id>;

    /// One of them.
    ///
    /// # Errors
    /// A [`Refusal`] where it is gone.
    fn find(node: &Node, id: Self::Id) -> Result<Self, Refusal>;
}

/// Describes all of them, each as it is when its part is read. What is gone by then is left out.
pub async fn read<T: Listed>(node: &NodeHandle) -> Result<Vec<T>, Problem> {
    let ids = call(node, |node| Ok(T::ids(node))).await?;
    let mut all = Vec::with_capacity(ids.len());
    for part in ids.chunks(PART) {
        let part = part.to_vec();
        let found = call(node, move |node| Ok(find(node, &part)?)).await?;
        all.extend(found);
    }
    Ok(all)
}

fn find<T: Listed>(node: &Node, ids: &[T::Id]) -> Result<Vec<T>, Refusal> {
    let found = ids.iter().map(|id| T::find(node, *id));
    let is_there = |found: &Result<T, Refusal>| !matches!(found, Err(refusal) if refusal.kind == RefusalKind::Unknown);
    found.filter(is_there).collect()
}

/// Writes an answer.
pub async fn write(answer: impl Serialize + Send + 'static) -> Result<Response, Problem> {
    let written = tokio::task::spawn_blocking(move || serde_json::to_vec(&answer)).await;
    let bytes = match written {
        Ok(Ok(bytes)) => Bytes::from(bytes),
        Ok(Err(error)) => return Err(unwritten(error.to_string())),
        Err(error) => return Err(unwritten(error.to_string())),
    };
    let content = [(header::CONTENT_TYPE, "application/json")];
    Ok((content, bytes).into_response())
}

fn unwritten(why: String) -> Problem {
    Refusal::failed("answer", why, "a bug in the forwarder: report it").into()
}

/// Lists all of them.
pub async fn list<T: Listed + Serialize>(node: &NodeHandle) -> Result<Response, Problem> {
    write(read::<T>(node).await?).await
}
