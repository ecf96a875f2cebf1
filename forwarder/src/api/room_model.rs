//! What callers ask for and are told about rooms and wishes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{INVALID, Problem},
    line_model::kind,
    line_requests::MediaKind,
    whole::Listed,
};
use crate::{
    core::refusal::Refusal,
    node::Node,
    rooms::{
        ids::RoomId,
        specs::RoomSpec,
        views::{Changes, PersonView, RoomView, TrackView, WishesView},
        wishes::{Wanted, Wishes},
    },
    sessions::ids::PublicationId,
};

/// What holds for a room, whole: what is left out is as the node has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoomRequest)]
pub struct RoomRequest {
    /// true or false: whether nobody joins any more
    locked: Option<bool>,
    /// the most sessions at one time, a number from 1 to 4294967295
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    max_sessions: Option<u32>,
    /// the most publications at one time, a number from 0 to 4294967295
    #[schema(maximum = 4_294_967_295_u64)]
    max_tracks: Option<u32>,
    /// the most bits per second that its publications bring together, a number from 1
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    max_bitrate: Option<u64>,
    /// whatever its owner keeps there, at most 1024 bytes of JSON
    metadata: Option<Value>,
}

impl From<RoomRequest> for RoomSpec {
    fn from(request: RoomRequest) -> Self {
        Self {
            locked: request.locked.unwrap_or(false),
            max_sessions: request.max_sessions,
            max_tracks: request.max_tracks,
            max_bitrate: request.max_bitrate,
            metadata: request.metadata,
        }
    }
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Room {
    id: String,
    /// Whether it was declared: then it stays when nobody is in it.
    declared: bool,
    /// Whether nobody joins any more.
    locked: bool,
    max_sessions: u32,
    max_tracks: u32,
    max_bitrate: Option<u64>,
    /// Bits per second that its publications bring now.
    bitrate: u64,
    metadata: Option<Value>,
    /// Who is in it, the longest there first.
    sessions: Vec<Person>,
}

/// A room in the list of all: how many are in it. `GET /v0/rooms/{room}` says who.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomSummary {
    id: String,
    /// Whether it was declared: then it stays when nobody is in it.
    declared: bool,
    /// Whether nobody joins any more.
    locked: bool,
    max_sessions: u32,
    max_tracks: u32,
    max_bitrate: Option<u64>,
    /// Bits per second that its publications bring now.
    bitrate: u64,
    metadata: Option<Value>,
    session_count: usize,
    track_count: usize,
}

/// A session, as the others in its room see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    id: String,
    name: Option<String>,
    metadata: Option<Value>,
    connected: bool,
    publications: Vec<Track>,
}

/// A publication, as the others in its room see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Track {
    id: String,
    kind: &'static str,
    /// Whether the server silences it.
    muted: bool,
    /// Whether someone speaks on it.
    speaking: bool,
}

impl From<RoomView> for Room {
    fn from(view: RoomView) -> Self {
        Self {
            id: view.id.to_string(),
            declared: view.declared,
            locked: view.locked,
            max_sessions: view.max_sessions,
            max_tracks: view.max_tracks,
            max_bitrate: view.max_bitrate,
            bitrate: view.bitrate,
            metadata: view.metadata,
            sessions: view.sessions.into_iter().map(Person::from).collect(),
        }
    }
}

impl Listed for RoomSummary {
    type Id = RoomId;

    fn ids(node: &Node) -> Vec<Self::Id> {
        node.rooms().cloned().collect()
    }

    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal> {
        let view = node.room_summary(id)?;
        Ok(Self {
            id: view.id.to_string(),
            declared: view.declared,
            locked: view.locked,
            max_sessions: view.max_sessions,
            max_tracks: view.max_tracks,
            max_bitrate: view.max_bitrate,
            bitrate: view.bitrate,
            metadata: view.metadata,
            session_count: view.session_count,
            track_count: view.track_count,
        })
    }
}

impl From<PersonView> for Person {
    fn from(view: PersonView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name,
            metadata: view.metadata,
            connected: view.connected,
            publications: view.publications.iter().map(Track::from).collect(),
        }
    }
}

impl From<&TrackView> for Track {
    fn from(view: &TrackView) -> Self {
        Self {
            id: view.id.to_string(),
            kind: kind(view.kind),
            muted: view.muted,
            speaking: view.speaking,
        }
    }
}

/// What a session wants to receive, whole.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Wishes)]
pub struct WishesDocument {
    publications: Option<Publications>,
    /// but not these: a list of ids of publications, such as ["13"]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1024)]
    except: Vec<String>,
    /// a list of "audio" and "video"; both, unless said
    #[schema(max_items = 2)]
    kinds: Option<Vec<MediaKind>>,
    /// subscribed to, with nothing sent for now: a list of ids of publications, such as ["12"]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1024)]
    paused: Vec<String>,
}

/// "all", "none", {"session": "7"} for all of one session, or a list of ids of publications, such as ["12", "15"]
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = WantedPublications)]
pub enum Publications {
    Word(Word),
    These(Vec<String>),
    Of(OfSession),
}

/// "all" or "none"
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AllOrNone)]
pub enum Word {
    All,
    None,
}

/// all publications of one session
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfSession {
    /// the id of a session, such as "7"
    session: String,
}

fn ids(field: &'static str, list: &[String]) -> Result<BTreeSet<PublicationId>, Problem> {
    let id = |text: &String| {
        text.parse().map_err(|_| {
            let allowed = "a list of ids of publications, such as [\"12\"]";
            Problem::new(&INVALID, field, &**text, allowed)
        })
    };
    list.iter().map(id).collect()
}

impl WishesDocument {
    /// In the terms of rooms.
    pub fn wishes(&self) -> Result<Wishes, Problem> {
        let publications = match &self.publications {
            None | Some(Publications::Word(Word::All)) => Wanted::All,
            Some(Publications::Word(Word::None)) => Wanted::None,
            Some(Publications::These(list)) => Wanted::These(ids("publications", list)?),
            Some(Publications::Of(OfSession { session })) => {
                let id = session.parse().map_err(|_| {
                    let allowed = "the id of a session, such as \"7\"";
                    Problem::new(&INVALID, "publications.session", &**session, allowed)
                });
                Wanted::Session(id?)
            }
        };
        let wants = |kind: MediaKind| {
            let kinds = self.kinds.as_ref();
            kinds.is_none_or(|kinds| kinds.contains(&kind))
        };
        Ok(Wishes {
            publications,
            except: ids("except", &self.except)?,
            audio: wants(MediaKind::Audio),
            video: wants(MediaKind::Video),
            paused: ids("paused", &self.paused)?,
        })
    }
}

impl From<&Wishes> for WishesDocument {
    fn from(wishes: &Wishes) -> Self {
        let publications = match &wishes.publications {
            Wanted::All => Publications::Word(Word::All),
            Wanted::None => Publications::Word(Word::None),
            Wanted::Session(session) => Publications::Of(OfSession {
                session: session.to_string(),
            }),
            Wanted::These(these) => Publications::These(texts(these)),
        };
        let kinds = [
            (wishes.audio, MediaKind::Audio),
            (wishes.video, MediaKind::Video),
        ];
        let kinds = kinds.into_iter().filter(|(wanted, _)| *wanted);
        Self {
            publications: Some(publications),
            except: texts(&wishes.except),
            kinds: Some(kinds.map(|(_, kind)| kind).collect()),
            paused: texts(&wishes.paused),
        }
    }
}

fn texts<'a>(ids: impl IntoIterator<Item = &'a PublicationId>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

/// What a session wants, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishesState {
    wishes: WishesDocument,
    /// What of that it is subscribed to.
    subscribed: Vec<Subscribed>,
    /// Publications that wait for an m-line.
    waiting: Vec<String>,
    /// Publications that its peer cannot take: no codec in common, or it said so.
    declined: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Subscribed {
    publication: String,
    subscription: String,
}

impl From<&WishesView> for WishesState {
    fn from(view: &WishesView) -> Self {
        let subscribed = view.subscribed.iter();
        Self {
            wishes: WishesDocument::from(&view.wishes),
            subscribed: subscribed
                .map(|(publication, subscription)| Subscribed {
                    publication: publication.to_string(),
                    subscription: subscription.to_string(),
                })
                .collect(),
            waiting: texts(&view.waiting),
            declined: texts(&view.declined),
        }
    }
}

/// What a document of wishes changes, or would: ids of publications.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishesChanges {
    /// To be sent, some as soon as they have an m-line.
    start: Vec<String>,
    /// Sent no longer.
    stop: Vec<String>,
    /// Nothing of them is sent for now.
    pause: Vec<String>,
    /// Sent again.
    resume: Vec<String>,
}

impl From<Changes> for WishesChanges {
    fn from(changes: Changes) -> Self {
        Self {
            start: texts(&changes.start),
            stop: texts(&changes.stop),
            pause: texts(&changes.pause),
            resume: texts(&changes.resume),
        }
    }
}
