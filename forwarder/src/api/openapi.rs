//! The OpenAPI document: what the handlers say of themselves, and what holds for all of them.

use std::collections::BTreeMap;

use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::error::Document;

/// Name of the security scheme.
const BEARER: &str = "bearer";
/// Header of retries.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "forwarder",
        description = "Control API of a selective forwarding unit. Errors are problem documents (RFC 9457) that name the \
            field at fault, what it held, and what it may hold; where one is answered, nothing was changed. Ids are texts."
    ),
    tags(
        (name = "rooms", description = "Who is together, and what holds for them"),
        (name = "sessions", description = "Peer connections, by SDP or by parameters"),
        (name = "events", description = "What happens, as it happens"),
        (name = "whip", description = "Publishing by WHIP (RFC 9725) and playing by WHEP"),
        (name = "endpoints", description = "Clear and opaque RTP between addresses"),
        (name = "node", description = "The node as a whole"),
    ),
    components(schemas(Document))
)]
struct Base;

/// The document before handlers add to it.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// Adds what holds for all operations.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "the admin key, a JSON Web Token, or the key of a session",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        let methods = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                complete_operation(path, &method, operation);
            }
        }
    }
}

fn complete_operation(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let public = path == "/v0/openapi.json";
    let mut problems = vec![(500_u16, "the system refused the change")];
    if !public {
        let bearer: [&str; 0] = [];
        operation.security = Some(vec![SecurityRequirement::new(BEARER, bearer)]);
        problems.extend([
            (401, "the API wants to know who asks"),
            (403, "the caller may not do this"),
        ]);
    }
    problems.push((
        429,
        "a limit is reached, or too many credentials did not hold",
    ));
    // Unknown parameters in the query, and values that cannot be.
    problems.push((400, "a value is not allowed"));
    let changes = !matches!(method, HttpMethod::Get);
    if path.contains('{') || changes {
        problems.push((404, "there is no such thing"));
    }
    if changes {
        problems.push((408, "the body did not come whole"));
        problems.extend([
            (409, "it is there already, or has changed since"),
            (413, "the body is too large"),
            (422, "a value does not fit what it refers to"),
            (507, "there is no room for it"),
        ]);
    }
    if operation.request_body.is_some() {
        problems.push((415, "the path does not read this media type"));
    }
    if matches!(method, HttpMethod::Post) {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[!-~]+$"));
        let key = ParameterBuilder::new()
            .name(IDEMPOTENCY_KEY)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "the same key with the same body gets the same answer for ten minutes, and is carried out once",
            ))
            .schema(Some(text))
            .build();
        operation
            .parameters
            .get_or_insert_default()
            .push(RefOr::T(key));
    }
    let told = operation
        .responses
        .responses
        .iter()
        .filter_map(|(status, response)| {
            let RefOr::T(response) = response else {
                return None;
            };
            let status: u16 = status.parse().ok()?;
            (status >= 400).then(|| (status, response.description.clone()))
        });
    let told: Vec<_> = told.collect();
    let general = problems.into_iter();
    let general = general.map(|(status, description)| (status, description.to_owned()));
    // What an operation says of itself goes before.
    let problems: BTreeMap<u16, String> = general.chain(told).collect();
    for (status, description) in problems {
        let problem = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(problem)).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(response));
    }
}
