//! Queries of commands. One that is given in words it does not know is refused: it would be carried out without them, and a
//! misspelt preview would be the change itself.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use types::FieldProblem;
use url::form_urlencoded;
use utoipa::openapi::OpenApi;

use crate::access::{Access, TABLE};
use crate::failure::Failure;

/// The parameters that commands take, by method and path.
#[derive(Debug)]
pub(crate) struct Parameters(HashMap<(&'static str, &'static str), Vec<String>>);

impl Parameters {
    /// As the document names them. Questions may be asked in more words than are known, and so may a vendor's webhook.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let document = json!(document);
        let commands = TABLE
            .iter()
            .filter(|(method, _, access)| *method != "GET" && *access != Access::Signature);
        let parameters = |(method, path, _): &(&'static str, &'static str, Access)| {
            let taken = &document["paths"][path][method.to_lowercase()]["parameters"];
            let taken = taken.as_array().into_iter().flatten();
            let taken = taken.filter(|parameter| parameter["in"] == "query");
            let names = taken.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned()));
            ((*method, *path), names.collect())
        };
        Self(commands.map(parameters).collect())
    }

    /// What is wrong with a command's query.
    fn problems(&self, method: &str, path: &str, query: &str) -> Vec<FieldProblem> {
        let Some(taken) = self.0.get(&(method, path)) else { return Vec::new() };
        let problem = |name: &str, value: &str| match () {
            () if !taken.iter().any(|taken| taken == name) => Some("is unknown"),
            // Of a question it would count as absent.
            () if value.is_empty() => Some("is empty"),
            () => None,
        };
        form_urlencoded::parse(query.as_bytes())
            .filter_map(|(name, value)| Some(FieldProblem::new(&*name, problem(&name, &value)?)))
            .collect()
    }
}

/// Refuses a command whose query is not understood.
pub(crate) async fn understood(
    State(parameters): State<Arc<Parameters>>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let problems = parameters.problems(request.method().as_str(), path.as_str(), query);
    if problems.is_empty() {
        next.run(request).await
    } else {
        Failure::fields(problems).into_response()
    }
}
