//! The document of the API, OpenAPI 3.1, made from the handlers; what it says of access is the access table.

use serde_json::{Map, Value, json};

use crate::access::{Access, TABLE};
use crate::keyed;

/// Adds what no handler knows of itself: who may call, what goes on under a key, and how a refusal
/// looks.
pub(crate) fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = json!(document);
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Sitepass",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Work tickets, safety training and gate access of construction sites. Every answer is an \
            envelope: code 0 and data, or the code of a refusal with a sentence in data.detail and every bad field in \
            data.fields. Commands refuse fields and parameters that they do not know. Those that make something take an Idempotency-Key \
            header, where it is described: the same key and body give the same answer.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    let schemes = json!({
        "access_token": {"type": "http", "scheme": "bearer", "description": "of POST /api/admin/auth/login"},
        "mp_session_token": {"type": "http", "scheme": "bearer", "description": "of POST /api/mp/login"},
    });
    document["components"]["securitySchemes"] = schemes;
    document["components"]["schemas"]["Refusal"] = refusal();
    for (method, path, access) in TABLE {
        let item = document["paths"].get_mut(path);
        if let Some(operation) = item.and_then(|item| item.get_mut(method.to_lowercase())) {
            describe(operation, *access);
            if keyed::takes(method, path) {
                add_parameter(operation, keyed::parameter());
            }
        }
    }
    document
}

fn describe(operation: &mut Value, access: Access) {
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}});
    operation["responses"]["default"] = json!({"description": "Refused", "content": content});
    for response in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if !response["description"].is_string() {
            response["description"] = json!("Done");
        }
    }
    operation["security"] = match access {
        Access::Public | Access::Signature => json!([]),
        Access::Account | Access::Permission(_) => json!([{"access_token": []}]),
        Access::Session | Access::Worker => json!([{"mp_session_token": []}]),
    };
    if let Access::Permission(permission) = access {
        operation["x-permission"] = json!(permission.as_str());
    }
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

fn refusal() -> Value {
    let problem = json!({
        "type": "object",
        "required": ["field", "problem"],
        "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
    });
    let codes: Vec<String> = types::ErrorCode::ALL
        .iter()
        .map(|code| format!("{} {}", code.number(), code.name()))
        .collect();
    json!({
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": {
                "type": "integer",
                "description": format!("HTTP status × 100 + n. {}", codes.join(" · ")),
                "enum": types::ErrorCode::ALL,
            },
            "message": {"type": "string", "description": "The code's stable name"},
            "data": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string", "description": "A sentence for a person, by Accept-Language"},
                    "fields": {"type": "array", "items": problem},
                },
                "additionalProperties": true,
            },
        },
    })
}
