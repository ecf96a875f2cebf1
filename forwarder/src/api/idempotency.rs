//! Requests that are sent again (draft-ietf-httpapi-idempotency-key-header): with the same `Idempotency-Key` a POST is carried out
//! once and answered the same every time, also if its first caller went away before the answer.

use std::time::Instant;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Api,
    access::{Caller, Source},
    answers::{Answers, Given, Name, Turn},
    bodies::{BODY_LIMIT, too_large},
    error::{FAILED, INVALID, Problem},
};

const HEADER: &str = "idempotency-key";
/// Longest key.
const LONGEST_KEY: usize = 255;

/// Carries a POST with a key out once.
pub async fn once(
    State(api): State<Api>,
    caller: Caller,
    source: Source,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match answer(&api.answers, caller.identity(source), request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    answers: &Answers,
    caller: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let name = Name {
        caller,
        key: key(request.headers())?,
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())?;
    match answers.begin(&name, asked(&parts, &body), Instant::now())? {
        Turn::Again(given) => Ok((given.status, given.headers, given.body).into_response()),
        Turn::First(turn) => {
            let answers = answers.clone();
            // In a task of its own: it is carried out and its answer kept even if the caller goes away.
            let request = Request::from_parts(parts, Body::from(body));
            let ending = Ending {
                answers,
                name,
                turn,
                given: None,
            };
            let task = tokio::spawn(carry_out(ending, request, next));
            task.await.map_err(|_| {
                let allowed = "a bug in the forwarder: report it";
                Problem::new(&FAILED, "Idempotency-Key", "not carried out", allowed)
            })
        }
    }
}

/// Ends a turn when it is dropped. Without an answer the request is forgotten: a panic leaves no key behind.
struct Ending {
    answers: Answers,
    name: Name,
    turn: u64,
    given: Option<Given>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.answers.end(&self.name, self.turn, self.given.take());
    }
}

async fn carry_out(mut ending: Ending, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // What may go otherwise next time is tried again.
    let settled = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if settled {
        ending.given = Some(Given {
            status,
            headers: parts.headers.clone(),
            body: body.clone(),
        });
    }
    Response::from_parts(parts, Body::from(body))
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let text = headers
        .get(HEADER)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    // The draft has a quoted string (RFC 8941); most send the text alone.
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inner = inner.unwrap_or(&text);
    let plain = inner.bytes().all(|byte| byte.is_ascii_graphic());
    if (1..=LONGEST_KEY).contains(&inner.len()) && plain {
        return Ok(inner.to_owned());
    }
    let allowed = format!("1 to {LONGEST_KEY} characters of ASCII without spaces");
    Err(Problem::new(&INVALID, "Idempotency-Key", text, allowed))
}

/// What tells requests apart: method, path with its query, what their meaning depends on of the headers, and the body.
fn asked(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(parts.method.as_str().as_bytes());
    context.update(b" ");
    context.update(parts.uri.to_string().as_bytes());
    for name in [header::CONTENT_TYPE, header::IF_MATCH] {
        let value = parts.headers.get(name).map(HeaderValue::as_bytes);
        context.update(b"\n");
        context.update(value.unwrap_or_default());
    }
    context.update(b"\n\n");
    context.update(body);
    let digest: Digest = context.finish();
    digest.as_ref().try_into().unwrap_or_default()
}
