//! What happens, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::Caller,
    answer::call,
    conditions::parameter,
    error::{INVALID, LIMIT, Problem},
    extract::Ids,
    session_routes::session_id,
};
use crate::{
    node::{Node, events::Filter},
    rooms::ids::RoomId,
};

/// Listeners at one time.
pub const MAX_LISTENERS: usize = 4096;
/// How often a listener is sent something, so that proxies and the two ends see that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long whoever may not listen any more hears on, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A day, for callers whose credentials do not expire: they come back with Last-Event-ID.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The paths of events.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(listen))
        .routes(routes!(listen_as_session))
}

/// Where a listener goes on.
struct LastEvent(Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(given) = parts.headers.get("last-event-id") else {
            return Ok(Self(None));
        };
        let text = String::from_utf8_lossy(given.as_bytes());
        match text.parse() {
            Ok(id) => Ok(Self(Some(id))),
            Err(_) => Err(Problem::new(
                &INVALID,
                "Last-Event-ID",
                text,
                "the id of the last event that was seen, a number",
            )),
        }
    }
}

/// `?room=NAME`.
struct InRoom(Option<RoomId>);

impl<S: Send + Sync> FromRequestParts<S> for InRoom {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let room = parameter(parts, "room").map(|room| RoomId::new(&room));
        Ok(Self(room.transpose()?))
    }
}

/// Tells what happens on the node, or in one room.
///
/// Each event has an `id` that increases, its type as `event`, and as `data` a JSON object with `id`, `time`, `type`, `room`,
/// `session` and what belongs to the type. With `Last-Event-ID` it goes on after that event; where events were missed, one of type
/// `reset` comes first.
#[utoipa::path(
    get,
    path = "/v0/events",
    tag = "events",
    params(
        ("room" = Option<String>, Query, description = "only what happens in this room"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "events, until the caller goes", body = String, content_type = "text/event-stream"),
        (status = 429, description = "there are too many listeners"),
    )
)]
async fn listen(
    State(api): State<Api>,
    caller: Caller,
    InRoom(room): InRoom,
    LastEvent(after): LastEvent,
) -> Result<Response, Problem> {
    let filter = match room {
        None => Filter::All,
        Some(room) => Filter::Room(room),
    };
    let until = caller.until();
    let wanted = filter.clone();
    let look = move |node: &mut Node| match &wanted {
        Filter::Room(room) => caller.may_read(node, room),
        _ => caller.may_moderate(None),
    };
    call(&api.node, look.clone()).await?;
    stream(&api, filter, after, until, look)
}

/// Tells what concerns one session: what happens in its room, and the forwarder's offers to it.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/events",
    tag = "events",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "events, until the caller goes", body = String, content_type = "text/event-stream"),
        (status = 429, description = "there are too many listeners"),
    )
)]
async fn listen_as_session(
    State(api): State<Api>,
    caller: Caller,
    Ids(text): Ids<String>,
    LastEvent(after): LastEvent,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let until = caller.until();
    let look = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.member(id)?.room)
    };
    let room = call(&api.node, look.clone()).await?;
    let look = move |node: &mut Node| look(node).map(drop);
    stream(&api, Filter::Session(id, room), after, until, look)
}

/// Listeners that are too slow miss events and are told so; they keep nobody waiting, and hold no more than a batch. `look` says whether
/// they may listen, and is asked again and again: whoever was removed hears no more.
fn stream(
    api: &Api,
    filter: Filter,
    after: Option<u64>,
    until: Option<u64>,
    look: impl Fn(&mut Node) -> Result<(), Problem> + Clone + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let permit = Arc::clone(&api.listeners)
        .try_acquire_owned()
        .map_err(|_| {
            let given = format!("{MAX_LISTENERS} of them");
            let problem = Problem::new(
                &LIMIT,
                "listeners",
                given,
                format!("at most {MAX_LISTENERS}; try again later"),
            );
            problem.with(header::RETRY_AFTER, HeaderValue::from_static("10"))
        })?;
    let events = api
        .node
        .events()
        .subscribe(after, filter)
        .map(move |entry| {
            let _held = &permit;
            let event = Event::default()
                .id(entry.id.to_string())
                .event(entry.name)
                .data(&*entry.json);
            Ok::<_, Infallible>(event)
        });
    // A token is good until it expires, and no longer.
    let left = until.map_or(LONGEST, |until| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Duration::from_secs(until).saturating_sub(now)
    });
    let stopping = {
        let node = api.node.clone();
        async move {
            let revoked = async {
                loop {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    if call(&node, look.clone()).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = node.stopped() => {}
                () = tokio::time::sleep(left) => {}
                () = revoked => {}
            }
        }
    };
    let events = events.take_until(Box::pin(stopping));
    Ok(answer(events))
}

fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    // Proxies that buffer would keep events back.
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Room for listeners.
pub fn listeners() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_LISTENERS))
}
