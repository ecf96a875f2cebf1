//! The header extensions of a session. All m-lines of a bundle share one space of ids (RFC 8843 §9.2), so an id stands for
//! one extension everywhere in a session, also for one that we do not know: else the bytes of a stranger would be read as
//! a MID.

use crate::{
    core::refusal::Refusal,
    media::{Extension, ExtensionIds},
};

/// Header extensions that one m-line can name.
pub const MAX_EXTENSIONS: usize = 32;

/// Longest URI of a header extension, in bytes.
pub const MAX_URI: usize = 256;

/// A header extension of an m-line: what `a=extmap` says of it (RFC 8285 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionSpec {
    /// What it is.
    pub uri: String,
    /// The id of its elements.
    pub id: u8,
}

#[derive(Debug)]
struct Entry {
    id: u8,
    uri: Box<str>,
    /// The m-lines that name it.
    uses: u16,
}

/// What ids stand for in one session.
#[derive(Debug, Default)]
pub struct ExtensionTable {
    entries: Vec<Entry>,
}

/// The ids that one m-line uses.
pub type Used = Box<[u8]>;

impl ExtensionTable {
    /// Takes in the extensions of one more m-line.
    ///
    /// # Errors
    /// A [`Refusal`] where an id or an extension would be ambiguous in the session; nothing was taken in.
    pub fn add(&mut self, specs: &[ExtensionSpec]) -> Result<Used, Refusal> {
        self.check(specs)?;
        for spec in specs {
            match self.entries.iter_mut().find(|entry| entry.id == spec.id) {
                Some(entry) => entry.uses = entry.uses.saturating_add(1),
                None => self.entries.push(Entry {
                    id: spec.id,
                    uri: spec.uri.as_str().into(),
                    uses: 1,
                }),
            }
        }
        Ok(specs.iter().map(|spec| spec.id).collect())
    }

    /// Gives back what one m-line used.
    pub fn remove(&mut self, used: &[u8]) {
        for entry in &mut self.entries {
            if used.contains(&entry.id) {
                entry.uses = entry.uses.saturating_sub(1);
            }
        }
        self.entries.retain(|entry| entry.uses > 0);
    }

    /// The ids of the extensions that we know.
    pub fn ids(&self) -> ExtensionIds {
        let mut ids = ExtensionIds::new();
        for entry in &self.entries {
            if let Some(extension) = Extension::from_uri(&entry.uri) {
                // `check` refused whatever this could refuse.
                let _ = ids.insert(entry.id, extension);
            }
        }
        ids
    }

    /// The same, as far as one m-line named them.
    pub fn ids_of(&self, used: &[u8]) -> ExtensionIds {
        let all = self.ids();
        let mut ids = ExtensionIds::new();
        for id in used {
            if let Some(extension) = all.extension(*id) {
                let _ = ids.insert(*id, extension);
            }
        }
        ids
    }

    /// Whether the extensions of one more m-line could be taken in.
    ///
    /// # Errors
    /// As of [`Self::add`].
    pub fn check(&self, specs: &[ExtensionSpec]) -> Result<(), Refusal> {
        if specs.len() > MAX_EXTENSIONS {
            return Err(Refusal::invalid(
                "header_extensions",
                format!("{} of them", specs.len()),
                format!("at most {MAX_EXTENSIONS}"),
            ));
        }
        for (at, spec) in specs.iter().enumerate() {
            if matches!(spec.id, 0 | 15) {
                return Err(Refusal::invalid(
                    "header_extensions.id",
                    spec.id,
                    "1 to 14 or 16 to 255; 0 is padding and 15 reserved (RFC 8285)",
                ));
            }
            if spec.uri.is_empty() || spec.uri.len() > MAX_URI {
                return Err(Refusal::invalid(
                    "header_extensions.uri",
                    format!("{} bytes", spec.uri.len()),
                    format!("a URI of 1 to {MAX_URI} bytes"),
                ));
            }
            let before = specs.iter().take(at);
            if before.clone().any(|other| other.id == spec.id) {
                return Err(Refusal::duplicate(
                    "header_extensions.id",
                    spec.id,
                    "each id once in an m-line",
                ));
            }
            if before.clone().any(|other| other.uri == spec.uri) {
                return Err(Refusal::duplicate(
                    "header_extensions.uri",
                    &spec.uri,
                    "each extension once in an m-line",
                ));
            }
            for entry in &self.entries {
                if (entry.id == spec.id) != (*entry.uri == *spec.uri) {
                    return Err(Refusal::conflict(
                        "header_extensions.id",
                        format!("{} for {}", spec.id, spec.uri),
                        format!(
                            "the same ids in all m-lines of a session (RFC 8843); id {} is {}",
                            entry.id, entry.uri
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(id: u8, uri: &str) -> ExtensionSpec {
        ExtensionSpec {
            uri: uri.to_owned(),
            id,
        }
    }

    #[test]
    fn m_lines_share_ids_and_give_them_back() {
        let mid = Extension::Mid.uri();
        let mut table = ExtensionTable::default();
        let first = table.add(&[spec(4, mid), spec(9, "urn:x")]).unwrap();
        let second = table.add(&[spec(4, mid)]).unwrap();
        assert_eq!(table.ids().id(Extension::Mid), Some(4));
        assert_eq!(table.ids_of(&second).id(Extension::Mid), Some(4));
        assert_eq!(table.ids_of(&[9]).id(Extension::Mid), None);
        let conflicts = [
            spec(5, mid),
            spec(4, "urn:y"),
            spec(9, "urn:y"),
            spec(8, "urn:x"),
        ];
        for conflict in conflicts {
            let refusal = table.add(&[spec(6, "urn:z"), conflict]).unwrap_err();
            assert_eq!(refusal.field, "header_extensions.id");
        }
        table.remove(&first);
        assert_eq!(table.ids().id(Extension::Mid), Some(4));
        table.remove(&second);
        assert_eq!(table.ids().id(Extension::Mid), None);
        assert!(table.add(&[spec(5, mid), spec(9, "urn:y")]).is_ok());
    }

    #[test]
    fn impossible_lists_are_refused() {
        let refused = |specs: &[ExtensionSpec]| {
            let mut table = ExtensionTable::default();
            let refusal = table.add(specs).unwrap_err();
            assert!(table.entries.is_empty());
            refusal.field
        };
        assert_eq!(refused(&[spec(0, "urn:x")]), "header_extensions.id");
        assert_eq!(refused(&[spec(15, "urn:x")]), "header_extensions.id");
        assert_eq!(refused(&[spec(1, "")]), "header_extensions.uri");
        let twice = [spec(1, "urn:x"), spec(1, "urn:y")];
        assert_eq!(refused(&twice), "header_extensions.id");
        let twice = [spec(1, "urn:x"), spec(2, "urn:x")];
        assert_eq!(refused(&twice), "header_extensions.uri");
        let many: Vec<_> = (16..60).map(|id| spec(id, &format!("urn:{id}"))).collect();
        assert_eq!(refused(&many), "header_extensions");
    }
}
