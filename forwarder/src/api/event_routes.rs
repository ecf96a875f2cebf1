//! What happens, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{
    convert::Infallible,
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
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::{Caller, Source},
    answer::call,
    conditions::parameter,
    error::{BUSY, INVALID, LIMIT, Problem},
    extract::Ids,
    places::{Claim, Full, Place},
    session_routes::session_id,
};
use crate::{
    node::{
        Node,
        events::{Filter, Reach},
    },
    rooms::ids::RoomId,
};

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
pub struct LastEvent(pub Option<u64>);

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
/// `reset` comes first. Who does not operate the node hears of a room from when it was made, and with the key of a session from when
/// that joined until it ends, however far back the event is.
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
        (status = 429, description = "the caller has as many listeners as it may"),
        (status = 503, description = "there are as many listeners as the node takes"),
    )
)]
async fn listen(
    State(api): State<Api>,
    caller: Caller,
    source: Source,
    InRoom(room): InRoom,
    LastEvent(after): LastEvent,
) -> Result<Response, Problem> {
    let (filter, reach) = match (room, &caller) {
        (None, _) => (Filter::All, Reach::Everything),
        (Some(room), Caller::Session { key, .. }) => {
            (Filter::Room(room), Reach::Session(key.session))
        }
        (Some(room), caller) if caller.is_admin() => (Filter::Room(room), Reach::Everything),
        (Some(room), _) => (Filter::Room(room.clone()), Reach::Room(room)),
    };
    let asker = caller.clone();
    let wanted = filter.clone();
    let look = move |node: &mut Node| match &wanted {
        Filter::Room(room) => asker.may_read(node, room),
        _ => asker.may_moderate(None),
    };
    call(&api.node, look.clone()).await?;
    let place = place(&api, &caller, source).await?;
    let listener = Listener {
        filter,
        reach,
        after,
        place,
        until: caller.until(),
    };
    Ok(stream(&api, listener, look))
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
        (status = 429, description = "the caller has as many listeners as it may"),
        (status = 503, description = "there are as many listeners as the node takes"),
    )
)]
async fn listen_as_session(
    State(api): State<Api>,
    caller: Caller,
    source: Source,
    Ids(text): Ids<String>,
    LastEvent(after): LastEvent,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let asker = caller.clone();
    let look = move |node: &mut Node| {
        asker.may_act(node, id)?;
        Ok(node.member(id)?.room)
    };
    let room = call(&api.node, look.clone()).await?;
    let place = place(&api, &caller, source).await?;
    let listener = Listener {
        filter: Filter::Session(id, room),
        reach: Reach::Session(id),
        after,
        place,
        until: caller.until(),
    };
    Ok(stream(&api, listener, move |node: &mut Node| {
        look(node).map(drop)
    }))
}

/// A place among the listeners. Those of a token and of the sessions that it created share theirs.
async fn place(api: &Api, caller: &Caller, source: Source) -> Result<Place<String>, Problem> {
    let limits = api.limits;
    let spared = limits.listeners / 16;
    let creator = match caller {
        Caller::Session { key, .. } => {
            let session = key.session;
            call(&api.node, move |node| Ok(node.member(session)?.holder)).await?
        }
        _ => None,
    };
    let (holder, share) = match (creator, caller) {
        (Some(creator), _) => (format!("token:{creator}"), limits.listeners_per_token),
        (None, Caller::Session { .. }) => (caller.identity(source), limits.listeners_per_session),
        (None, _) if caller.is_admin() => (caller.identity(source), limits.listeners_per_operator),
        (None, _) => (caller.identity(source), limits.listeners_per_token),
    };
    let spared = if caller.is_admin() { 0 } else { spared };
    let full = match api.listeners.take(holder, Claim { share, spared }) {
        Ok(place) => return Ok(place),
        Err(full) => full,
    };
    let kind = match full {
        Full::Share(_) => &LIMIT,
        Full::All(_) => &BUSY,
    };
    let allowed = format!("{full}; end one, or try again later");
    let problem = Problem::new(kind, "listeners", "one more", allowed);
    Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("10")))
}

/// Somebody who listens.
struct Listener {
    filter: Filter,
    reach: Reach,
    after: Option<u64>,
    place: Place<String>,
    /// Until when their credentials hold, in seconds since 1970.
    until: Option<u64>,
}

/// Listeners that are too slow miss events and are told so; they keep nobody waiting, and hold no more than a batch. `look` says whether
/// they may listen, and is asked again and again: whoever was removed hears no more.
fn stream(
    api: &Api,
    listener: Listener,
    look: impl Fn(&mut Node) -> Result<(), Problem> + Clone + Send + Sync + 'static,
) -> Response {
    let Listener {
        filter,
        reach,
        after,
        place,
        until,
    } = listener;
    let events = api
        .node
        .events()
        .subscribe(after, filter, reach)
        .map(move |entry| {
            let _held = &place;
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
    answer(events.take_until(Box::pin(stopping)))
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
