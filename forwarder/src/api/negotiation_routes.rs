//! Offers, answers and candidates of sessions, and what they want to receive.

use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::Caller,
    answer::{Owner, call, done},
    conditions::{Conditions, DryRun, etag, with},
    error::Problem,
    extract::{Ids, Json},
    room_model::{WishesChanges, WishesDocument, WishesState},
    session_routes::session_id,
};
use crate::{node::Node, rooms::specs::Trickle};

/// The paths of negotiation.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(offer, show_offer, roll_back))
        .routes(routes!(answer))
        .routes(routes!(add_candidates))
        .routes(routes!(show_wishes, put_wishes))
}

/// A peer's description.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Offer {
    /// an SDP, "v=0..."
    sdp: String,
}

/// A peer's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PeerAnswer {
    /// an SDP, "v=0..."
    sdp: String,
    /// the version of the offer that it answers, a number
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    version: u64,
}

/// Candidates of a peer, as they trickle in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Candidates {
    /// a list of at most 64 candidates, such as ["candidate:1 1 udp 1 192.0.2.1 4000 typ host"]
    #[serde(default)]
    #[schema(max_items = 64)]
    candidates: Vec<String>,
    /// true or false: whether there are no more
    end_of_candidates: Option<bool>,
    /// the username fragment that they belong to
    ufrag: Option<String>,
}

/// A description, as browsers take it.
#[derive(Serialize, ToSchema)]
struct SessionDescription {
    /// "offer" or "answer"
    r#type: &'static str,
    sdp: String,
    /// The number that the answer to an offer must name.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

/// The peer offers: tracks come, go and change direction, or ICE restarts.
///
/// An offer of ours that is outstanding is rolled back.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/offer",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = Offer,
    responses(
        (status = 200, description = "the answer", body = SessionDescription),
        (status = 204, description = "it could be answered (dry run)"),
    )
)]
async fn offer(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Json(request): Json<Offer>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let offer = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.offer(id, &request.sdp, dry_run)?)
    };
    Ok(described("answer", call(&node, offer).await?, None))
}

fn described(kind: &'static str, sdp: Option<String>, version: Option<u64>) -> Response {
    match sdp {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(sdp) => Answer(SessionDescription {
            r#type: kind,
            sdp,
            version,
        })
        .into_response(),
    }
}

/// Shows the outstanding offer of the forwarder.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/offer",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses(
        (status = 200, description = "the offer", body = SessionDescription),
        (status = 204, description = "none is outstanding"),
        (status = 422, description = "the session does not negotiate"),
    )
)]
async fn show_offer(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let look = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.pending_offer(id)?)
    };
    let pending = call(&node, look).await?;
    let (sdp, version) = pending.map(|offer| (offer.sdp, offer.version)).unzip();
    Ok(described("offer", sdp, version))
}

/// The peer rolls the forwarder's offer back.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}/offer",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is not outstanding any more"))
)]
async fn roll_back(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let roll_back = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.rollback(id, dry_run)?)
    };
    done(&node, roll_back).await
}

/// The peer answers the forwarder's offer.
#[utoipa::path(
    put,
    path = "/v0/sessions/{id}/answer",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = PeerAnswer,
    responses((status = 204, description = "it is carried out"))
)]
async fn answer(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Json(request): Json<PeerAnswer>,
) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let answer = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.answer(id, request.version, &request.sdp, dry_run)?)
    };
    done(&node, answer).await
}

/// Candidates of the peer. They are checked, and not needed: its checks tell where it is.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/candidates",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check, which is all that is done in any case"),
    ),
    request_body = Candidates,
    responses((status = 204, description = "they are candidates"))
)]
async fn add_candidates(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    _: DryRun,
    Json(request): Json<Candidates>,
) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let trickle = Trickle {
        candidates: request.candidates,
        end: request.end_of_candidates.unwrap_or(false),
        ufrag: request.ufrag,
    };
    let add = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.candidates(id, &trickle)?)
    };
    done(&node, add).await
}

/// Shows what a session wants to receive, and what became of it.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/wishes",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 200, description = "its wishes", body = WishesState, headers(("ETag" = String))))
)]
async fn show_wishes(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let look = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(node.wishes(id)?)
    };
    let view = call(&node, look).await?;
    let answer = Answer(WishesState::from(&view)).into_response();
    Ok(with(answer, header::ETAG, &etag(view.version)))
}

/// Says what a session wants to receive, whole. What it is sent follows.
#[utoipa::path(
    put,
    path = "/v0/sessions/{id}/wishes",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check, and say what would change"),
        ("If-Match" = Option<String>, Header, description = "the entity tag that its wishes must have"),
    ),
    request_body = WishesDocument,
    responses(
        (status = 200, description = "what changes", body = WishesChanges, headers(("ETag" = String))),
        (status = 412, description = "they have changed since"),
    )
)]
async fn put_wishes(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    conditions: Conditions,
    DryRun(dry_run): DryRun,
    Json(request): Json<WishesDocument>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let wishes = request.wishes()?;
    let wish = move |node: &mut Node| {
        caller.may_act(node, id)?;
        conditions.check(Some(&etag(node.wishes(id)?.version)))?;
        let changes = node.wish(id, wishes, dry_run)?;
        Ok((changes, node.wishes(id)?.version))
    };
    let (changes, version) = call(&node, wish).await?;
    let answer = Answer(WishesChanges::from(changes)).into_response();
    Ok(with(answer, header::ETAG, &etag(version)))
}
