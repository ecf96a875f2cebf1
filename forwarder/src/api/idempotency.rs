//! Requests that are sent again (draft-ietf-httpapi-idempotency-key-header): with the same `Idempotency-Key` a POST is carried out
//! once and answered the same every time, also if its first caller went away before the answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Api,
    access::Caller,
    error::{CONFLICT, FAILED, INVALID, Problem, STALE},
    extract::{BODY_LIMIT, too_large},
};

const HEADER: &str = "idempotency-key";
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Answers that are kept; the oldest goes first.
const MOST: usize = 1024;
/// Longest key.
const LONGEST_KEY: usize = 255;

/// Whose key, and the key.
type Name = (String, String);

/// An answer, to be given again.
#[derive(Clone, Debug)]
struct Given {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug)]
struct Held {
    /// Of what was asked.
    asked: [u8; 32],
    since: Instant,
    /// `None` while it is being carried out.
    given: Option<Given>,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Name, Held>,
    /// Oldest first; names that were removed may still be in it.
    order: VecDeque<(Instant, Name)>,
}

/// The answers of a node.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Table>>);

/// What is to be done with a request.
enum Turn {
    First,
    Again(Given),
}

impl Answers {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds it can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, name: &Name, asked: [u8; 32], now: Instant) -> Result<Turn, Problem> {
        let mut table = self.table();
        while let Some((since, oldest)) = table.order.front().cloned() {
            let old = now.saturating_duration_since(since) >= KEPT;
            if !old && table.order.len() < MOST {
                break;
            }
            table.order.pop_front();
            if table
                .held
                .get(&oldest)
                .is_some_and(|held| held.since == since)
            {
                table.held.remove(&oldest);
            }
        }
        if let Some(held) = table.held.get(name) {
            let key = &*name.1;
            return match &held.given {
                _ if held.asked != asked => {
                    let allowed = "a key that came with another request goes with that one alone";
                    Err(Problem::new(&CONFLICT, "Idempotency-Key", key, allowed))
                }
                Some(given) => Ok(Turn::Again(given.clone())),
                None => {
                    let allowed = "the same again once the first is answered";
                    let problem = Problem::new(&STALE, "Idempotency-Key", key, allowed);
                    Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("1")))
                }
            };
        }
        let held = Held {
            asked,
            since: now,
            given: None,
        };
        table.held.insert(name.clone(), held);
        table.order.push_back((now, name.clone()));
        Ok(Turn::First)
    }

    /// Keeps an answer; `None` forgets that there was a request.
    fn end(&self, name: &Name, given: Option<Given>) {
        let mut table = self.table();
        match given {
            None => {
                table.held.remove(name);
            }
            Some(given) => {
                if let Some(held) = table.held.get_mut(name) {
                    held.given = Some(given);
                }
            }
        }
    }
}

/// Carries a POST with a key out once.
pub async fn once(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match answer(&api.answers, &caller, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    answers: &Answers,
    caller: &Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let name = (caller.identity(), key(request.headers())?);
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())?;
    match answers.begin(&name, asked(&parts, &body), Instant::now())? {
        Turn::Again(given) => Ok((given.status, given.headers, given.body).into_response()),
        Turn::First => {
            let answers = answers.clone();
            // In a task of its own: it is carried out and its answer kept even if the caller goes away.
            let request = Request::from_parts(parts, Body::from(body));
            let task = tokio::spawn(async move { carry_out(&answers, &name, request, next).await });
            task.await.map_err(|_| {
                let allowed = "a bug in the forwarder: report it";
                Problem::new(&FAILED, "Idempotency-Key", "not carried out", allowed)
            })
        }
    }
}

async fn carry_out(answers: &Answers, name: &Name, request: Request, next: Next) -> Response {
    /// Forgets the request, unless its answer is kept: a panic leaves no key behind.
    struct Forget<'a>(&'a Answers, &'a Name, Option<Given>);

    impl Drop for Forget<'_> {
        fn drop(&mut self) {
            self.0.end(self.1, self.2.take());
        }
    }

    let mut forget = Forget(answers, name, None);
    let response = next.run(request).await;
    let status = response.status();
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // What may go otherwise next time is tried again.
    let settled = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if settled {
        forget.2 = Some(Given {
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

fn asked(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: usize) -> Name {
        ("admin".to_owned(), key.to_string())
    }

    fn given() -> Given {
        Given {
            status: StatusCode::CREATED,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn a_key_goes_with_one_request() {
        let (answers, now) = (Answers::default(), Instant::now());
        let begin = |asked, now| answers.begin(&name(1), [asked; 32], now);
        assert!(matches!(begin(1, now), Ok(Turn::First)));
        assert_eq!(
            begin(1, now)
                .err()
                .map(|problem| problem.kind.status.as_u16()),
            Some(409)
        );
        answers.end(&name(1), Some(given()));
        assert!(matches!(begin(1, now), Ok(Turn::Again(_))));
        assert_eq!(
            begin(2, now)
                .err()
                .map(|problem| problem.kind.status.as_u16()),
            Some(422)
        );
        assert!(matches!(begin(2, now + KEPT), Ok(Turn::First)));
        answers.end(&name(1), None);
        assert!(matches!(begin(3, now + KEPT), Ok(Turn::First)));
    }

    #[test]
    fn the_table_has_a_bound() {
        let (answers, now) = (Answers::default(), Instant::now());
        for key in 0..MOST * 2 {
            assert!(matches!(
                answers.begin(&name(key), [0; 32], now),
                Ok(Turn::First)
            ));
            answers.end(&name(key), (key % 3 > 0).then(given));
        }
        let table = answers.table();
        assert!(table.held.len() <= MOST && table.order.len() <= MOST);
    }
}
