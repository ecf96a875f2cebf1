//! Sessions made of ORTC's parameters, as a signalling service makes them that knows no SDP: the page takes its offer apart and
//! composes the answer.

use forwarder_tests::Client;
use forwarder_tests::browsers::{Candidates, Peer};
use serde_json::{Value, json};

/// A session, and what it has by kind of media.
#[derive(Debug)]
pub struct Session {
    pub id: String,
    /// Publications or subscriptions as the forwarder answered, with their `kind`.
    pub lines: Vec<(String, Value)>,
    /// What it answered to the session itself.
    created: Value,
    /// What became of each m-line, as the page was told.
    accepted: Value,
}

impl Session {
    /// The id of a kind's publication or subscription.
    pub fn line(&self, kind: &str) -> &str {
        let found = self.lines.iter().find(|(name, _)| name == kind);
        found.and_then(|(_, line)| line["id"].as_str()).unwrap()
    }
}

/// Publishes all that the peer has to send.
pub fn publish(api: &Client, peer: &Peer, candidates: Candidates) -> Session {
    join(api, peer, candidates, |api, session, line| {
        let fields = ["kind", "mid", "codecs", "encodings", "header_extensions"];
        let path = format!("/v0/sessions/{session}/publications");
        let answer: Value = api.post(&path, &only(line, &fields)).unwrap();
        let all = line["codecs"].as_array().unwrap().iter();
        let types: Vec<&Value> = all.map(|codec| &codec["payload_type"]).collect();
        let accepted = json!({ "payload_types": types });
        (answer, accepted)
    })
}

/// Restarts ICE of a session: new credentials on both sides, everything else as it was.
pub fn restart(api: &Client, peer: &Peer, session: &Session, candidates: Candidates) {
    peer.restart_offer().unwrap();
    let parameters = peer.parameters().unwrap();
    let path = format!("/v0/sessions/{}/ice", session.id);
    let ice: Value = api.post(&path, &parameters["ice"]).unwrap();
    let mut created = session.created.clone();
    for (name, value) in ice.as_object().unwrap() {
        created["ice"][name] = value.clone();
    }
    peer.accept_session(&created, &session.accepted, candidates)
        .unwrap();
}

/// Subscribes a peer that has asked for audio and video to those of a session.
pub fn subscribe(api: &Client, peer: &Peer, of: &Session, candidates: Candidates) -> Session {
    join(api, peer, candidates, |api, session, line| {
        let mut body = only(line, &["mid", "codecs", "header_extensions"]);
        body["publication"] = json!(of.line(line["kind"].as_str().unwrap()));
        let path = format!("/v0/sessions/{session}/subscriptions");
        let answer: Value = api.post(&path, &body).unwrap();
        let all = answer["payload_types"].as_array().unwrap().iter();
        let types: Vec<&Value> = all.map(|one| &one["sent"]).collect();
        let accepted = json!({
            "payload_types": types,
            "ssrc": answer["ssrc"],
            "cname": answer["cname"],
        });
        (answer, accepted)
    })
}

fn join(
    api: &Client,
    peer: &Peer,
    candidates: Candidates,
    add: impl Fn(&Client, &str, &Value) -> (Value, Value),
) -> Session {
    peer.offer().unwrap();
    let parameters = peer.parameters().unwrap();
    let created: Value = api
        .post("/v0/sessions", &only(&parameters, &["ice", "dtls"]))
        .unwrap();
    let id = created["id"].as_str().unwrap().to_owned();
    let mut accepted = json!({});
    let mut lines = Vec::new();
    for line in parameters["lines"].as_array().unwrap() {
        let (answer, taken) = add(api, &id, line);
        accepted[line["mid"].as_str().unwrap()] = taken;
        lines.push((line["kind"].as_str().unwrap().to_owned(), answer));
    }
    peer.accept_session(&created, &accepted, candidates)
        .unwrap();
    Session {
        id,
        lines,
        created,
        accepted,
    }
}

fn only(object: &Value, fields: &[&str]) -> Value {
    let all = fields.iter();
    all.map(|field| ((*field).to_owned(), object[field].clone()))
        .collect()
}
