//! Bodies: they are read once it is known who asks, as a whole and within a time. What nobody read is thrown away as it comes, for
//! a while, so that the connection can be used again; after that it is closed.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt};
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use super::{
    Api,
    error::{INVALID, Problem, SLOW, TOO_LARGE},
};
use crate::sdp;

/// Largest body, in bytes: a description as long as may be, and what stands around it.
pub const BODY_LIMIT: usize = sdp::MAX_TEXT + 64 * 1024;
/// How long an unread body is thrown away: who is refused has to be able to read why.
const DISCARDED_FOR: Duration = Duration::from_secs(1);
/// How much of it.
const DISCARDED: usize = 2 * BODY_LIMIT;

/// Reads the body of somebody who is known.
pub async fn read_whole(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return too_large().into_response();
    }
    let problem = match timeout(api.limits.patience, to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(bytes)) => {
            return next
                .run(Request::from_parts(parts, Body::from(bytes)))
                .await;
        }
        Ok(Err(error)) if is_too_large(&error) => too_large(),
        Ok(Err(error)) => {
            let allowed = "a body, sent whole";
            Problem::new(&INVALID, "body", error.to_string(), allowed)
        }
        Err(_) => {
            let given = format!("not whole after {:?}", api.limits.patience);
            Problem::new(&SLOW, "body", given, "a body that comes at once")
        }
    };
    problem.into_response()
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|why| why.is::<LengthLimitError>())
}

/// A body beyond the limit.
pub fn too_large() -> Problem {
    Problem::new(
        &TOO_LARGE,
        "body",
        format!("more than {BODY_LIMIT} bytes"),
        format!("at most {BODY_LIMIT} bytes"),
    )
}

/// Lends the body to those inside. What they leave of it is thrown away.
pub async fn discard_unread(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // Reading would ask for what was not sent yet (RFC 9110 §10.1.1).
    let held_back = expects_continue(&parts.headers);
    let left = Left::default();
    let lent = Lent {
        body: Some(body.into_data_stream()),
        left: Arc::clone(&left),
    };
    let request = Request::from_parts(parts, Body::from_stream(lent));
    let mut response = next.run(request).await;
    let unread = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(unread) = unread else {
        return response;
    };
    let ended = !held_back && timeout(DISCARDED_FOR, discard(unread)).await == Ok(true);
    if !ended {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

fn expects_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(header::EXPECT).map(HeaderValue::as_bytes);
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
}

/// Whether the body ended within the bound.
async fn discard(mut body: BodyDataStream) -> bool {
    let mut discarded = 0;
    while let Some(piece) = body.next().await {
        discarded += piece.map_or(DISCARDED, |piece| piece.len());
        if discarded >= DISCARDED {
            return false;
        }
    }
    true
}

/// Where a body goes back to that was not read to its end.
type Left = Arc<Mutex<Option<BodyDataStream>>>;

struct Lent {
    /// `None` once it has ended.
    body: Option<BodyDataStream>,
    left: Left,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let piece = ready!(Pin::new(body).poll_next(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(piece)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}
