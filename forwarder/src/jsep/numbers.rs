//! The payload types and extension ids of offers of ours: those that the session has already, and else free ones. All lines
//! of a bundle share both spaces (RFC 9143 §9.1, §9.2).

use super::{
    codecs,
    line::{Line, Numbers},
};
use crate::{
    media::{Extension, Kind},
    sdp::{Direction, Extmap, Format},
    sessions::{
        codec::{CodecSpec, MAX_CODECS},
        extensions::ExtensionSpec,
        formats,
    },
};

/// Ids that fit the one-byte form of header extensions (RFC 8285 §4.2).
const IDS: std::ops::RangeInclusive<u8> = 1..=14;

/// What header extensions were called in a session so far. An id stays with its extension as long as the session lasts: Chromium
/// refuses an offer that gives it to another one, also where the line that had it has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// A bit for each id, as in [`Numbers`].
    ids: u16,
    /// Of those that we know, one id each.
    extensions: Vec<ExtensionSpec>,
}

impl Given {
    /// Remembers what these lines name.
    pub fn remember(&mut self, lines: &[Line]) {
        for line in lines {
            let own = Numbers::of(&line.codecs, &line.extensions);
            self.ids |= own.and(line.numbers).extensions;
            for map in &line.extensions {
                if self.id(&map.spec.uri).is_none() {
                    self.extensions.push(map.spec.clone());
                }
            }
        }
    }

    fn id(&self, uri: &str) -> Option<u8> {
        let mut all = self.extensions.iter();
        all.find(|known| known.uri == uri).map(|known| known.id)
    }
}

/// The numbers of a session.
pub(super) struct SessionNumbers<'a> {
    lines: &'a [Line],
    used: Numbers,
    given: &'a Given,
}

impl<'a> SessionNumbers<'a> {
    pub fn new(lines: &'a [Line], given: &'a Given) -> Self {
        let mut used = Numbers::default();
        for line in lines.iter().filter(|line| line.is_open) {
            let own = Numbers::of(&line.codecs, &line.extensions);
            used = used.and(line.numbers).and(own);
        }
        Self { lines, used, given }
    }

    /// The codecs of a new line: those of `published` that we know, or all.
    pub fn codecs(&self, kind: Kind, published: &[CodecSpec]) -> Vec<Format> {
        let mut listed = published.to_vec();
        listed.extend(published.iter().filter_map(formats::in_predictive));
        if published.is_empty() {
            listed = codecs::all(kind);
        }
        let mut used = self.used.payload_types;
        let mut offered: Vec<Format> = Vec::new();
        // RED last, since it names the others by their numbers.
        let (redundant, plain): (Vec<_>, Vec<_>) =
            listed.iter().partition(|codec| formats::is_red(codec));
        for codec in plain.into_iter().chain(redundant) {
            let known = codecs::is_known(kind, codec);
            let twice = offered
                .iter()
                .any(|one| formats::is_same_format(&one.codec, codec));
            if !known || twice || offered.len() >= MAX_CODECS {
                continue;
            }
            let format = self.present(kind, codec, &offered);
            offered.extend(format.or_else(|| fresh(kind, codec, &offered, &mut used)));
        }
        codecs::drop_loose_redundancy(&mut offered);
        offered
    }

    /// The format as another line of the session has it.
    fn present(&self, kind: Kind, codec: &CodecSpec, offered: &[Format]) -> Option<Format> {
        let lines = self.lines.iter();
        let open = lines.filter(|line| line.is_open && line.kind == Some(kind));
        let mut same = open
            .flat_map(|line| &line.codecs)
            .filter(|format| formats::is_same_format(&format.codec, codec))
            .filter(|format| {
                let taken = |one: &Format| one.codec.payload_type == format.codec.payload_type;
                !offered.iter().any(taken)
            });
        let found = same.next()?;
        Some(Format {
            codec: found.codec.clone(),
            feedback: codecs::feedback(kind),
        })
    }

    /// All header extensions that we know for a kind.
    pub fn extensions(&self, kind: Kind) -> Vec<Extmap> {
        let mut used = self.used.extensions;
        let mut maps = Vec::new();
        for extension in Extension::all() {
            let lines = self.lines.iter().filter(|line| line.is_open);
            let mut present = lines.flat_map(|line| &line.extensions);
            let present = present.find(|map| map.spec.uri == extension.uri());
            let id = present.map(|map| map.spec.id);
            if !codecs::takes_extension(kind, extension) {
                continue;
            }
            let is_free = |used: u16, id: u8| id > 14 || used >> id & 1 == 0;
            let before = || {
                let id = self.given.id(extension.uri())?;
                is_free(used, id).then_some(id)
            };
            let new = || IDS.clone().find(|id| is_free(used | self.given.ids, *id));
            // What finds no free id in the one-byte form is left out.
            if let Some(id) = id.or_else(before).or_else(new) {
                used |= if id < 15 { 1 << id } else { 0 };
                maps.push(Extmap {
                    spec: ExtensionSpec {
                        uri: extension.uri().to_owned(),
                        id,
                    },
                    direction: Direction::default(),
                });
            }
        }
        maps
    }
}

/// A format that the session does not have yet: by the number of its publisher if that is free, or by ours, or any other.
fn fresh(kind: Kind, codec: &CodecSpec, offered: &[Format], used: &mut u128) -> Option<Format> {
    let ours = codecs::all(kind);
    let ours = ours.iter().find(|one| formats::is_same_format(one, codec));
    let number = free(
        [Some(codec.payload_type), ours.map(|one| one.payload_type)],
        used,
    )?;
    let rtx = match kind {
        Kind::Audio => None,
        Kind::Video => free(
            [
                codec.rtx_payload_type,
                ours.and_then(|one| one.rtx_payload_type),
            ],
            used,
        ),
    };
    let mut codec = CodecSpec {
        payload_type: number,
        rtx_payload_type: rtx,
        ..codec.clone()
    };
    if formats::is_red(&codec) {
        let inner = offered.first()?.codec.payload_type;
        codec.parameters = Some(format!("{inner}/{inner}"));
    }
    Some(Format {
        codec,
        feedback: codecs::feedback(kind),
    })
}

/// The first free number of these, or of all dynamic ones: RFC 3551 §3 has 96 to 127, and 35 to 63 where those are used up.
fn free(liked: [Option<u8>; 2], used: &mut u128) -> Option<u8> {
    let liked = liked.into_iter().flatten();
    let mut all = liked.chain(96..=127).chain(35..=63);
    let number = all.find(|number| *used >> (number & 127) & 1 == 0)?;
    *used |= 1 << (number & 127);
    Some(number)
}
