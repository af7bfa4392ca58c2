//! Requests made from the API's own document, so that a route nobody thought of here is asked too.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value, json};
use test_support::Installation;

/// Rows of the longest page there is.
const LONGEST_PAGE: u32 = 200;

/// One route as the document describes it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    operation: Value,
}

/// Who has to be calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nobody, or a signature.
    Nobody,
    Account,
    Permission(String),
    Phone,
}

/// What a request sends.
pub(crate) enum Body {
    None,
    Json(Value),
    /// A form, and what its texts name.
    Form(Form, String),
}

impl Route {
    pub(crate) fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().unwrap();
        let routes = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(|(method, operation)| Self {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                operation: operation.clone(),
            })
        });
        routes.collect()
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn needs(&self) -> Needs {
        let scheme = &self.operation["security"][0];
        if scheme.get("mp_session_token").is_some() {
            Needs::Phone
        } else if scheme.get("access_token").is_none() {
            Needs::Nobody
        } else {
            let permission = self.operation["x-permission"].as_str();
            permission.map_or(Needs::Account, |name| Needs::Permission(name.to_owned()))
        }
    }

    /// Names of what the path names.
    pub(crate) fn in_path(&self) -> Vec<&str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// Makes one more of a collection.
    pub(crate) fn creates(&self, all: &[Self]) -> bool {
        let listed = |other: &&Self| other.method == Method::GET && other.path == self.path;
        self.method == Method::POST && all.iter().any(|other| listed(&other))
    }

    /// Carried out once under a key of the client's.
    pub(crate) fn takes_key(&self) -> bool {
        let mut parameters = self.operation["parameters"].as_array().into_iter().flatten();
        parameters.any(|parameter| parameter["name"] == "Idempotency-Key")
    }

    /// The same list of all that its asker may see; none where a site has to be named, or cannot be.
    pub(crate) fn anywhere(&self) -> Option<Self> {
        let mut wide = self.clone();
        let parameters = wide.operation["parameters"].as_array_mut()?;
        let named = parameters.len();
        parameters
            .retain(|parameter| parameter["name"] != "site_id" || parameter["required"] == true);
        (parameters.len() < named).then_some(wide)
    }

    /// The same list, as long as a page may be.
    pub(crate) fn at_length(mut self) -> Self {
        let parameters = self.operation["parameters"].as_array_mut().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["name"] == "page_size") {
            let most = parameter["schema"].get("maximum").cloned().unwrap_or(LONGEST_PAGE.into());
            parameter["required"] = json!(true);
            parameter["schema"] = json!({ "enum": [most] });
        }
        self
    }

    /// The same, with `what` named in the query or the body, where it may be and need not.
    pub(crate) fn naming(&self, document: &Value, what: &str) -> Option<Self> {
        let mut naming = self.clone();
        let parameters = naming.operation["parameters"].as_array_mut().into_iter().flatten();
        let mut optional = parameters.filter(|parameter| parameter["required"] != true);
        if let Some(parameter) = optional.find(|parameter| parameter["name"] == what) {
            parameter["required"] = json!(true);
            return Some(naming);
        }
        let mut schema = resolved(document, self.schema("application/json")?).clone();
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(what)));
        if required || schema["properties"].get(what).is_none() {
            return None;
        }
        if schema["required"].is_null() {
            schema["required"] = json!([]);
        }
        schema["required"].as_array_mut()?.push(json!(what));
        naming.operation["requestBody"]["content"]["application/json"]["schema"] = schema;
        Some(naming)
    }

    pub(crate) fn has_json(&self) -> bool {
        self.schema("application/json").is_some()
    }

    fn schema(&self, kind: &str) -> Option<&Value> {
        self.operation["requestBody"]["content"].get(kind).map(|content| &content["schema"])
    }

    /// The address, with the objects named where the path and the query name some.
    pub(crate) fn address(&self, document: &Value, objects: &Objects) -> String {
        let mut path = self.path.clone();
        for name in self.in_path() {
            let id = objects.get(name).unwrap_or_else(|| {
                panic!("{} names a {name}: say in Objects which one is asked for", self.name())
            });
            path = path.replace(&format!("{{{name}}}"), &id);
        }
        let mut query = Vec::new();
        for parameter in self.operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let wanted = parameter["required"] == true || name == "site_id";
            if parameter["in"] == "query" && wanted {
                let value = sample(document, name, &parameter["schema"], objects);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                query.push(format!("{name}={}", text.replace('+', "%2B").replace(':', "%3A")));
            }
        }
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    pub(crate) fn body(&self, document: &Value, objects: &Objects) -> Body {
        if let Some(schema) = self.schema("application/json") {
            return Body::Json(sample(document, "", schema, objects));
        }
        let Some(schema) = self.schema("multipart/form-data") else { return Body::None };
        let schema = resolved(document, schema);
        let (mut form, mut texts) = (Form::new(), String::new());
        for (name, part) in schema["properties"].as_object().unwrap() {
            form = match name.as_str() {
                "title" => form.text("title", fresh("视频")),
                "file" if part["contentMediaType"].to_string().contains("spreadsheet") => {
                    form.part("file", roster())
                }
                "file" => {
                    let bytes = std::fs::read(Installation::video()).unwrap();
                    let file = Part::bytes(bytes).file_name("a.mp4").mime_str("video/mp4").unwrap();
                    form.part("file", file)
                }
                name => match objects.get(name) {
                    Some(id) => {
                        texts.push_str(&id);
                        form.text(name.to_owned(), id)
                    }
                    None => form,
                },
            };
        }
        Body::Form(form, texts)
    }
}

/// The schema, or the one it refers to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(schema, |reference| resolved(document, document.pointer(reference).unwrap()))
}

/// A list of one person.
fn roster() -> Part {
    let mut sheet = sheets::Sheet::new("名单", &["姓名", "身份证号", "手机号"]);
    sheet.row(["测试工人01", "", ""]);
    Part::bytes(sheets::book(vec![sheet]).unwrap()).file_name("a.xlsx")
}

/// What is asked for, by the name the API gives it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects(pub(crate) BTreeMap<&'static str, Value>);

impl Objects {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0
            .get(name)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A text nobody used before.
fn fresh(what: &str) -> String {
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A value that fits the schema, of what is required; ids and what has a meaning by their names.
fn sample(document: &Value, name: &str, schema: &Value, objects: &Objects) -> Value {
    // The door system's own names are not looked up: a body that has one registers another door.
    if let Some(value) = objects.0.get(name).filter(|_| name != "device_id") {
        return value.clone();
    }
    let schema = resolved(document, schema);
    for several in ["oneOf", "anyOf", "allOf"] {
        let mut some = schema[several].as_array().into_iter().flatten();
        if let Some(one) = some.rfind(|one| one["type"] != "null") {
            return sample(document, name, one, objects);
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").unwrap().clone(),
        kind => kind.clone(),
    };
    match kind.as_str().unwrap_or("object") {
        "string" => text(name, schema),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "array" => {
            let one = name.strip_suffix('s').unwrap_or(name);
            json!([sample(document, one, &schema["items"], objects)])
        }
        _ => {
            let required = schema["required"].as_array().into_iter().flatten();
            let member = |name: &Value| {
                let name = name.as_str().unwrap();
                let value = sample(document, name, &schema["properties"][name], objects);
                (name.to_owned(), value)
            };
            Value::Object(required.map(member).collect::<Map<_, _>>())
        }
    }
}

fn text(name: &str, schema: &Value) -> Value {
    json!(match schema["format"].as_str() {
        Some("uuid") => uuid::Uuid::new_v4().to_string(),
        Some("date") => "2031-01-06".to_owned(),
        Some("date-time") => "2031-01-06T08:00:00+08:00".to_owned(),
        Some("HH:MM") => "08:00".to_owned(),
        _ => {
            let least = schema["minLength"].as_u64().and_then(|least| usize::try_from(least).ok());
            format!("{:x<1$}", fresh(&name.replace('_', "-")), least.unwrap_or_default())
        }
    })
}
