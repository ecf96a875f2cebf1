//! Endpoints, what they publish and what is sent on to them.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    answer::{Owner, ask, call, created, done},
    conditions::DryRun,
    error::Problem,
    extract::{Ids, Json, id},
    model, requests, whole,
};
use crate::{
    core::{
        Input, Output,
        ids::{EndpointId, PublicationId, SubscriptionId},
        refusal::Refusal,
    },
    node::{Node, NodeHandle},
};

/// The paths of endpoints.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_endpoints, create_endpoint))
        .routes(routes!(show_endpoint, delete_endpoint))
        .routes(routes!(list_publications, create_publication))
        .routes(routes!(show_publication, delete_publication))
        .routes(routes!(list_subscriptions, create_subscription))
        .routes(routes!(show_subscription, delete_subscription))
        .routes(routes!(pause_subscription))
        .routes(routes!(resume_subscription))
}

fn endpoint_id(text: &str) -> Result<EndpointId, Problem> {
    id("endpoint", "/v0/endpoints", text)
}

fn publication_id(text: &str) -> Result<PublicationId, Problem> {
    id("publication", "/v0/publications", text)
}

fn subscription_id(text: &str) -> Result<SubscriptionId, Problem> {
    id("subscription", "/v0/subscriptions", text)
}

/// Carries a command out, or only checks it.
fn command(node: &mut Node, input: Input, dry_run: bool) -> Result<Option<Output>, Refusal> {
    match dry_run {
        true => node.core().check(&input).map(|()| None),
        false => node.handle(input).map(Some),
    }
}

/// Deletes something.
async fn delete(node: &NodeHandle, input: Input, dry_run: bool) -> Result<StatusCode, Problem> {
    done(node, move |node| {
        Ok(command(node, input, dry_run).map(drop)?)
    })
    .await
}

/// The core answers each command with its own kind of output.
fn unexpected(output: Output) -> Refusal {
    Refusal::failed(
        "node",
        format!("{output:?}"),
        "a bug in the forwarder: report it",
    )
}

/// Lists endpoints.
#[utoipa::path(
    get,
    path = "/v0/endpoints",
    tag = "endpoints",
    responses((status = 200, description = "all endpoints", body = [model::Endpoint]))
)]
async fn list_endpoints(State(node): Owner) -> Result<Response, Problem> {
    whole::list::<model::Endpoint>(&node).await
}

/// Shows an endpoint.
#[utoipa::path(
    get,
    path = "/v0/endpoints/{id}",
    tag = "endpoints",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, description = "an endpoint", body = model::Endpoint))
)]
async fn show_endpoint(State(node): Owner, Ids(text): Ids<String>) -> Result<Response, Problem> {
    let id = endpoint_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        Ok(model::Endpoint::find(node, id)?)
    })
    .await
}

/// Creates an endpoint.
#[utoipa::path(
    post,
    path = "/v0/endpoints",
    tag = "endpoints",
    params(("dry_run" = Option<bool>, Query, description = "only check")),
    request_body = requests::Endpoint,
    responses(
        (status = 201, description = "an endpoint", body = model::Endpoint),
        (status = 204, description = "it could be created (dry run)"),
    )
)]
async fn create_endpoint(
    State(node): Owner,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Endpoint>,
) -> Result<Response, Problem> {
    let spec = request.spec()?;
    let placed = node.place(&spec).await?;
    let create = move |node: &mut Node| {
        let id = node.create_endpoint(spec, placed, dry_run)?;
        let found = id.map(|id| model::Endpoint::find(node, id));
        Ok(found.transpose()?)
    };
    Ok(created(call(&node, create).await?))
}

/// Deletes an endpoint, with what is published and sent there.
#[utoipa::path(
    delete,
    path = "/v0/endpoints/{id}",
    tag = "endpoints",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn delete_endpoint(
    State(node): Owner,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    delete(&node, Input::DeleteEndpoint(endpoint_id(&text)?), dry_run).await
}

/// Lists publications.
#[utoipa::path(
    get,
    path = "/v0/publications",
    tag = "endpoints",
    responses((status = 200, description = "all publications", body = [model::Publication]))
)]
async fn list_publications(State(node): Owner) -> Result<Response, Problem> {
    whole::list::<model::Publication>(&node).await
}

/// Shows a publication.
#[utoipa::path(
    get,
    path = "/v0/publications/{id}",
    tag = "endpoints",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, description = "a publication", body = model::Publication))
)]
async fn show_publication(State(node): Owner, Ids(text): Ids<String>) -> Result<Response, Problem> {
    let id = publication_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        Ok(model::Publication::find(node, id)?)
    })
    .await
}

/// Creates a publication.
#[utoipa::path(
    post,
    path = "/v0/publications",
    tag = "endpoints",
    params(("dry_run" = Option<bool>, Query, description = "only check")),
    request_body = requests::Publication,
    responses(
        (status = 201, description = "a publication", body = model::Publication),
        (status = 204, description = "it could be created (dry run)"),
    )
)]
async fn create_publication(
    State(node): Owner,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Publication>,
) -> Result<Response, Problem> {
    let spec = request.spec()?;
    let create =
        move |node: &mut Node| match command(node, Input::CreatePublication(spec), dry_run)? {
            None => Ok(None),
            Some(Output::Publication(id)) => Ok(Some(model::Publication::find(node, id)?)),
            Some(other) => Err(unexpected(other).into()),
        };
    Ok(created(call(&node, create).await?))
}

/// Deletes a publication, with its subscriptions.
#[utoipa::path(
    delete,
    path = "/v0/publications/{id}",
    tag = "endpoints",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn delete_publication(
    State(node): Owner,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    delete(
        &node,
        Input::DeletePublication(publication_id(&text)?),
        dry_run,
    )
    .await
}

/// Lists subscriptions.
#[utoipa::path(
    get,
    path = "/v0/subscriptions",
    tag = "endpoints",
    responses((status = 200, description = "all subscriptions", body = [model::Subscription]))
)]
async fn list_subscriptions(State(node): Owner) -> Result<Response, Problem> {
    whole::list::<model::Subscription>(&node).await
}

/// Shows a subscription.
#[utoipa::path(
    get,
    path = "/v0/subscriptions/{id}",
    tag = "endpoints",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, description = "a subscription", body = model::Subscription))
)]
async fn show_subscription(
    State(node): Owner,
    Ids(text): Ids<String>,
) -> Result<Response, Problem> {
    let id = subscription_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        Ok(model::Subscription::find(node, id)?)
    })
    .await
}

/// Creates a subscription.
#[utoipa::path(
    post,
    path = "/v0/subscriptions",
    tag = "endpoints",
    params(("dry_run" = Option<bool>, Query, description = "only check")),
    request_body = requests::Subscription,
    responses(
        (status = 201, description = "a subscription", body = model::Subscription),
        (status = 204, description = "it could be created (dry run)"),
    )
)]
async fn create_subscription(
    State(node): Owner,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Subscription>,
) -> Result<Response, Problem> {
    let spec = request.spec()?;
    let create =
        move |node: &mut Node| match command(node, Input::CreateSubscription(spec), dry_run)? {
            None => Ok(None),
            Some(Output::Subscription(id)) => Ok(Some(model::Subscription::find(node, id)?)),
            Some(other) => Err(unexpected(other).into()),
        };
    Ok(created(call(&node, create).await?))
}

/// Deletes a subscription.
#[utoipa::path(
    delete,
    path = "/v0/subscriptions/{id}",
    tag = "endpoints",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn delete_subscription(
    State(node): Owner,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    delete(
        &node,
        Input::DeleteSubscription(subscription_id(&text)?),
        dry_run,
    )
    .await
}

/// Stops sending it.
#[utoipa::path(
    post,
    path = "/v0/subscriptions/{id}/pause",
    tag = "endpoints",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "a subscription", body = model::Subscription))
)]
async fn pause_subscription(
    State(node): Owner,
    Ids(text): Ids<String>,
    dry_run: DryRun,
) -> Result<Response, Problem> {
    set_paused(&node, subscription_id(&text)?, Input::Pause, dry_run).await
}

/// Sends it again.
#[utoipa::path(
    post,
    path = "/v0/subscriptions/{id}/resume",
    tag = "endpoints",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 200, description = "a subscription", body = model::Subscription))
)]
async fn resume_subscription(
    State(node): Owner,
    Ids(text): Ids<String>,
    dry_run: DryRun,
) -> Result<Response, Problem> {
    set_paused(&node, subscription_id(&text)?, Input::Resume, dry_run).await
}

async fn set_paused(
    node: &NodeHandle,
    id: SubscriptionId,
    input: impl FnOnce(SubscriptionId) -> Input,
    DryRun(dry_run): DryRun,
) -> Result<Response, Problem> {
    let input = input(id);
    ask(node, StatusCode::OK, move |node| {
        command(node, input, dry_run)?;
        Ok(model::Subscription::find(node, id)?)
    })
    .await
}
