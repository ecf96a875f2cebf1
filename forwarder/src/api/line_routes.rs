//! The m-lines of sessions: what they publish and are subscribed to, one by one.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::Caller,
    answer::{Owner, ask, call, created, done},
    conditions::DryRun,
    error::Problem,
    extract::{Ids, Json, id},
    line_model as model, line_requests as requests,
    session_routes::session_id,
};
use crate::{
    node::Node,
    sessions::ids::{PublicationId, SessionId, SubscriptionId},
};

/// The paths of m-lines.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(publish))
        .routes(routes!(show_session_publication, mute, unpublish))
        .routes(routes!(subscribe))
        .routes(routes!(show_session_subscription, unsubscribe))
        .routes(routes!(pause_session_subscription))
        .routes(routes!(resume_session_subscription))
}

/// The ids of a session and of one of its m-lines.
type Pair = Ids<(String, String)>;

fn publication_ids(
    (session, line): &(String, String),
) -> Result<(SessionId, PublicationId), Problem> {
    let publication = id("publication", "/v0/sessions/ID", line)?;
    Ok((session_id(session)?, publication))
}

fn subscription_ids(
    (session, line): &(String, String),
) -> Result<(SessionId, SubscriptionId), Problem> {
    let subscription = id("subscription", "/v0/sessions/ID", line)?;
    Ok((session_id(session)?, subscription))
}

/// Publishes an m-line of a session that was created by parameters.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/publications",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = requests::Publication,
    responses(
        (status = 201, description = "the publication", body = model::SessionPublication),
        (status = 204, description = "it could be added (dry run)"),
    )
)]
async fn publish(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Publication>,
) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let publish = move |node: &mut Node| {
        caller.may_act(node, session)?;
        let id = node.publish(session, &request.into(), dry_run)?;
        let found = id.map(|id| model::SessionPublication::find(node, session, id));
        Ok(found.transpose()?)
    };
    Ok(created(call(&node, publish).await?))
}

/// Shows a publication of a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/publications/{line}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its publication"),
    ),
    responses((status = 200, description = "the publication", body = model::SessionPublication))
)]
async fn show_session_publication(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
) -> Result<Response, Problem> {
    let (session, id) = publication_ids(&ids)?;
    let look = move |node: &mut Node| {
        caller.may_act(node, session)?;
        Ok(model::SessionPublication::find(node, session, id)?)
    };
    ask(&node, StatusCode::OK, look).await
}

/// What a moderator changes of a publication.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Moderation {
    /// true or false: whether nobody is sent it
    muted: bool,
}

/// Silences a publication for everybody, or no longer.
#[utoipa::path(
    patch,
    path = "/v0/sessions/{id}/publications/{line}",
    tag = "rooms",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its publication"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = Moderation,
    responses((status = 200, description = "the publication", body = model::SessionPublication))
)]
async fn mute(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
    DryRun(dry_run): DryRun,
    Json(request): Json<Moderation>,
) -> Result<Response, Problem> {
    let (session, id) = publication_ids(&ids)?;
    let mute = move |node: &mut Node| {
        let room = node.member(session)?.room;
        caller.may_moderate(room.as_ref())?;
        node.mute(session, id, request.muted, dry_run)?;
        Ok(model::SessionPublication::find(node, session, id)?)
    };
    ask(&node, StatusCode::OK, mute).await
}

/// Ends a publication, with the subscriptions to it.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}/publications/{line}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its publication"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn unpublish(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let (session, id) = publication_ids(&ids)?;
    let unpublish = move |node: &mut Node| {
        caller.may_act(node, session)?;
        Ok(node.unpublish(session, id, dry_run)?)
    };
    done(&node, unpublish).await
}

/// Subscribes a session that was created by parameters to a publication.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = requests::Subscription,
    responses(
        (status = 201, description = "the subscription", body = model::SessionSubscription),
        (status = 204, description = "it could be added (dry run)"),
    )
)]
async fn subscribe(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Subscription>,
) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let spec = request.spec()?;
    let subscribe = move |node: &mut Node| {
        caller.may_act(node, session)?;
        let id = node.subscribe(session, &spec, caller.is_admin(), dry_run)?;
        let found = id.map(|id| model::SessionSubscription::find(node, session, id));
        Ok(found.transpose()?)
    };
    Ok(created(call(&node, subscribe).await?))
}

/// Shows a subscription of a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/subscriptions/{line}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its subscription"),
    ),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn show_session_subscription(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    let look = move |node: &mut Node| {
        caller.may_act(node, session)?;
        Ok(model::SessionSubscription::find(node, session, id)?)
    };
    ask(&node, StatusCode::OK, look).await
}

/// Ends a subscription.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}/subscriptions/{line}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its subscription"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn unsubscribe(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    let unsubscribe = move |node: &mut Node| {
        caller.may_act(node, session)?;
        Ok(node.unsubscribe(session, id, dry_run)?)
    };
    done(&node, unsubscribe).await
}

/// Stops sending a subscription.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions/{line}/pause",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its subscription"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn pause_session_subscription(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
    dry_run: DryRun,
) -> Result<Response, Problem> {
    set_paused(State(node), caller, &ids, dry_run, true).await
}

/// Sends a subscription again.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions/{line}/resume",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("line" = String, Path, description = "the id of its subscription"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn resume_session_subscription(
    State(node): Owner,
    caller: Caller,
    Ids(ids): Pair,
    dry_run: DryRun,
) -> Result<Response, Problem> {
    set_paused(State(node), caller, &ids, dry_run, false).await
}

async fn set_paused(
    State(node): Owner,
    caller: Caller,
    ids: &(String, String),
    DryRun(dry_run): DryRun,
    paused: bool,
) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(ids)?;
    let change = move |node: &mut Node| {
        caller.may_act(node, session)?;
        node.pause(session, id, paused, dry_run)?;
        Ok(model::SessionSubscription::find(node, session, id)?)
    };
    ask(&node, StatusCode::OK, change).await
}
