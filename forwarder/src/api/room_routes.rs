//! Rooms.

use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::{Caller, require_admin},
    answer::{Owner, call, done},
    conditions::{Conditions, DryRun, etag, with},
    error::Problem,
    extract::{Ids, Json},
    room_model::{Room, RoomRequest, RoomSummary},
    whole,
};
use crate::{node::Node, rooms::ids::RoomId};

/// The paths of rooms.
pub fn routes() -> OpenApiRouter<Api> {
    let listed = OpenApiRouter::default()
        .routes(routes!(list_rooms))
        .route_layer(axum::middleware::from_fn(require_admin));
    OpenApiRouter::default()
        .merge(listed)
        .routes(routes!(show_room, put_room, close_room))
}

fn version(node: &Node, id: &RoomId) -> Option<String> {
    node.room(id).ok().map(|room| etag(room.version))
}

/// Lists rooms, with how many are in each.
#[utoipa::path(
    get,
    path = "/v0/rooms",
    tag = "rooms",
    responses((status = 200, description = "all rooms, by name", body = [RoomSummary]))
)]
async fn list_rooms(State(node): Owner) -> Result<Response, Problem> {
    whole::list::<RoomSummary>(&node).await
}

/// Shows a room and who is in it.
///
/// The entity tag is another after every change but of `bitrate` and `speaking`.
#[utoipa::path(
    get,
    path = "/v0/rooms/{room}",
    tag = "rooms",
    params(("room" = String, Path, description = "its name")),
    responses((status = 200, description = "the room", body = Room, headers(("ETag" = String))))
)]
async fn show_room(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Response, Problem> {
    let id = RoomId::new(&text)?;
    let look = move |node: &mut Node| {
        caller.may_read(node, &id)?;
        Ok(node.room(&id)?)
    };
    let room = call(&node, look).await?;
    let tag = etag(room.version);
    Ok(with(
        Answer(Room::from(room)).into_response(),
        header::ETAG,
        &tag,
    ))
}

/// Creates a room or changes it, whole. It stays then when nobody is in it.
#[utoipa::path(
    put,
    path = "/v0/rooms/{room}",
    tag = "rooms",
    params(
        ("room" = String, Path, description = "its name, 1 to 64 of A-Z a-z 0-9 . _ ~ -"),
        ("dry_run" = Option<bool>, Query, description = "only check, and say what would be"),
        ("If-Match" = Option<String>, Header, description = "the entity tag that it must have"),
        ("If-None-Match" = Option<String>, Header, description = "* for a room that must not be there"),
    ),
    request_body = RoomRequest,
    responses(
        (status = 200, description = "the room, changed", body = Room, headers(("ETag" = String))),
        (status = 201, description = "the room, created", body = Room, headers(("ETag" = String))),
        (status = 412, description = "it has changed since"),
    )
)]
async fn put_room(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    conditions: Conditions,
    DryRun(dry_run): DryRun,
    Json(request): Json<RoomRequest>,
) -> Result<Response, Problem> {
    let id = RoomId::new(&text)?;
    caller.may_moderate(Some(&id))?;
    let put = move |node: &mut Node| {
        conditions.check(version(node, &id).as_deref())?;
        Ok(node.put_room(&id, request.into(), dry_run)?)
    };
    let put = call(&node, put).await?;
    let status = match put.created && !dry_run {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let tag = etag(put.room.version);
    let answer = (status, Answer(Room::from(put.room))).into_response();
    Ok(if dry_run {
        answer
    } else {
        with(answer, header::ETAG, &tag)
    })
}

/// Ends a room and the sessions in it.
#[utoipa::path(
    delete,
    path = "/v0/rooms/{room}",
    tag = "rooms",
    params(
        ("room" = String, Path, description = "its name"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
        ("If-Match" = Option<String>, Header, description = "the entity tag that it must have"),
    ),
    responses(
        (status = 204, description = "it is gone"),
        (status = 412, description = "it has changed since"),
    )
)]
async fn close_room(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    conditions: Conditions,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let id = RoomId::new(&text)?;
    caller.may_moderate(Some(&id))?;
    let close = move |node: &mut Node| {
        let current = etag(node.room(&id)?.version);
        conditions.check(Some(&current))?;
        node.close_room(&id, dry_run)?;
        Ok(())
    };
    done(&node, close).await
}
