//! Answers about everything of a kind. They are read and written in parts, so that other callers, and sessions, get their turn
//! between two of them: they can be megabytes.

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::Serialize;

use super::{answer::call, error::Problem};
use crate::{
    core::refusal::{Refusal, RefusalKind},
    node::{Node, NodeHandle},
};

/// How many things are read, and then written, at a time: each for less than a millisecond.
const PART: usize = 32;

/// Something that there are many of.
pub trait Listed: Serialize + Sized + Send + 'static {
    /// What tells one from the others.
    type Id: Clone + Send + 'static;

    /// All that there are, in their order.
    fn ids(node: &Node) -> Vec<Self::Id>;

    /// One of them.
    ///
    /// # Errors
    /// A [`Refusal`] where it is gone.
    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal>;
}

/// An answer in JSON as far as it is written.
#[derive(Default)]
pub struct Written(Vec<Bytes>);

impl Written {
    /// An object, to which members can be added.
    ///
    /// # Errors
    /// A bug.
    pub fn object(head: &impl Serialize) -> Result<Self, Problem> {
        let mut head = serde_json::to_vec(head).map_err(unwritten)?;
        let _end = head.pop();
        Ok(Self(vec![head.into()]))
    }

    /// Adds a member that lists all of a kind, each as it is when its part is read. What is gone by then is left out. The object
    /// has members before it.
    ///
    /// # Errors
    /// Where the node is being stopped.
    pub async fn member<T: Listed>(
        &mut self,
        name: &str,
        node: &NodeHandle,
    ) -> Result<(), Problem> {
        self.0.push(format!(",\"{name}\":").into());
        self.list::<T>(node).await
    }

    async fn list<T: Listed>(&mut self, node: &NodeHandle) -> Result<(), Problem> {
        let ids = call(node, |node| Ok(T::ids(node))).await?;
        let mut mark = b'[';
        for part in ids.chunks(PART) {
            let part = part.to_vec();
            let found: Vec<T> = call(node, move |node| Ok(find(node, &part)?)).await?;
            let mut text = Vec::new();
            for one in &found {
                text.push(mark);
                serde_json::to_writer(&mut text, one).map_err(unwritten)?;
                mark = b',';
            }
            self.0.push(text.into());
        }
        let end: &[u8] = if mark == b'[' { b"[]" } else { b"]" };
        self.0.push(end.into());
        Ok(())
    }

    /// The object is whole.
    #[must_use]
    pub fn end(mut self) -> Response {
        self.0.push(Bytes::from_static(b"}"));
        self.into_response()
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let length: usize = self.0.iter().map(Bytes::len).sum();
        let headers = [
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
        ];
        let parts = self.0.into_iter().map(Ok::<_, std::convert::Infallible>);
        (headers, Body::from_stream(stream::iter(parts))).into_response()
    }
}

fn find<T: Listed>(node: &Node, ids: &[T::Id]) -> Result<Vec<T>, Refusal> {
    let found = ids.iter().map(|id| T::find(node, id));
    let is_there = |found: &Result<T, Refusal>| !matches!(found, Err(refusal) if refusal.kind == RefusalKind::Unknown);
    found.filter(is_there).collect()
}

fn unwritten(error: serde_json::Error) -> Problem {
    Refusal::failed(
        "answer",
        error.to_string(),
        "a bug in the forwarder: report it",
    )
    .into()
}

/// Lists all of them.
///
/// # Errors
/// Where the node is being stopped.
pub async fn list<T: Listed>(node: &NodeHandle) -> Result<Response, Problem> {
    let mut written = Written::default();
    written.list::<T>(node).await?;
    Ok(written.into_response())
}
