//! Reads bodies by the schemas that the API publishes of them, so that what is published is what is enforced.
//!
//! serde's derived readers stop at an error that names neither the field nor what is allowed in the caller's terms. The
//! schema knows both: the descriptions of its fields say what they may hold.

use std::{
    any::TypeId,
    sync::{Arc, LazyLock},
};

use jsonschema::{Validator, error::ValidationErrorKind};
use papaya::HashMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::{INVALID, Problem};

/// How deep schemas refer to others.
const DEEPEST: u32 = 8;
/// What stands in the place of a secret.
const HIDDEN: &str = "(not repeated)";

static READERS: LazyLock<HashMap<TypeId, Arc<Reader>>> = LazyLock::new(HashMap::new);

/// Reads a body.
///
/// # Errors
/// A [`Problem`] that names the first field that is not as the schema says.
pub fn read<T: DeserializeOwned + ToSchema + 'static>(body: &[u8]) -> Result<T, Problem> {
    let value = json(body)?;
    let reader = reader::<T>()?;
    reader.check(&value)?;
    serde_json::from_value(value).map_err(|error| {
        let allowed = format!("what the schema in /v0/openapi.json says; {error}");
        Problem::new(&INVALID, "body", Value::Null, allowed)
    })
}

/// What is not JSON may hold secrets all the same: it is not repeated.
fn json(body: &[u8]) -> Result<Value, Problem> {
    let value = serde_json::from_slice(body).map_err(|error| {
        let given = format!("{} bytes", body.len());
        let allowed = format!("a JSON object; this is not JSON: {error}");
        Problem::new(&INVALID, "body", given, allowed)
    })?;
    match value {
        Value::Object(_) => Ok(value),
        other => Err(Problem::new(&INVALID, "body", other, "a JSON object")),
    }
}

fn reader<T: ToSchema + 'static>() -> Result<Arc<Reader>, Problem> {
    let readers = READERS.pin();
    let key = TypeId::of::<T>();
    if let Some(reader) = readers.get(&key) {
        return Ok(Arc::clone(reader));
    }
    let made = Reader::new::<T>().map_err(|why| {
        let allowed = "a bug in the forwarder: report it";
        Problem::new(&super::error::FAILED, "body", why, allowed)
    })?;
    Ok(Arc::clone(readers.get_or_insert(key, Arc::new(made))))
}

/// A schema, with the schemas that it refers to written out.
struct Reader {
    schema: Value,
    validator: Validator,
}

impl Reader {
    fn new<T: ToSchema>() -> Result<Self, String> {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let named: Result<Map<_, _>, _> = named
            .into_iter()
            .map(|(name, schema)| Ok((name, serde_json::to_value(schema)?)))
            .collect();
        let named = named.map_err(|error: serde_json::Error| error.to_string())?;
        let mut schema = serde_json::to_value(T::schema()).map_err(|error| error.to_string())?;
        write_out(&mut schema, &named, DEEPEST);
        let validator = Validator::new(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    fn check(&self, value: &Value) -> Result<(), Problem> {
        // What is given and wrong before what is missing: the order of keywords in a schema says nothing.
        let missing =
            |kind: &ValidationErrorKind| matches!(kind, ValidationErrorKind::Required { .. });
        let errors = self.validator.iter_errors(value);
        let Some(error) = errors.min_by_key(|error| missing(error.kind())) else {
            return Ok(());
        };
        let mut field: Vec<String> = error
            .instance_path()
            .as_str()
            .split('/')
            .filter(|part| !part.is_empty() && part.parse::<usize>().is_err())
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        // The keyword that did not hold is the last part.
        let at = error.schema_path().as_str();
        let at = at.rsplit_once('/').map_or("", |(schema, _)| schema);
        let here = self.schema.pointer(at).unwrap_or(&Value::Null);
        let (schema, given) = match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                field.push(name.to_owned());
                (&here["properties"][name], Value::Null)
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let name = unexpected.first().cloned().unwrap_or_default();
                let known = here["properties"].as_object().into_iter().flatten();
                let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
                let given = error.instance().get(&name).cloned().unwrap_or_default();
                field.push(name);
                let allowed = format!("no such field; the fields are {}", known.join(", "));
                return Err(Problem::new(&INVALID, field.join("."), given, allowed));
            }
            _ => (here, error.instance().clone().into_owned()),
        };
        let hidden = schema["format"] == "password";
        let given = if hidden && !given.is_null() {
            Value::from(HIDDEN)
        } else {
            given
        };
        let allowed = self.described(schema, at, hidden, &error.to_string());
        let field = match field.is_empty() {
            true => "body".to_owned(),
            false => field.join("."),
        };
        Err(Problem::new(&INVALID, field, given, allowed))
    }

    /// The description of a schema, or of the closest one around it that has one.
    fn described(&self, schema: &Value, at: &str, hidden: bool, otherwise: &str) -> String {
        if let Some(text) = schema["description"].as_str() {
            return text.to_owned();
        }
        let mut at = at;
        while let Some((outer, _)) = at.rsplit_once('/') {
            at = outer;
            let outer = self.schema.pointer(at).unwrap_or(&Value::Null);
            // A property may be called so, too.
            if let Some(text) = outer["description"].as_str() {
                return text.to_owned();
            }
        }
        if hidden {
            HIDDEN.to_owned()
        } else {
            otherwise.to_owned()
        }
    }
}

/// Replaces references by what they refer to. What stands beside a reference, such as a description, goes before.
fn write_out(schema: &mut Value, named: &Map<String, Value>, deepest: u32) {
    match schema {
        Value::Object(fields) => {
            let name = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.rsplit('/').next())
                .map(str::to_owned);
            let target = name
                .and_then(|name| named.get(&name))
                .and_then(Value::as_object);
            if let (Some(target), true) = (target, deepest > 0) {
                fields.remove("$ref");
                for (key, value) in target {
                    fields.entry(key.clone()).or_insert_with(|| value.clone());
                }
                fields
                    .values_mut()
                    .for_each(|value| write_out(value, named, deepest - 1));
            } else {
                fields
                    .values_mut()
                    .for_each(|value| write_out(value, named, deepest));
            }
        }
        Value::Array(entries) => entries
            .iter_mut()
            .for_each(|entry| write_out(entry, named, deepest)),
        _ => {}
    }
}
