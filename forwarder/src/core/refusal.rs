//! Why a command was not carried out: which field, what it held, and what it may hold.

use std::fmt;

use super::ops::TableError;

/// What is wrong, as far as the caller has to do something else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The value itself cannot be.
    Invalid,
    /// Nothing has this id.
    Unknown,
    /// There is one already.
    Duplicate,
    /// The value is right by itself, but not together with what it refers to.
    Conflict,
    /// The caller may not do this.
    Forbidden,
    /// A limit of the caller's or of the room's is reached.
    Limited,
    /// What the caller refers to has changed since.
    Stale,
    /// No room.
    Full,
    /// The system refused a change; nothing of it remains.
    Failed,
}

/// A refused command. Nothing of it was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub kind: RefusalKind,
    /// The field at fault, by the name it has in the API.
    pub field: &'static str,
    /// What the field held.
    pub value: String,
    /// What it may hold, or what to do.
    pub allowed: String,
}

impl Refusal {
    fn new(
        kind: RefusalKind,
        field: &'static str,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// A value that cannot be.
    #[must_use]
    pub fn invalid(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, field, value, allowed)
    }

    /// An id that nothing has.
    #[must_use]
    pub fn unknown(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Unknown, field, value, allowed)
    }

    /// Something that is there already.
    #[must_use]
    pub fn duplicate(
        field: &'static str,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::new(RefusalKind::Duplicate, field, value, allowed)
    }

    /// A value that contradicts another.
    #[must_use]
    pub fn conflict(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, field, value, allowed)
    }

    /// Something that the caller may not do.
    #[must_use]
    pub fn forbidden(
        field: &'static str,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::new(RefusalKind::Forbidden, field, value, allowed)
    }

    /// A limit that is reached.
    #[must_use]
    pub fn limited(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Limited, field, value, allowed)
    }

    /// Something that has changed since.
    #[must_use]
    pub fn stale(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Stale, field, value, allowed)
    }

    /// No room.
    #[must_use]
    pub fn full(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Full, field, value, allowed)
    }

    /// The system refused.
    #[must_use]
    pub fn failed(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::new(RefusalKind::Failed, field, value, allowed)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            field,
            value,
            allowed,
        } = self;
        match kind {
            RefusalKind::Invalid => write!(f, "{field} cannot be {value}; allowed: {allowed}"),
            RefusalKind::Unknown => write!(f, "{field} {value} does not exist; allowed: {allowed}"),
            RefusalKind::Duplicate => write!(f, "{field} {value} is taken; allowed: {allowed}"),
            RefusalKind::Conflict => write!(f, "{field} {value} does not fit; allowed: {allowed}"),
            RefusalKind::Forbidden => write!(f, "{field} may not be {value}; allowed: {allowed}"),
            RefusalKind::Limited => {
                write!(f, "{field} is at its limit, {value}; allowed: {allowed}")
            }
            RefusalKind::Stale => write!(f, "{field} {value} is not current; allowed: {allowed}"),
            RefusalKind::Full => write!(f, "no room for {field} {value}; allowed: {allowed}"),
            RefusalKind::Failed => write!(f, "{field} failed: {value}; {allowed}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Full { table, allowed } => Self::full(
                table,
                "one more entry",
                format!("at most {allowed} entries; delete something first"),
            ),
            TableError::Failed { table, why } => Self::failed(
                table,
                why,
                "nothing was changed; try again, and see the log of the forwarder",
            ),
        }
    }
}
