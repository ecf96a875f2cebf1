//! Sessions and their m-lines, in the terms of ORTC.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    answer::{Owner, ask},
    error::Problem,
    extract::{Ids, Json, id},
    session_model as model, session_requests as requests,
};
use crate::sessions::ids::{PublicationId, SessionId, SubscriptionId};

/// The paths of sessions.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_sessions, create_session))
        .routes(routes!(show_session, close_session))
        .routes(routes!(restart_ice))
        .routes(routes!(publish))
        .routes(routes!(show_session_publication, unpublish))
        .routes(routes!(subscribe))
        .routes(routes!(show_session_subscription, unsubscribe))
        .routes(routes!(pause_session_subscription))
        .routes(routes!(resume_session_subscription))
}

/// The ids of a session and of one of its m-lines.
type Pair = Ids<(String, String)>;

fn session_id(text: &str) -> Result<SessionId, Problem> {
    id("session", "/v0/sessions", text)
}

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

/// Lists sessions.
#[utoipa::path(
    get,
    path = "/v0/sessions",
    tag = "sessions",
    responses((status = 200, description = "all sessions", body = [model::Session]))
)]
async fn list_sessions(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| model::Session::all(node)).await
}

/// Shows a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 200, description = "the session", body = model::Session))
)]
async fn show_session(State(node): Owner, Ids(text): Ids<String>) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        model::Session::find(node, id)
    })
    .await
}

/// Creates a session with a peer.
#[utoipa::path(
    post,
    path = "/v0/sessions",
    tag = "sessions",
    request_body = requests::Session,
    responses((status = 201, description = "what the peer has to be told", body = model::CreatedSession))
)]
async fn create_session(
    State(node): Owner,
    Json(request): Json<requests::Session>,
) -> Result<Response, Problem> {
    let spec = request.spec()?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.create(now, spec))?;
        model::CreatedSession::find(node, id)
    })
    .await
}

/// Closes a session.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 204, description = "it is closed"))
)]
async fn close_session(State(node): Owner, Ids(text): Ids<String>) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let closed = node.call(move |node| node.command(|sessions, now| sessions.close(now, id)));
    closed.await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Restarts ICE.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/ice",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    request_body = requests::Ice,
    responses((status = 200, description = "our new credentials", body = model::Ice))
)]
async fn restart_ice(
    State(node): Owner,
    Ids(text): Ids<String>,
    Json(request): Json<requests::Ice>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let remote = request.credentials()?;
    ask(&node, StatusCode::OK, move |node| {
        let local = node.command(|sessions, _| sessions.restart_ice(id, remote))?;
        Ok(model::Ice::new(node, &local))
    })
    .await
}

/// Publishes an m-line of the session.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/publications",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    request_body = requests::Publication,
    responses((status = 201, description = "the publication", body = model::SessionPublication))
)]
async fn publish(
    State(node): Owner,
    Ids(text): Ids<String>,
    Json(request): Json<requests::Publication>,
) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let spec = request.into();
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.publish(now, session, &spec))?;
        model::SessionPublication::find(node, session, id)
    })
    .await
}

/// Shows a publication of a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/publications/{line}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its publication")),
    responses((status = 200, description = "the publication", body = model::SessionPublication))
)]
async fn show_session_publication(State(node): Owner, Ids(ids): Pair) -> Result<Response, Problem> {
    let (session, id) = publication_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        model::SessionPublication::find(node, session, id)
    })
    .await
}

/// Ends a publication, with its subscriptions.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}/publications/{line}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its publication")),
    responses((status = 204, description = "it is gone"))
)]
async fn unpublish(State(node): Owner, Ids(ids): Pair) -> Result<StatusCode, Problem> {
    let (session, id) = publication_ids(&ids)?;
    let ended =
        node.call(move |node| node.command(|sessions, now| sessions.unpublish(now, session, id)));
    ended.await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Subscribes a session to a publication.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    request_body = requests::Subscription,
    responses((status = 201, description = "the subscription", body = model::SessionSubscription))
)]
async fn subscribe(
    State(node): Owner,
    Ids(text): Ids<String>,
    Json(request): Json<requests::Subscription>,
) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let spec = request.spec()?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.subscribe(now, session, &spec))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

/// Shows a subscription of a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}/subscriptions/{line}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its subscription")),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn show_session_subscription(
    State(node): Owner,
    Ids(ids): Pair,
) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

/// Ends a subscription.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}/subscriptions/{line}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its subscription")),
    responses((status = 204, description = "it is gone"))
)]
async fn unsubscribe(State(node): Owner, Ids(ids): Pair) -> Result<StatusCode, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    let ended =
        node.call(move |node| node.command(|sessions, now| sessions.unsubscribe(now, session, id)));
    ended.await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops sending it.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions/{line}/pause",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its subscription")),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn pause_session_subscription(
    State(node): Owner,
    Ids(ids): Pair,
) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        node.command(|sessions, _| sessions.pause(session, id))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

/// Sends it again.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/subscriptions/{line}/resume",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id"), ("line" = String, Path, description = "the id of its subscription")),
    responses((status = 200, description = "the subscription", body = model::SessionSubscription))
)]
async fn resume_session_subscription(
    State(node): Owner,
    Ids(ids): Pair,
) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        node.command(|sessions, now| sessions.resume(now, session, id))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}
