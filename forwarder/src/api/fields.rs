//! Reads the fields of a JSON object one by one.
//!
//! serde's derived readers stop at an error that names neither the field nor what is allowed in the caller's terms; here
//! every field says both, and fields that nobody asked for are refused.

use serde_json::{Map, Value};

use super::error::{INVALID, Problem};

/// A JSON object, of which fields are taken.
pub struct Fields {
    /// What stands in front of the names of fields: the names of the objects around, each with a dot.
    within: String,
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
                within: String::new(),
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
                None => Err(Problem::new(&INVALID, self.name(field), value, allowed)),
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
        match self.optional(field, allowed, read)? {
            Some(read) => Ok(read),
            None => Err(Problem::new(
                &INVALID,
                self.name(field),
                Value::Null,
                allowed,
            )),
        }
    }

    /// Takes a field that is an object.
    ///
    /// # Errors
    /// A [`Problem`] where it is missing or something else.
    pub fn object(&mut self, field: &'static str, allowed: &str) -> Result<Self, Problem> {
        let left = self.required(field, allowed, |value| value.as_object().cloned())?;
        Ok(self.inner(field, left))
    }

    /// Takes a field that is an object, may be left out or `null`.
    ///
    /// # Errors
    /// A [`Problem`] where it is something else.
    pub fn optional_object(
        &mut self,
        field: &'static str,
        allowed: &str,
    ) -> Result<Option<Self>, Problem> {
        let left = self.optional(field, allowed, |value| value.as_object().cloned())?;
        Ok(left.map(|left| self.inner(field, left)))
    }

    /// Takes a field that is a list of objects; none where it is left out.
    ///
    /// # Errors
    /// A [`Problem`] where it is something else.
    pub fn objects(&mut self, field: &'static str, allowed: &str) -> Result<Vec<Self>, Problem> {
        let objects = |value: &Value| {
            let entries = value.as_array()?.iter();
            entries.map(|entry| entry.as_object().cloned()).collect()
        };
        let list: Option<Vec<_>> = self.optional(field, allowed, objects)?;
        let list = list.unwrap_or_default().into_iter();
        Ok(list.map(|left| self.inner(field, left)).collect())
    }

    fn inner(&self, field: &str, left: Map<String, Value>) -> Self {
        Self {
            within: format!("{}{field}.", self.within),
            left,
            known: Vec::new(),
        }
    }

    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.within)
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// A [`Problem`] that names a field nobody asked for.
    pub fn finish(self) -> Result<(), Problem> {
        let name = self.left.keys().next().map(|field| self.name(field));
        let Some((name, (_, value))) = name.zip(self.left.into_iter().next()) else {
            return Ok(());
        };
        let known = self.known.join(", ");
        Err(Problem::new(
            &INVALID,
            name,
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

/// A text as it is.
pub fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A text in one of the forms that a type reads.
pub fn text<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
