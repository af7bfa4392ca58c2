//! What a client sends: bodies, queries, ids in paths. What is wrong with it is named all at once.

use axum::body::HttpBody;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use types::{ErrorCode, FieldProblem, Page};
use url::form_urlencoded;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::Shared;
use crate::failure::Failure;
use crate::problems::{self, Schema};
use crate::wiring::MAX_JSON_BYTES;

/// The JSON body of a command; no body counts as `{}`. Fields it does not know are refused.
#[derive(Debug)]
pub(crate) struct Command<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema> FromRequest<Shared> for Command<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, gateway: &Shared) -> Result<Self, Failure> {
        let is_json = is_json(request.headers());
        let bytes = body(request, gateway).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(Failure::new(ErrorCode::UnsupportedMedia));
        }
        parse(&bytes).map(Self)
    }
}

/// The whole body, within the limit.
pub(crate) async fn body(request: Request, gateway: &Shared) -> Result<Bytes, Failure> {
    // A length that is declared too large is not waited for.
    if request.body().size_hint().lower() > MAX_JSON_BYTES as u64 {
        return Err(Failure::new(ErrorCode::TooLarge));
    }
    Bytes::from_request(request, gateway).await.map_err(|rejection| {
        Failure::new(match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ErrorCode::TooLarge
            }
            // The client broke off.
            _ => ErrorCode::MalformedJson,
        })
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads what is right in one pass; only what is wrong, or may hold U+0000, is looked at a second time.
fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T, Failure> {
    parse_but(bytes, |_| true)
}

/// As [`parse`], with an eye shut to some problems.
pub(crate) fn parse_but<T: DeserializeOwned + ToSchema>(
    bytes: &[u8],
    counts: impl Fn(&FieldProblem) -> bool,
) -> Result<T, Failure> {
    let nul = problems::NUL.as_bytes();
    let read = serde_json::from_slice(bytes);
    let read = match read {
        Ok(value) if !bytes.windows(nul.len()).any(|part| part == nul) => return Ok(value),
        read => read,
    };
    let value: Value =
        serde_json::from_slice(bytes).map_err(|_| Failure::new(ErrorCode::MalformedJson))?;
    let mut problems = problems::<T>(&value);
    problems.retain(counts);
    if !problems.is_empty() {
        return Err(Failure::fields(problems));
    }
    // An error only if a type is stricter than its schema.
    read.map_err(|_| Failure::field("body", "is not as described"))
}

/// Every bad field of a body.
pub(crate) fn problems<T: ToSchema>(value: &Value) -> Vec<FieldProblem> {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named = named.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    Schema::new(json!(T::schema()), named).problems(value)
}

/// What is asked in the query. Parameters it does not know are ignored, empty ones count as absent; for commands
/// [`crate::parameters`] has refused both.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + IntoParams> FromRequestParts<Shared> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn query<T: DeserializeOwned + IntoParams>(query: &str) -> Result<T, Failure> {
    let given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let (mut values, mut properties, mut required) = (Map::new(), Map::new(), Vec::new());
    for parameter in T::into_params(|| Some(ParameterIn::Query)) {
        let parameter = json!(parameter);
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let schema = parameter["schema"].clone();
        if parameter["required"] == json!(true) {
            required.push(name.clone());
        }
        if let Some((_, text)) = given.iter().find(|(given, _)| *given == name) {
            values.insert(name.clone(), typed(text, &schema));
        }
        properties.insert(name, schema);
    }
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let schema = Schema::new(schema, Map::new());
    let values = Value::Object(values);
    let problems = schema.problems(&values);
    if !problems.is_empty() {
        return Err(Failure::fields(problems));
    }
    serde_json::from_value(values).map_err(|_| Failure::field("query", "is not as described"))
}

/// A query knows only texts: what the schema calls a number or a boolean is read as one, where it is one.
fn typed(text: &str, schema: &Value) -> Value {
    let types = problems::types(schema);
    let numeric = types.iter().any(|name| ["integer", "number"].contains(name));
    if numeric || types.contains(&"boolean") {
        serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
    } else {
        Value::from(text)
    }
}

/// Which page of a list, and by what it is filtered.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed<T> {
    #[serde(flatten)]
    pub(crate) filter: T,
    #[serde(flatten)]
    pub(crate) paging: Paging,
}

impl<T: IntoParams> IntoParams for Listed<T> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = T::into_params(&place);
        parameters.extend(Paging::into_params(&place));
        parameters
    }
}

#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
pub(crate) struct Paging {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// At most 200; 20 when not given.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
}

impl Paging {
    pub(crate) fn page(self) -> Result<Page, Failure> {
        page(self.page, self.page_size)
    }
}

pub(crate) fn page(page: Option<u32>, page_size: Option<u32>) -> Result<Page, Failure> {
    Page::parse(page, page_size).map_err(|problem| Failure::fields(vec![problem]))
}

pub(crate) fn wire(page: Page) -> proto::common::v1::PageRequest {
    proto::common::v1::PageRequest { page: page.page, page_size: page.page_size }
}

/// An id in the path, spelt as ours are; anything else is the id of nothing.
#[derive(Debug)]
pub(crate) struct Id(pub(crate) String);

/// Two ids in the path.
#[derive(Debug)]
pub(crate) struct Ids(pub(crate) String, pub(crate) String);

impl FromRequestParts<Shared> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, Failure> {
        let id = Path::<Uuid>::from_request_parts(parts, gateway).await;
        id.map(|Path(id)| Self(id.to_string())).map_err(|_| Failure::new(ErrorCode::NotFound))
    }
}

impl FromRequestParts<Shared> for Ids {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, Failure> {
        let ids = Path::<(Uuid, Uuid)>::from_request_parts(parts, gateway).await;
        ids.map(|Path((first, second))| Self(first.to_string(), second.to_string()))
            .map_err(|_| Failure::new(ErrorCode::NotFound))
    }
}

/// An optional id as protobuf has it.
pub(crate) fn id(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

pub(crate) fn ids(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(Uuid::to_string).collect()
}

/// A time of day in site time; as an end also `24:00`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimeOfDay(pub(crate) String);

impl TryFrom<String> for TimeOfDay {
    type Error = types::InvalidTime;

    fn try_from(text: String) -> Result<Self, types::InvalidTime> {
        if text != "24:00" {
            types::parse_time(&text)?;
        }
        Ok(Self(text))
    }
}

impl utoipa::PartialSchema for TimeOfDay {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom("HH:MM".to_owned())))
            .examples([json!("07:30")])
            .into()
    }
}

impl ToSchema for TimeOfDay {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, IntoParams)]
    struct Filter {
        site_id: Uuid,
        bound: Option<bool>,
        from: Option<chrono::DateTime<chrono::Utc>>,
    }

    fn named(failure: &Failure) -> Vec<&str> {
        failure.0.fields.iter().map(|problem| problem.field.as_str()).collect()
    }

    #[test]
    fn a_query_is_typed_by_its_parameters() {
        let id = Uuid::nil();
        let text =
            format!("site_id={id}&bound=true&page=2&from=2026-01-10T06%3A00%3A00%2B08%3A00&x=1&y=");
        let listed: Listed<Filter> = query(&text).unwrap();
        assert_eq!((listed.filter.site_id, listed.filter.bound), (id, Some(true)));
        assert_eq!(listed.filter.from.unwrap().to_rfc3339(), "2026-01-09T22:00:00+00:00");
        assert_eq!(listed.paging.page().unwrap(), Page { page: 2, page_size: 20 });
    }

    #[test]
    fn a_text_that_no_database_keeps_is_named() {
        #[derive(Debug, Deserialize, ToSchema)]
        struct Body {
            name: String,
            extra: Option<Value>,
        }
        #[derive(Debug, Deserialize, IntoParams)]
        struct Actor {
            actor: Option<String>,
        }
        let read = |text: &str| parse::<Body>(text.as_bytes());
        let failure = read(r#"{"name": "a\u0000b", "extra": {"x": ["\u0000"]}}"#).unwrap_err();
        let mut fields = named(&failure);
        fields.sort_unstable();
        assert_eq!(fields, ["extra", "name"]);
        let spelt = read(r#"{"name": "a\\u0000b"}"#).unwrap();
        assert_eq!((spelt.name.as_str(), spelt.extra), (r"a\u0000b", None));
        assert_eq!(named(&query::<Actor>("actor=a%00b").unwrap_err()), ["actor"]);
        assert_eq!(query::<Actor>("actor=ab").unwrap().actor.unwrap(), "ab");
    }

    #[test]
    fn every_bad_parameter_is_named() {
        let failure = query::<Listed<Filter>>("bound=maybe&from=today&page=0&page_size=201");
        let failure = failure.unwrap_err();
        let mut fields = named(&failure);
        fields.sort_unstable();
        assert_eq!(fields, ["bound", "from", "page", "page_size", "site_id"]);
    }
}
