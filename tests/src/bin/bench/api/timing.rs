//! Calls and their times.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::hall::{Hall, room};
use crate::sessions::calls::{CallRow, Calls};

/// Large answers are asked for once in so many rounds.
const SELDOM: u32 = 20;

/// Every kind of call, nobody else calling.
///
/// # Errors
/// The node refuses one.
pub fn alone(hall: &mut Hall<'_>, count: u32) -> Result<Vec<CallRow>> {
    let mut rows = quick(hall, count)?;
    let mut large = ["/v0/sessions", "/v0/state"].map(|path| Timed::new("GET", path));
    for _ in 0..count.div_ceil(SELDOM) {
        for timed in &mut large {
            let path = timed.path;
            timed.note(hall, path, None)?;
            hall.clients.turn(Duration::ZERO)?;
        }
    }
    rows.extend(large.iter().map(|timed| timed.calls.row()));
    Ok(rows)
}

/// Those with small answers, while another client asks for the state of the node again and again.
///
/// # Errors
/// The node refuses one.
pub fn beside_state(hall: &mut Hall<'_>, count: u32) -> Result<Vec<CallRow>> {
    let (other, over) = (hall.client()?, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                other.request("GET", "/v0/state", None)?;
            }
            Ok(())
        });
        let rows = quick(hall, count);
        over.store(true, Ordering::Relaxed);
        let asked = asking.join().ok().context("the other client panicked")?;
        asked.and(rows)
    })
}

fn quick(hall: &mut Hall<'_>, count: u32) -> Result<Vec<CallRow>> {
    let newcomer = hall.newcomer()?;
    let mut join = Timed::new("POST", "/v0/sessions");
    let mut leave = Timed::new("DELETE", "/v0/sessions/{id}");
    let mut look = Timed::new("GET", "/v0/sessions/{id}");
    let mut wish = Timed::new("POST", "/v0/sessions/{id}/subscriptions");
    let mut pause = Timed::new("POST", "/v0/sessions/{id}/subscriptions/{line}/pause");
    let mut resume = Timed::new("POST", "/v0/sessions/{id}/subscriptions/{line}/resume");
    let mut end = Timed::new("DELETE", "/v0/sessions/{id}/subscriptions/{line}");
    let mut show_room = Timed::new("GET", "/v0/rooms/{room}");
    let mut list_rooms = Timed::new("GET", "/v0/rooms");
    let mut node = Timed::new("GET", "/v0/node");
    let people = hall.subscribers.clone();
    let room = format!("/v0/rooms/{}", room(0));
    let video = hall.videos.first().context("no video")?.clone();
    let body = Hall::wish(&video, "0")?;
    for (_, person) in (0..count).zip(people.iter().cycle()) {
        let made = join.note(hall, "/v0/sessions", Some(&newcomer))?;
        let session = format!("/v0/sessions/{}", id_of(&made)?);
        let lines = format!("{session}/subscriptions");
        let made = wish.note(hall, &lines, Some(&body))?;
        let line = format!("{lines}/{}", id_of(&made)?);
        pause.note(hall, &format!("{line}/pause"), None)?;
        resume.note(hall, &format!("{line}/resume"), None)?;
        end.note(hall, &line, None)?;
        leave.note(hall, &session, None)?;
        look.note(hall, &format!("/v0/sessions/{}", person.id), None)?;
        show_room.note(hall, &room, None)?;
        list_rooms.note(hall, "/v0/rooms", None)?;
        node.note(hall, "/v0/node", None)?;
        hall.clients.turn(Duration::ZERO)?;
    }
    let all = [
        join, leave, look, wish, pause, resume, end, show_room, list_rooms, node,
    ];
    Ok(all.iter().map(|timed| timed.calls.row()).collect())
}

/// Calls of one kind.
struct Timed {
    method: &'static str,
    path: &'static str,
    calls: Calls,
}

impl Timed {
    const fn new(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            calls: Calls::new(method, path),
        }
    }

    fn note(&mut self, hall: &Hall<'_>, path: &str, body: Option<&str>) -> Result<String> {
        let called = hall.call(self.method, path, body)?;
        self.calls.note(called.took, called.body.len());
        Ok(called.body)
    }
}

fn id_of(body: &str) -> Result<String> {
    let value: Value = serde_json::from_str(body)?;
    let id = value["id"].as_str().context("an answer without an id")?;
    Ok(id.to_owned())
}
