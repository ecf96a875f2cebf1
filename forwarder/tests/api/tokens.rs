//! `forwarder token`: what each of its options grants, and tokens that hold nowhere.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Parser;
use forwarder::{
    args::{Cli, Command},
    config::{Config, Control},
};
use pem_rfc7468::{LineEnding, encode_string};
use serde_json::{Value, json};

use crate::{
    access::{SECRET, ask, claims, guarded, now, session},
    rig::Rig,
};

/// What the command prints.
fn minted(secret: &[&str], options: &[&str]) -> Result<String, String> {
    let line = ["forwarder", "token"].iter().chain(secret).chain(options);
    let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
    match cli.command {
        Command::Token(args) => args.mint().map_err(|error| format!("{error:#}")),
        other => panic!("{other:?}"),
    }
}

fn said(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

/// A file that goes with the test.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let own = format!("forwarder-tokens-{name}-{}", std::process::id());
        let file = std::env::temp_dir().join(own);
        std::fs::write(&file, text).unwrap();
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn each_option_is_a_claim_that_the_node_keeps() {
    let file = File::new("options", SECRET);
    let secret = ["--token-secret-file", file.path()];
    let made = |options: &[&str]| minted(&secret, options).unwrap();
    let plain = said(&made(&["--room", "r"]));
    let expiry = plain["exp"].as_u64().unwrap();
    assert!((now() + 3590..=now() + 3610).contains(&expiry), "{plain}");
    assert_eq!(
        plain,
        json!({"exp": expiry, "room": "r", "publish": false, "subscribe": false, "admin": false})
    );
    for (options, claim, value) in [
        (&["--name", "Ann"][..], "sub", json!("Ann")),
        (&["--publish"], "publish", json!(true)),
        (&["--subscribe"], "subscribe", json!(true)),
        (&["--admin"], "admin", json!(true)),
        (&["--max-sessions", "2"], "max_sessions", json!(2)),
        (&["--max-tracks", "3"], "max_tracks", json!(3)),
        (&["--max-bitrate", "4000"], "max_bitrate", json!(4000)),
    ] {
        let token = made(&[&["--room", "r"], options].concat());
        assert_eq!(said(&token)[claim], value, "{options:?}");
    }
    let day = said(&made(&["--room", "r", "--for", "1day"]))["exp"].as_u64();
    assert!((now() + 86_390..=now() + 86_410).contains(&day.unwrap()));
    for (options, named) in [
        (&["--room", "r", "--for", "0s"][..], "--for"),
        (&["--room", "r", "--for", "400days"], "--for"),
        (&["--room", "r", "--max-sessions", "many"], "max-sessions"),
        (&["--publish"], "--room"),
    ] {
        let refused = minted(&secret, options).unwrap_err();
        assert!(refused.contains(named), "{refused}");
    }
    let nobody = ["--node", "nobody-has-this-name"];
    let refused = minted(&nobody, &["--room", "r"]).unwrap_err();
    assert!(refused.contains("--token-secret-file"), "{refused}");

    let rig = guarded();
    let join = |token: &str, room: &str| ask(&rig, token, "POST", "/v0/sessions", &session(room));
    let of = |options: &[&str]| made(&[&["--room", "r", "--name", "Ann"], options].concat());
    let told = join(&of(&["--publish"]), "r").json();
    let path = format!("/v0/sessions/{}", told["id"].as_str().unwrap());
    let shown = ask(&rig, &of(&[]), "GET", &path, &Value::Null).json();
    assert_eq!(shown["name"], "Ann");
    assert_eq!(join(&of(&["--publish"]), "elsewhere").status, 403);
    let any = made(&["--room", "*", "--publish"]);
    assert_eq!(join(&any, "elsewhere").status, 201);
    // What is not granted is refused with its name.
    let line = json!({
        "kind": "audio", "codecs": [{"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2}],
        "encodings": [{"ssrc": 5}],
    });
    let leg = json!({"publication": "1", "codecs": []});
    for (options, path, body, granted) in [
        (&[][..], "publications", &line, "publish"),
        (&["--subscribe"], "publications", &line, "publish"),
        (&["--publish"], "subscriptions", &leg, "subscribe"),
    ] {
        let token = of(options);
        let told = join(&token, "r").json();
        let path = format!("/v0/sessions/{}/{path}", told["id"].as_str().unwrap());
        let reply = ask(&rig, &token, "POST", &path, body);
        let problem = reply.json();
        assert_eq!(
            (reply.status, problem["field"].as_str()),
            (403, Some(granted)),
            "{options:?}: {problem}"
        );
    }
    let moderator = of(&["--admin"]);
    let locked = json!({"locked": true});
    let put = |token: &str, room: &str| {
        let path = format!("/v0/rooms/{room}");
        ask(&rig, token, "PUT", &path, &locked).status
    };
    assert_eq!((put(&any, "r"), put(&moderator, "elsewhere")), (403, 403));
    assert_eq!(put(&moderator, "r"), 200);
    let all = made(&["--room", "*", "--admin"]);
    let operates = |token: &str| ask(&rig, token, "GET", "/v0/state", &Value::Null).status;
    assert_eq!((operates(&moderator), operates(&all)), (403, 200));
}

#[test]
fn limits_of_a_token_say_which_they_are() {
    let file = File::new("limits", SECRET);
    let secret = ["--token-secret-file", file.path()];
    let rig = guarded();
    let limited = |name: &str, option: &str, most: &str| {
        let options = ["--room", "r", "--name", name, "--publish", option, most];
        minted(&secret, &options).unwrap()
    };
    let few = limited("ann", "--max-sessions", "1");
    let join = |token: &str| ask(&rig, token, "POST", "/v0/sessions", &session("r"));
    assert_eq!(join(&few).status, 201);
    let problem = join(&few).json();
    assert_eq!(
        (&problem["status"], &problem["field"]),
        (&json!(429), &json!("token.max_sessions"))
    );
    let one = limited("bob", "--max-tracks", "1");
    let told = join(&one).json();
    let lines = format!("/v0/sessions/{}/publications", told["id"].as_str().unwrap());
    let publish = |ssrc: u32| {
        let line = json!({
            "kind": "audio", "codecs": [{"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2}],
            "encodings": [{"ssrc": ssrc}],
        });
        ask(&rig, &one, "POST", &lines, &line)
    };
    assert_eq!(publish(5).status, 201);
    let problem = publish(6).json();
    assert_eq!(
        (&problem["status"], &problem["field"]),
        (&json!(429), &json!("token.max_tracks"))
    );
}

#[test]
fn tokens_by_private_key_are_of_that_key_and_algorithm_alone() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    let private = encode_string("PRIVATE KEY", LineEnding::LF, pkcs8.as_ref()).unwrap();
    // RFC 8410 §4: the head of a SubjectPublicKeyInfo with id-Ed25519.
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let public = [&head[..], pair.public_key().as_ref()].concat();
    let public = encode_string("PUBLIC KEY", LineEnding::LF, &public).unwrap();
    let (private_file, public_file) =
        (File::new("private", &private), File::new("public", &public));
    let rig = Rig::with(Config {
        control: Control {
            token_public_keys: vec![public_file.0.clone()],
            ..Control::default()
        },
        ..Config::default()
    });
    let key = ["--private-key", private_file.path()];
    let good = minted(&key, &["--room", "r", "--publish"]).unwrap();
    let access = |token: &str| ask(&rig, token, "GET", "/v0/access", &Value::Null);
    assert_eq!(access(&good).status, 200);

    let body = good.split('.').nth(1).unwrap();
    let head = |algorithm: &str| {
        let head = json!({"alg": algorithm, "typ": "JWT"}).to_string();
        BASE64_URL_SAFE_NO_PAD.encode(head)
    };
    let none = ["none", "None", "NONE"].map(|none| format!("{}.{body}.", head(none)));
    // The public key is no secret: HMAC with it, however it is written, is no signature (RFC 8725 §2.1).
    let confused = [public.as_bytes(), pair.public_key().as_ref()]
        .map(|secret| claims("eve", "r").sign(secret).unwrap());
    let other = Ed25519KeyPair::generate().unwrap();
    let pkcs8 = other.to_pkcs8v1().unwrap();
    let other = encode_string("PRIVATE KEY", LineEnding::LF, pkcs8.as_ref()).unwrap();
    let foreign = claims("eve", "r").sign_ed25519(other.as_bytes()).unwrap();
    let mut changed = good.clone();
    changed.truncate(good.len() - 4);
    let swapped = good.replacen(
        body,
        &BASE64_URL_SAFE_NO_PAD
            .encode(json!({"exp": now() + 60, "room": "*", "admin": true}).to_string()),
        1,
    );
    let stripped = format!(
        "{}.{body}.{}",
        head("RS256"),
        good.rsplit('.').next().unwrap()
    );
    for token in none
        .iter()
        .chain(&confused)
        .chain([&foreign, &changed, &swapped, &stripped])
    {
        let reply = access(token);
        assert_eq!(reply.status, 401, "{}", reply.text);
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    // Claims that are missing, or are not what they should be, are named as such.
    let signed = |claims: Value| {
        let key = jsonwebtoken::EncodingKey::from_ed_pem(private.as_bytes()).unwrap();
        let head = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        jsonwebtoken::encode(&head, &claims, &key).unwrap()
    };
    for claims in [
        json!({"room": "r"}),
        json!({"exp": now() + 60}),
        json!({"exp": "tomorrow", "room": "r"}),
        json!({"exp": now() + 60, "room": "r", "publish": "yes"}),
        json!({"exp": now() + 60, "room": "r", "max_sessions": -1}),
        json!([]),
    ] {
        let reply = access(&signed(claims.clone()));
        assert_eq!(reply.status, 401, "{claims}: {}", reply.text);
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains("claims"), "{claims}: {challenge}");
    }
    // No grants: the holder is known, and may do nothing.
    let bare = signed(json!({"exp": now() + 60, "room": "r"}));
    let told = access(&bare).json();
    assert_eq!(
        [&told["publish"], &told["subscribe"], &told["admin"]],
        [&json!(false); 3]
    );
    for path in ["/whip/r", "/whep/r"] {
        let bearer = format!("Bearer {bare}");
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/sdp"),
        ];
        let reply = rig.exchange("POST", path, &headers, "v=0");
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
    let refused = minted(&["--private-key", public_file.path()], &["--room", "r"]).unwrap_err();
    assert!(
        refused.contains("private-key") && refused.contains("Ed25519"),
        "{refused}"
    );
}
