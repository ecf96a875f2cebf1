//! The events of the node: a bounded ring, each event written as JSON once, for however many listen.
//!
//! An event has a number, one more than the one before it. A listener that says which it saw last goes on from there; one that
//! comes back too late, or reads too slowly, is told that it has missed some, by an event of type `reset`. How far back it can go is
//! bounded by whom it listens for: names of rooms are used again, by others.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use futures::{Stream, stream};
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    rooms::{self, What, ids::RoomId},
    sessions::ids::SessionId,
};

/// Events that are kept for those who come back.
const KEPT: usize = 8192;
/// Bytes of JSON that are kept of them: offers of ours are long.
const KEPT_BYTES: usize = 16 << 20;
/// The type of event with which a session ends.
const CLOSED: &str = What::SessionClosed { reason: "" }.name();
/// Events that a listener takes at a time.
const BATCH: usize = 64;

/// An event, ready to be sent.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// Its type, such as `track.published`.
    pub name: &'static str,
    /// It as a JSON object with `id`, `time` (RFC 3339, UTC), `type` and what belongs to the type.
    pub json: Arc<str>,
    room: Option<RoomId>,
    session: Option<SessionId>,
    private: bool,
    personal: bool,
}

impl Entry {
    /// Whether everybody in the room may know.
    const fn is_shared(&self) -> bool {
        !self.private && !self.personal
    }
}

/// Which events a listener gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All but those that are for one session only.
    All,
    /// Those of a room, of which the same holds.
    Room(RoomId),
    /// What one session may see: its own, offers included, and those of its room.
    Session(SessionId, Option<RoomId>),
}

impl Filter {
    fn lets(&self, entry: &Entry) -> bool {
        match self {
            Self::All => !entry.private,
            Self::Room(room) => entry.is_shared() && entry.room.as_ref() == Some(room),
            Self::Session(session, room) => {
                let shared = room.is_some() && entry.room == *room && entry.is_shared();
                entry.session == Some(*session) || shared
            }
        }
    }
}

/// How far back a listener can go, and when it is at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as events are kept.
    Everything,
    /// To when the room that has this name now was made.
    Room(RoomId),
    /// To when this session joined. It ends with the session.
    Session(SessionId),
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    time: String,
    #[serde(flatten)]
    event: &'a rooms::Event,
}

#[derive(Serialize)]
struct Reset {
    id: String,
    r#type: &'static str,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    last: u64,
    /// Of JSON in `entries`.
    bytes: usize,
    /// The numbers by which rooms and sessions that are there were told of.
    rooms: HashMap<RoomId, u64>,
    sessions: HashMap<SessionId, u64>,
}

impl Ring {
    /// Adds the next event, and forgets the oldest as far as they are too many or too long together.
    fn push(&mut self, entry: Entry, kept: usize) {
        self.last = entry.id;
        self.bytes += entry.json.len();
        self.entries.push_back(Arc::new(entry));
        while (self.entries.len() > kept || self.bytes > KEPT_BYTES)
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.json.len();
        }
    }

    /// Notes who comes and goes.
    fn note(&mut self, id: u64, event: &rooms::Event) {
        match (&event.what, &event.room, event.session) {
            (What::RoomCreated, Some(room), _) => {
                self.rooms.insert(room.clone(), id);
            }
            (What::RoomClosed, Some(room), _) => {
                self.rooms.remove(room);
            }
            (What::SessionJoined { .. }, _, Some(session)) => {
                self.sessions.insert(session, id);
            }
            (What::SessionClosed { .. }, _, Some(session)) => {
                self.sessions.remove(&session);
            }
            _ => {}
        }
    }

    /// The event before the first that is within reach, and the last one where nothing is.
    fn horizon(&self, reach: &Reach) -> u64 {
        let begun = match reach {
            Reach::Everything => return 0,
            Reach::Room(room) => self.rooms.get(room),
            Reach::Session(session) => self.sessions.get(session),
        };
        begun.map_or(self.last, |begun| begun - 1)
    }

    /// Whether a session that someone listens for has ended.
    fn is_over(&self, reach: &Reach) -> bool {
        matches!(reach, Reach::Session(session) if !self.sessions.contains_key(session))
    }

    /// The next events after `after` that a filter lets through, and how far the ring was searched; `None` if some after `after` are
    /// not kept any more.
    fn after(&self, after: u64, filter: &Filter) -> Option<(Vec<Arc<Entry>>, u64)> {
        let oldest = self.entries.front().map_or(self.last + 1, |entry| entry.id);
        // A number that was not given yet is of a former run of the node.
        if after > self.last || after + 1 < oldest {
            return None;
        }
        let skip = usize::try_from(after + 1 - oldest).unwrap_or(usize::MAX);
        let mut seen = after;
        let mut found = Vec::new();
        for entry in self.entries.iter().skip(skip) {
            seen = entry.id;
            if filter.lets(entry) {
                found.push(Arc::clone(entry));
                if found.len() == BATCH {
                    break;
                }
            }
        }
        Some((found, seen))
    }
}

/// The events of a node.
#[derive(Clone, Debug)]
pub struct EventLog {
    ring: Arc<Mutex<Ring>>,
    kept: usize,
    /// The number of the last event.
    told: Arc<watch::Sender<u64>>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl EventLog {
    fn keeping(kept: usize) -> Self {
        Self {
            ring: Arc::default(),
            kept,
            told: Arc::new(watch::Sender::new(0)),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing that holds it can panic half way.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event.
    pub(super) fn push(&self, event: &rooms::Event) {
        let mut ring = self.ring();
        let id = ring.last + 1;
        let document = Document {
            id: id.to_string(),
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            event,
        };
        let json = match serde_json::to_string(&document) {
            Ok(json) => json,
            Err(error) => {
                log::error!("an event cannot be written: {error}");
                return;
            }
        };
        let entry = Entry {
            id,
            name: event.what.name(),
            json: json.into(),
            room: event.room.clone(),
            session: event.session,
            private: event.is_private(),
            personal: event.is_personal(),
        };
        ring.note(id, event);
        ring.push(entry, self.kept);
        drop(ring);
        self.told.send_replace(id);
    }

    /// The number of the last event; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.ring().last
    }

    /// The events from now on, or those after `after` that are within reach. Ends with that, or with the log. Where some were missed, an
    /// event of type `reset` comes first: whoever gets it reads the state anew. Cancel safe.
    pub fn subscribe(
        &self,
        after: Option<u64>,
        filter: Filter,
        reach: Reach,
    ) -> impl Stream<Item = Arc<Entry>> + Send + use<> {
        let told = self.told.subscribe();
        let ring = self.ring();
        let seen = after.map_or(ring.last, |after| after.max(ring.horizon(&reach)));
        drop(ring);
        let listener = Listener {
            ring: Arc::clone(&self.ring),
            seen,
            told,
            filter,
            reach,
            over: false,
            waiting: VecDeque::new(),
        };
        stream::unfold(listener, |mut listener| async move {
            let entry = listener.next().await?;
            Some((entry, listener))
        })
    }
}

struct Listener {
    ring: Arc<Mutex<Ring>>,
    told: watch::Receiver<u64>,
    filter: Filter,
    reach: Reach,
    /// Whether nothing comes after what waits.
    over: bool,
    seen: u64,
    waiting: VecDeque<Arc<Entry>>,
}

impl Listener {
    async fn next(&mut self) -> Option<Arc<Entry>> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(entry);
            }
            if self.over {
                return None;
            }
            // Before the ring is read: what is told from now on wakes again.
            self.told.mark_unchanged();
            let seen = self.seen;
            self.take();
            if self.waiting.is_empty() && self.seen == seen && !self.over {
                self.told.changed().await.ok()?;
            }
        }
    }

    fn take(&mut self) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        match ring.after(self.seen, &self.filter) {
            Some((found, seen)) => {
                self.seen = seen;
                let own = |entry: &&Arc<Entry>| match self.reach {
                    Reach::Session(session) => {
                        entry.session == Some(session) && entry.name == CLOSED
                    }
                    Reach::Everything | Reach::Room(_) => false,
                };
                // What comes after its end may be of a room that has no more than the name in common.
                let end = found.iter().position(|entry| own(&entry));
                let within = end.map_or(found.len(), |end| end + 1);
                self.over = end.is_some() || (found.is_empty() && ring.is_over(&self.reach));
                self.waiting.extend(found.into_iter().take(within));
            }
            None => {
                self.seen = ring.last;
                self.over = ring.is_over(&self.reach);
                self.waiting.extend(reset(ring.last));
            }
        }
    }
}

/// What a listener is told that has missed events; its number is that of the last one, to go on from.
fn reset(last: u64) -> Option<Arc<Entry>> {
    let name = "reset";
    let json = serde_json::to_string(&Reset {
        id: last.to_string(),
        r#type: name,
    });
    Some(Arc::new(Entry {
        id: last,
        name,
        json: json.ok()?.into(),
        room: None,
        session: None,
        private: false,
        personal: false,
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt;

    use super::*;
    use crate::rooms::What;

    #[test]
    fn listeners_are_told_the_true_numbers() {
        let document = include_str!("../../../docs/signalling.md");
        let told = format!(
            "the last {KEPT} events, or the last {} MiB of them",
            KEPT_BYTES >> 20
        );
        assert!(document.contains(&told), "{told}");
    }

    fn event(session: u64, room: &str, what: What) -> rooms::Event {
        rooms::Event {
            what,
            room: Some(RoomId::new(room).unwrap()),
            session: session.to_string().parse().ok(),
        }
    }

    fn consent(session: u64, room: &str) -> rooms::Event {
        event(session, room, What::ConsentLost)
    }

    async fn next(
        stream: &mut (impl Stream<Item = Arc<Entry>> + Unpin),
    ) -> Option<(u64, &'static str)> {
        let next = tokio::time::timeout(Duration::from_millis(20), stream.next());
        next.await
            .ok()
            .flatten()
            .map(|entry| (entry.id, entry.name))
    }

    #[tokio::test]
    async fn listeners_get_what_their_filter_lets_through() {
        let log = EventLog::keeping(100);
        let room = |name| RoomId::new(name).unwrap();
        let mut all = Box::pin(log.subscribe(None, Filter::All, Reach::Everything));
        let mut of_room = Box::pin(log.subscribe(None, Filter::Room(room("a")), Reach::Everything));
        let own = Filter::Session("1".parse().unwrap(), Some(room("a")));
        let mut own = Box::pin(log.subscribe(None, own, Reach::Everything));
        assert_eq!(next(&mut all).await, None);
        let offer = |to| {
            event(
                to,
                "a",
                What::Offer {
                    sdp: "v=0".into(),
                    version: 1,
                },
            )
        };
        for event in [
            consent(1, "a"),
            consent(2, "b"),
            offer(1),
            offer(2),
            consent(2, "a"),
        ] {
            log.push(&event);
        }
        let lost = "session.consent_lost";
        for expected in [(1, lost), (2, lost), (5, lost)] {
            assert_eq!(next(&mut all).await, Some(expected));
        }
        for expected in [(1, lost), (5, lost)] {
            assert_eq!(next(&mut of_room).await, Some(expected));
        }
        for expected in [(1, lost), (3, "offer"), (5, lost)] {
            assert_eq!(next(&mut own).await, Some(expected));
        }
        assert_eq!((next(&mut all).await, next(&mut own).await), (None, None));
    }

    #[tokio::test]
    async fn a_listener_goes_on_from_what_it_saw_last_or_is_told_to_begin_anew() {
        let log = EventLog::keeping(10);
        for _ in 0..25 {
            log.push(&consent(1, "a"));
        }
        let lost = "session.consent_lost";
        // 16 to 25 are kept.
        let mut back = Box::pin(log.subscribe(Some(15), Filter::All, Reach::Everything));
        assert_eq!(next(&mut back).await, Some((16, lost)));
        for after in [14, 0, 26] {
            let mut late = Box::pin(log.subscribe(Some(after), Filter::All, Reach::Everything));
            assert_eq!(next(&mut late).await, Some((25, "reset")), "{after}");
            log.push(&consent(1, "a"));
            // The ring moved on by one each time.
            assert_eq!(next(&mut late).await.map(|(_, name)| name), Some(lost));
            if after == 14 {
                break;
            }
        }
        // One that does not read in time has missed some, too.
        for _ in 0..30 {
            log.push(&consent(1, "a"));
        }
        let mut rest = Vec::new();
        while let Some((id, name)) = next(&mut back).await {
            rest.push((id, name));
        }
        assert_eq!(rest.first(), Some(&(17, lost)));
        assert!(rest.contains(&(log.last(), "reset")));
    }

    #[tokio::test]
    async fn long_events_are_kept_up_to_a_size() {
        let log = EventLog::keeping(100);
        let sdp = "x".repeat(KEPT_BYTES / 4);
        for version in 0..10 {
            let sdp = sdp.clone();
            log.push(&event(1, "a", What::Offer { sdp, version }));
        }
        let own = || Filter::Session("1".parse().unwrap(), None);
        let mut kept = Box::pin(log.subscribe(Some(7), own(), Reach::Everything));
        assert_eq!(next(&mut kept).await, Some((8, "offer")));
        let mut late = Box::pin(log.subscribe(Some(6), own(), Reach::Everything));
        assert_eq!(next(&mut late).await, Some((10, "reset")));
        assert!(log.ring().bytes <= KEPT_BYTES);
    }

    #[tokio::test]
    async fn nobody_goes_back_further_than_they_may() {
        let log = EventLog::keeping(100);
        let joined = |session| event(session, "a", What::SessionJoined { name: None });
        let closed = |session| event(session, "a", What::SessionClosed { reason: "asked" });
        let room = RoomId::new("a").unwrap();
        // Of a former room with this name, 1 to 4.
        for event in [
            event(0, "a", What::RoomCreated),
            joined(1),
            closed(1),
            event(0, "a", What::RoomClosed),
        ] {
            log.push(&event);
        }
        let of_room = |after, reach| {
            let filter = Filter::Room(room.clone());
            Box::pin(log.subscribe(Some(after), filter, reach))
        };
        let mut early = of_room(0, Reach::Room(room.clone()));
        for event in [
            event(0, "a", What::RoomCreated),
            joined(2),
            consent(2, "a"),
            joined(3),
        ] {
            log.push(&event);
        }
        let mut late = of_room(1, Reach::Room(room.clone()));
        let session = |number: u64| number.to_string().parse().unwrap();
        let mut key = of_room(1, Reach::Session(session(3)));
        let eyes = Filter::Session(session(3), Some(room.clone()));
        let mut eyes = Box::pin(log.subscribe(Some(2), eyes, Reach::Session(session(3))));
        let mut gone = of_room(1, Reach::Session(session(1)));
        let mut operator = of_room(1, Reach::Everything);
        assert_eq!(next(&mut early).await, Some((5, "room.created")));
        assert_eq!(next(&mut late).await, Some((5, "room.created")));
        assert_eq!(next(&mut key).await, Some((8, "session.joined")));
        assert_eq!(next(&mut eyes).await, Some((8, "session.joined")));
        assert_eq!(next(&mut operator).await, Some((2, "session.joined")));
        assert!(gone.next().await.is_none());
        // With its end a session hears no more, whoever has the room then.
        for event in [closed(2), closed(3), event(0, "a", What::RoomClosed)] {
            log.push(&event);
        }
        log.push(&event(0, "a", What::RoomCreated));
        for stream in [&mut key, &mut eyes] {
            assert_eq!(next(stream).await, Some((9, "session.closed")));
            assert_eq!(next(stream).await, Some((10, "session.closed")));
            assert!(stream.next().await.is_none());
        }
        for id in [6, 7, 8, 9, 10, 11, 12] {
            assert_eq!(next(&mut late).await.map(|(told, _)| told), Some(id));
        }
    }

    #[tokio::test]
    async fn more_events_than_a_batch_come_in_their_order() {
        let log = EventLog::keeping(1000);
        let mut stream = Box::pin(log.subscribe(None, Filter::All, Reach::Everything));
        for _ in 0..500 {
            log.push(&consent(1, "a"));
        }
        for id in 1..=500 {
            assert_eq!(next(&mut stream).await.map(|(id, _)| id), Some(id));
        }
        let entry = log.ring().entries.back().cloned().unwrap();
        let json: serde_json::Value = serde_json::from_str(&entry.json).unwrap();
        assert_eq!((&json["id"], &json["room"]), (&"500".into(), &"a".into()));
        assert!(json["time"].as_str().unwrap().ends_with('Z'));
    }
}
