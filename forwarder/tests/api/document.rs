//! The OpenAPI document, and the page that shows it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{access::session, rig::Rig};

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &'_ Value)| (path.clone(), item.as_object().unwrap().clone());
    paths
        .iter()
        .map(of)
        .flat_map(|(path, item)| {
            item.keys()
                .map(|method| {
                    (
                        method.clone(),
                        path.clone(),
                        &document["paths"][&path][method],
                    )
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_operation_says_what_it_takes_and_answers() {
    let rig = Rig::start();
    let document = rig.get("/v0/openapi.json");
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    let operations = operations(&document);
    assert!(operations.len() > 50, "{}", operations.len());
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} twice");
        assert!(operation["summary"].is_string(), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{method} {path}"
        );
        assert!(operation["security"].is_array(), "{method} {path}");
        for (status, response) in responses
            .iter()
            .filter(|(status, _)| status.as_str() >= "400")
        {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(
                schema, "#/components/schemas/Problem",
                "{method} {path} {status}"
            );
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(body) = body.as_str() {
            let schema = document.pointer(body.trim_start_matches('#')).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{body}");
            assert_eq!(operation["requestBody"]["required"], true, "{body}");
        }
        for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let parameter = parameter.trim_end_matches('}');
            let mut named = operation["parameters"].as_array().unwrap().iter();
            assert!(
                named.any(|it| it["name"] == parameter && it["in"] == "path"),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn the_page_needs_no_other_host() {
    let rig = Rig::start();
    let page = rig.exchange("GET", "/docs/", &[], "");
    assert_eq!(page.status, 200);
    let script = rig.exchange("GET", "/docs/swagger-initializer.js", &[], "");
    assert!(script.text.contains("/v0/openapi.json"), "{}", script.text);
    assert!(
        script.text.contains("\"validatorUrl\": \"none\""),
        "{}",
        script.text
    );
    for line in page
        .text
        .lines()
        .filter(|line| line.contains("src=") || line.contains("href="))
    {
        assert!(!line.contains("//"), "{line}");
    }
    for asset in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        assert_eq!(
            rig.exchange("GET", &format!("/docs/{asset}"), &[], "")
                .status,
            200,
            "{asset}"
        );
    }
}

/// What is written in parts is what the document describes as a whole.
#[test]
fn the_state_has_what_its_schema_says() {
    let rig = Rig::start();
    let document = rig.get("/v0/openapi.json");
    let schema = &document["components"]["schemas"]["State"];
    let described: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let required = schema["required"].as_array().unwrap().iter();
    let required: BTreeSet<&str> = required.map(|name| name.as_str().unwrap()).collect();
    for sessions in [0, 1, 70] {
        while rig.get("/v0/sessions").as_array().unwrap().len() < sessions {
            rig.create("/v0/sessions", session("r"));
        }
        let state = rig.get("/v0/state");
        let told: BTreeSet<&String> = state.as_object().unwrap().keys().collect();
        assert_eq!(told, described);
        assert!(told.iter().all(|name| required.contains(name.as_str())));
        let listed = state["sessions"].as_array().unwrap().iter();
        let ids: Vec<usize> = listed
            .map(|session| session["id"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(ids, (1..=sessions).collect::<Vec<_>>());
    }
}
