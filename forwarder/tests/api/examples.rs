//! docs/api.md: every request in it is sent, in its order, and every answer compared with what stands there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::rig::Rig;

const DOCUMENT: &str = include_str!("../../../docs/api.md");
const OFFER: &str = include_str!("../../src/sdp/fixtures/chromium-sendonly.sdp");
const WATCHING: &str = include_str!("../../src/sdp/fixtures/chromium-recvonly.sdp");

/// A request and its answer, as the document has them.
struct Example<'d> {
    method: &'d str,
    path: &'d str,
    body: &'d str,
    status: u16,
    answer: &'d str,
}

/// Values that the document has named.
type Named = BTreeMap<String, String>;

impl<'d> Example<'d> {
    fn all() -> Vec<Self> {
        let blocks = DOCUMENT.split("```http\n").skip(1);
        blocks
            .map(|block| Self::read(block.split("```").next().unwrap()))
            .collect()
    }

    fn read(block: &'d str) -> Self {
        let (request, answer) = block
            .split_once("\n\n")
            .expect("an empty line before the answer");
        let (first, body) = request.split_once('\n').unwrap_or((request, ""));
        let (method, path) = first.split_once(' ').unwrap();
        let (status, answer) = answer
            .trim_end()
            .split_once('\n')
            .unwrap_or((answer.trim_end(), ""));
        Self {
            method,
            path,
            body,
            status: status.parse().unwrap(),
            answer,
        }
    }

    fn run(&self, rig: &Rig, named: &mut Named) {
        let path = named
            .iter()
            .fold(self.path.to_owned(), |path, (name, value)| {
                path.replace(&format!("${name}"), value)
            });
        let body = match self.body {
            "" => String::new(),
            body => filled(serde_json::from_str(body).unwrap(), named).to_string(),
        };
        let (status, answer) = rig.call(self.method, &path, &body);
        let about = format!("{} {path}: {answer}", self.method);
        assert_eq!(status, self.status, "{about}");
        if !self.answer.is_empty() {
            compare(
                &serde_json::from_str(self.answer).unwrap(),
                &answer,
                named,
                &about,
            );
        }
    }
}

fn filled(value: Value, named: &Named) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => Value::String(named[name].clone()),
            None => Value::String(text),
        },
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| (name, filled(value, named)))
                .collect()
        }
        other => other,
    }
}

/// Everything that stands in the document must stand in the answer.
fn compare(shown: &Value, given: &Value, named: &mut Named, about: &str) {
    match shown {
        Value::Object(fields) => {
            for (name, shown) in fields {
                compare(shown, &given[name], named, about);
            }
        }
        Value::Array(entries) if entries.iter().all(|it| it.is_object() || it == "…") => {
            assert_eq!(
                given.as_array().map(Vec::len),
                Some(entries.len()),
                "{about}"
            );
            for (at, shown) in entries.iter().enumerate() {
                compare(shown, &given[at], named, about);
            }
        }
        Value::String(text) if text == "…" => {
            assert!(
                given.as_str().is_some_and(|given| !given.is_empty()),
                "{about}"
            );
        }
        Value::String(text) if text.starts_with('$') => {
            let given = given.as_str().expect(about).to_owned();
            let held = named
                .entry(text[1..].to_owned())
                .or_insert_with(|| given.clone());
            assert_eq!(*held, given, "{about}");
        }
        other => assert_eq!(other, given, "{about}"),
    }
}

#[test]
fn the_document_says_what_happens() {
    let rig = Rig::start();
    let mut named = Named::from([
        ("offer".to_owned(), OFFER.to_owned()),
        ("watching".to_owned(), WATCHING.to_owned()),
    ]);
    let examples = Example::all();
    assert!(examples.len() > 15);
    for example in examples {
        example.run(&rig, &mut named);
    }
}
