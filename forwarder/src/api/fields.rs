//! Reads the fields of a JSON object one by one.
//!
//! serde's derived readers stop at an error that names neither the field nor what is allowed in the caller's terms; here
//! every field says both, and fields that nobody asked for are refused.

use serde_json::{Map, Value};

use super::error::{INVALID, Problem};

/// A JSON object, of which fields are taken.
pub struct Fields {
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// A [`Problem`] where it is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(left)) => Ok(Self {
                left,
                known: Vec::new(),
            }),
            Ok(other) => Err(Problem::new(&INVALID, "body", other, "a JSON object")),
            Err(error) => Err(Problem::new(
                &INVALID,
                "body",
                String::from_utf8_lossy(body).into_owned(),
                format!("a JSON object; this is not JSON: {error}"),
            )),
        }
    }

    /// Takes a field that may be left out or `null`.
    ///
    /// # Errors
    /// A [`Problem`] where `read` does not understand it.
    pub fn optional<T>(
        &mut self,
        field: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.known.push(field);
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(&value) {
                Some(read) => Ok(Some(read)),
                None => Err(Problem::new(&INVALID, field, value, allowed)),
            },
        }
    }

    /// Takes a field that has to be there.
    ///
    /// # Errors
    /// A [`Problem`] where it is missing or `read` does not understand it.
    pub fn required<T>(
        &mut self,
        field: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Problem> {
        let missing = || Problem::new(&INVALID, field, Value::Null, allowed);
        self.optional(field, allowed, read)?.ok_or_else(missing)
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// A [`Problem`] that names a field nobody asked for.
    pub fn finish(self) -> Result<(), Problem> {
        let Some((field, value)) = self.left.into_iter().next() else {
            return Ok(());
        };
        let known = self.known.join(", ");
        Err(Problem::new(
            &INVALID,
            field,
            value,
            format!("no such field; the fields are {known}"),
        ))
    }
}

/// A number that fits.
pub fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_u64()?).ok()
}

/// Numbers that fit.
pub fn numbers<T: TryFrom<u64>>(value: &Value) -> Option<Vec<T>> {
    value.as_array()?.iter().map(number).collect()
}

/// A text in one of the forms that a type reads.
pub fn text<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
