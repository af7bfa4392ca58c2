//! What a call answers: the envelope, and the shapes that lists share.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use serde::Serialize;
use types::Page;
use utoipa::ToSchema;

use crate::failure::Failure;

/// What a handler answers.
pub(crate) type Answer<T> = Result<Enveloped<T>, Failure>;

/// `{"code": 0, "message": "ok", "data": …}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enveloped<T> {
    /// 0
    code: u32,
    /// ok
    message: &'static str,
    data: T,
}

impl<T> Enveloped<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { code: 0, message: "ok", data }
    }
}

impl<T: Serialize> IntoResponse for Enveloped<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "ends handlers, which answer a Result")]
pub(crate) fn answer<T>(data: T) -> Answer<T> {
    Ok(Enveloped::new(data))
}

/// Nothing to say but that it was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the API's word")]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    /// Of all pages.
    pub(crate) total: u32,
    pub(crate) page: u32,
    pub(crate) page_size: u32,
}

impl<T> Items<T> {
    pub(crate) fn new(
        items: impl IntoIterator<Item = impl Into<T>>,
        total: u32,
        page: Page,
    ) -> Self {
        let items = items.into_iter().map(Into::into).collect();
        Self { items, total, page: page.page, page_size: page.page_size }
    }

    /// The page of a list that its service answers whole.
    pub(crate) fn page_of(all: Vec<impl Into<T>>, page: Page) -> Self {
        let total = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let take = usize::try_from(page.limit()).unwrap_or_default();
        Self::new(all.into_iter().skip(skip).take(take), total, page)
    }
}

/// A part of a long log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scrolled<T> {
    pub(crate) items: Vec<T>,
    /// What the next call takes as `cursor`; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Whether a name holds what is looked for, in letters of either case.
pub(crate) fn named(name: &str, keyword: Option<&str>) -> bool {
    keyword.is_none_or(|keyword| name.to_lowercase().contains(&keyword.trim().to_lowercase()))
}

/// A text that protobuf leaves empty where there is none.
pub(crate) fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

pub(crate) fn instant(timestamp: Option<Timestamp>) -> Option<DateTime<Utc>> {
    proto::instant(timestamp.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_whole_list_is_cut_out_of_it() {
        let page = Page { page: 2, page_size: 2 };
        let items: Items<u8> = Items::page_of(vec![1_u8, 2, 3, 4, 5], page);
        assert_eq!((items.items, items.total), (vec![3, 4], 5));
        let beyond: Items<u8> = Items::page_of(vec![1_u8], page);
        assert_eq!((beyond.items, beyond.total), (vec![], 1));
    }

    #[test]
    fn a_name_is_found_by_a_part_of_it_in_letters_of_either_case() {
        assert!(named("一号工地 North", Some(" north ")) && named("一号工地", None));
        assert!(!named("一号工地", Some("二号")));
    }
}
