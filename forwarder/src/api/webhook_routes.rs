//! The paths of webhooks.

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
    conditions::{DryRun, with},
    error::{INVALID, Problem},
    event_routes::LastEvent,
    extract::{Ids, Json, id},
    webhooks::HookView,
};
use crate::config::{Webhook, parse_secret, parse_url};

/// The paths of webhooks.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_webhooks, add_webhook))
        .routes(routes!(remove_webhook))
}

/// Someone who is to be told what happens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookRequest {
    /// an http or https URL of at most 2048 characters
    #[schema(max_length = 2048, example = "https://example.com/hook")]
    url: String,
    /// what requests are signed with: 16 to 512 characters of ASCII without spaces; after whsec_, Base64
    #[schema(format = Password, min_length = 16, max_length = 512, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// a list of 1 to 32 types of events, or of beginnings of types with a *, such as ["session.*"]; all, unless said
    #[schema(min_items = 1, max_items = 32)]
    events: Option<Vec<String>>,
}

/// A webhook; its secret is not told.
#[derive(Serialize, ToSchema)]
struct WebhookInfo {
    id: String,
    url: String,
    events: Vec<String>,
}

impl From<HookView> for WebhookInfo {
    fn from(view: HookView) -> Self {
        Self {
            id: view.id.to_string(),
            url: view.url,
            events: view.events,
        }
    }
}

/// Lists webhooks, those of the configuration first.
#[utoipa::path(
    get,
    path = "/v0/webhooks",
    tag = "events",
    responses((status = 200, description = "all webhooks", body = [WebhookInfo]))
)]
async fn list_webhooks(State(api): State<Api>) -> Answer<Vec<WebhookInfo>> {
    Answer(
        api.webhooks
            .list()
            .into_iter()
            .map(WebhookInfo::from)
            .collect(),
    )
}

/// Adds a webhook, which is told what happens from now on; with `Last-Event-ID` also what happened after that event, as far as that
/// is kept.
///
/// Events are posted one after the other, as JSON, signed as Standard Webhooks has it, and again for some minutes where that fails.
/// A webhook that answers 410 is told nothing any more.
#[utoipa::path(
    post,
    path = "/v0/webhooks",
    tag = "events",
    params(
        ("dry_run" = Option<bool>, Query, description = "only check"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event that was taken"),
    ),
    request_body = WebhookRequest,
    responses(
        (status = 201, description = "the webhook", body = WebhookInfo, headers(("Location" = String))),
        (status = 204, description = "it could be added (dry run)"),
    )
)]
async fn add_webhook(
    State(api): State<Api>,
    LastEvent(after): LastEvent,
    DryRun(dry_run): DryRun,
    Json(request): Json<WebhookRequest>,
) -> Result<Response, Problem> {
    let hook = Webhook {
        url: parse_url(&request.url)
            .map_err(|allowed| Problem::new(&INVALID, "url", request.url, allowed))?,
        secret: parse_secret(&request.secret)
            .map_err(|allowed| Problem::new(&INVALID, "secret", "(not repeated)", allowed))?,
        events: request.events.unwrap_or_else(|| vec!["*".to_owned()]),
    };
    let Some(view) = api.webhooks.add(hook, after, dry_run)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let location = format!("/v0/webhooks/{}", view.id);
    let answer = (StatusCode::CREATED, Answer(WebhookInfo::from(view))).into_response();
    Ok(with(answer, header::LOCATION, &location))
}

/// Removes a webhook, with what it was not told yet.
#[utoipa::path(
    delete,
    path = "/v0/webhooks/{id}",
    tag = "events",
    params(
        ("id" = String, Path, description = "its id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is gone"))
)]
async fn remove_webhook(
    State(api): State<Api>,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    api.webhooks
        .remove(id("webhook", "/v0/webhooks", &text)?, dry_run)?;
    Ok(StatusCode::NO_CONTENT)
}
