//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): one SDP offer over HTTP, to send or to receive.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::options,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::Caller,
    answer::{Owner, call},
    conditions::{Conditions, DryRun, etag, parameter, with},
    error::{BUSY, FAILED, FORBIDDEN, FULL, INVALID, Problem, UNCONDITIONAL, UNKNOWN},
    extract::{Ids, content_type, unread},
    session_routes::session_id,
};
use crate::{
    node::Node,
    rooms::{
        ids::RoomId,
        specs::{Entry, JoinSpec},
        views::Description,
        wishes::{Wanted, Wishes},
    },
    sessions::ids::SessionId,
};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// When a client may try a full node again, in seconds.
const RETRY_AFTER: &str = "10";

/// The paths of WHIP and WHEP.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(whip))
        .routes(routes!(change_whip, close_whip))
        .routes(routes!(whep))
        .routes(routes!(change_whep, close_whep))
}

/// What browsers ask ahead, without credentials.
pub fn preflights() -> axum::Router<Api> {
    axum::Router::new()
        .route("/whip/{room}", options(endpoint_options))
        .route("/whep/{room}", options(endpoint_options))
        .route("/whip/{room}/{session}", options(session_options))
        .route("/whep/{room}/{session}", options(session_options))
}

async fn endpoint_options(State(api): State<Api>) -> Response {
    api.ice_servers.link_public(with(
        StatusCode::NO_CONTENT.into_response(),
        header::HeaderName::from_static("accept-post"),
        SDP,
    ))
}

async fn session_options() -> Response {
    accept_patch(StatusCode::NO_CONTENT.into_response())
}

fn accept_patch(response: Response) -> Response {
    with(
        response,
        header::HeaderName::from_static("accept-patch"),
        FRAGMENT,
    )
}

/// A body of this media type, as text.
struct Text(String);

impl Text {
    async fn read(request: Request, api: &Api, wanted: &str) -> Result<Self, Problem> {
        content_type(request.headers(), wanted, true)?;
        let bytes = Bytes::from_request(request, api).await.map_err(unread)?;
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| Problem::new(&INVALID, "body", "no UTF-8", format!("{wanted} in UTF-8")));
        text.map(Self)
    }
}

/// An SDP offer.
struct Offer(String);

impl FromRequest<Api> for Offer {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Text::read(request, api, SDP)
            .await
            .map(|Text(text)| Self(text))
    }
}

/// Candidates, or new credentials (RFC 8840).
struct Fragment(String);

impl FromRequest<Api> for Fragment {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Text::read(request, api, FRAGMENT)
            .await
            .map(|Text(text)| Self(text))
    }
}

/// Publishes to a room: the offer's media is what its sessions are sent.
#[utoipa::path(
    post,
    path = "/whip/{room}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body(content = String, content_type = "application/sdp", description = "the offer"),
    responses(
        (
            status = 201,
            description = "the answer",
            body = String,
            content_type = "application/sdp",
            headers(("Location" = String), ("ETag" = String), ("Accept-Patch" = String), ("Link" = String))
        ),
        (status = 204, description = "it could be answered (dry run)"),
        (status = 503, description = "the node is full; Retry-After says when to ask again, in seconds")
    )
)]
async fn whip(
    State(api): State<Api>,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Offer(sdp): Offer,
) -> Result<Response, Problem> {
    let room = RoomId::new(&text)?;
    let grants = caller.grants(Some(&room))?;
    if !grants.publish {
        return Err(ungranted("publish"));
    }
    join(
        &api,
        "whip",
        spec(&caller, room, sdp, Wishes::none())?,
        dry_run,
    )
    .await
}

fn ungranted(grant: &str) -> Problem {
    let given = format!("a token without {grant}");
    Problem::new(
        &FORBIDDEN,
        "Authorization",
        given,
        format!("a token with {grant}"),
    )
}

/// `?session=ID`: play one session alone.
struct OfSession(Option<SessionId>);

impl<S: Send + Sync> FromRequestParts<S> for OfSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let session = parameter(parts, "session").map(|text| session_id(&text));
        Ok(Self(session.transpose()?))
    }
}

/// Plays a room, or one of its sessions: what is published there comes on the offer's m-lines.
#[utoipa::path(
    post,
    path = "/whep/{room}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("session" = Option<String>, Query, description = "the id of the one session to play"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body(content = String, content_type = "application/sdp", description = "the offer"),
    responses(
        (
            status = 201,
            description = "the answer",
            body = String,
            content_type = "application/sdp",
            headers(("Location" = String), ("ETag" = String), ("Accept-Patch" = String), ("Link" = String))
        ),
        (status = 204, description = "it could be answered (dry run)"),
        (status = 503, description = "the node is full; Retry-After says when to ask again, in seconds")
    )
)]
async fn whep(
    State(api): State<Api>,
    caller: Caller,
    Ids(text): Ids<String>,
    OfSession(session): OfSession,
    DryRun(dry_run): DryRun,
    Offer(sdp): Offer,
) -> Result<Response, Problem> {
    let room = RoomId::new(&text)?;
    let grants = caller.grants(Some(&room))?;
    if !grants.subscribe {
        return Err(ungranted("subscribe"));
    }
    let mut wishes = Wishes::all();
    if let Some(session) = session {
        wishes.publications = Wanted::Session(session);
    }
    join(&api, "whep", spec(&caller, room, sdp, wishes)?, dry_run).await
}

fn spec(caller: &Caller, room: RoomId, sdp: String, wishes: Wishes) -> Result<JoinSpec, Problem> {
    Ok(JoinSpec {
        grants: caller.grants(Some(&room))?,
        name: caller.name(None)?,
        room: Some(room),
        metadata: None,
        wishes,
        entry: Entry::Offer {
            sdp,
            takes_offers: false,
        },
    })
}

async fn join(
    api: &Api,
    protocol: &'static str,
    spec: JoinSpec,
    dry_run: bool,
) -> Result<Response, Problem> {
    let room = spec.room.as_ref().map(ToString::to_string);
    let room = room.unwrap_or_default();
    let join = move |node: &mut Node| {
        let Some(joined) = node.join(spec, dry_run)? else {
            return Ok(None);
        };
        match joined.description {
            Description::Answer(sdp) => Ok(Some((joined.id, sdp, tag(node, joined.id)?))),
            Description::Offer(_) | Description::None => {
                let allowed = "a bug in the forwarder: report it";
                Err(Problem::new(&FAILED, "answer", "none", allowed))
            }
        }
    };
    let Some((id, sdp, tag)) = call(&api.node, join).await.map_err(later)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let location = format!("/{protocol}/{room}/{id}");
    let answer = (
        StatusCode::CREATED,
        [(header::CONTENT_TYPE, HeaderValue::from_static(SDP))],
        sdp,
    );
    let answer = with(answer.into_response(), header::LOCATION, &location);
    let answer = accept_patch(with(answer, header::ETAG, &tag));
    Ok(api.ice_servers.link(answer))
}

/// A node without room has it again when somebody leaves: clients of WHIP know how to wait (RFC 9725 §4.5), and know nothing of 507.
fn later(problem: Problem) -> Problem {
    if !std::ptr::eq(problem.kind, &FULL) {
        return problem;
    }
    let kind = &BUSY;
    Problem { kind, ..problem }.with(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))
}

/// Names the ICE session (RFC 9725 §4.3.1): another after a restart.
fn tag(node: &Node, id: SessionId) -> Result<String, Problem> {
    Ok(etag(node.sessions().session(id)?.ice.ufrag()))
}

/// The session of a path, where it is in the room of the path.
fn find(node: &Node, (room, session): &(String, String)) -> Result<SessionId, Problem> {
    let unknown = || {
        let path = format!("{room}/{session}");
        Problem::new(
            &UNKNOWN,
            "session",
            path,
            "the Location of a session that is not closed",
        )
    };
    let id: SessionId = session.parse().map_err(|_| unknown())?;
    let member = node.member(id).map_err(|_| unknown())?;
    if member.room.as_ref().map(RoomId::as_str) != Some(room) {
        return Err(unknown());
    }
    Ok(id)
}

/// Tells of candidates of the publisher, or restarts ICE.
#[utoipa::path(
    patch,
    path = "/whip/{room}/{session}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("session" = String, Path, description = "the session's id"),
        ("If-Match" = String, Header, description = "the entity tag of the ICE session, or * to restart it"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag", description = "candidates or credentials"),
    responses(
        (
            status = 200,
            description = "our side of the restart",
            body = String,
            content_type = "application/trickle-ice-sdpfrag",
            headers(("ETag" = String))
        ),
        (status = 204, description = "the candidates are noted"),
        (status = 412, description = "ICE was restarted since"),
        (status = 428, description = "If-Match is missing"),
    )
)]
async fn change_whip(
    node: Owner,
    caller: Caller,
    Ids(ids): Ids<(String, String)>,
    conditions: Conditions,
    dry_run: DryRun,
    fragment: Fragment,
) -> Result<Response, Problem> {
    change(node, caller, ids, conditions, dry_run, fragment).await
}

/// Tells of candidates of the player, or restarts ICE.
#[utoipa::path(
    patch,
    path = "/whep/{room}/{session}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("session" = String, Path, description = "the session's id"),
        ("If-Match" = String, Header, description = "the entity tag of the ICE session, or * to restart it"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag", description = "candidates or credentials"),
    responses(
        (
            status = 200,
            description = "our side of the restart",
            body = String,
            content_type = "application/trickle-ice-sdpfrag",
            headers(("ETag" = String))
        ),
        (status = 204, description = "the candidates are noted"),
        (status = 412, description = "ICE was restarted since"),
        (status = 428, description = "If-Match is missing"),
    )
)]
async fn change_whep(
    node: Owner,
    caller: Caller,
    Ids(ids): Ids<(String, String)>,
    conditions: Conditions,
    dry_run: DryRun,
    fragment: Fragment,
) -> Result<Response, Problem> {
    change(node, caller, ids, conditions, dry_run, fragment).await
}

async fn change(
    State(node): Owner,
    caller: Caller,
    ids: (String, String),
    conditions: Conditions,
    DryRun(dry_run): DryRun,
    Fragment(text): Fragment,
) -> Result<Response, Problem> {
    let change = move |node: &mut Node| {
        let id = find(node, &ids)?;
        caller.may_act(node, id)?;
        let current = tag(node, id)?;
        // RFC 9725 §4.3.1: without it, 428; where it does not fit, 412.
        if !conditions.names_a_match() {
            let allowed = format!("{current}, which it is now, or * to restart ICE");
            let none = serde_json::Value::Null;
            return Err(Problem::new(&UNCONDITIONAL, "If-Match", none, allowed));
        }
        conditions.check(Some(&current))?;
        let restarted = node.fragment(id, &text, dry_run)?;
        Ok((restarted, tag(node, id)?))
    };
    let (restarted, tag) = call(&node, change).await?;
    Ok(match restarted {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(ours) => {
            let content = [(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT))];
            with((content, ours).into_response(), header::ETAG, &tag)
        }
    })
}

/// Ends publishing.
#[utoipa::path(
    delete,
    path = "/whip/{room}/{session}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("session" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "it is closed"))
)]
async fn close_whip(
    node: Owner,
    caller: Caller,
    Ids(ids): Ids<(String, String)>,
    dry_run: DryRun,
) -> Result<StatusCode, Problem> {
    close(node, caller, ids, dry_run).await
}

/// Ends playing.
#[utoipa::path(
    delete,
    path = "/whep/{room}/{session}",
    tag = "whip",
    params(
        ("room" = String, Path, description = "the room's name"),
        ("session" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "it is closed"))
)]
async fn close_whep(
    node: Owner,
    caller: Caller,
    Ids(ids): Ids<(String, String)>,
    dry_run: DryRun,
) -> Result<StatusCode, Problem> {
    close(node, caller, ids, dry_run).await
}

async fn close(
    State(node): Owner,
    caller: Caller,
    ids: (String, String),
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let close = move |node: &mut Node| {
        let id = find(node, &ids)?;
        caller.may_close(node, id)?;
        Ok(node.leave(id, dry_run)?)
    };
    call(&node, close).await?;
    Ok(StatusCode::OK)
}
