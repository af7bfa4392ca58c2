//! The real-name system 实名制: who works on a site. Only read; its answers hold personal data and are not printed.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Utc};
use serde::Deserialize;
use types::FaceId;
use vault::{IdNo, Phone};

use crate::domain::ReadingKind;

const PAGE_SIZE: usize = 200;
/// More people than any site has: an upstream that pages without end is away, not large.
const MOST_PAGES: usize = 500;
/// How often a roster that changes meanwhile is begun anew.
const READINGS: u32 = 3;
const LONGEST_ADDRESS: usize = 2000;

/// It gave no whole roster; what we know stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the real-name system gave no whole roster")]
pub(crate) struct Away;

#[derive(Debug, Clone)]
pub(crate) struct RealName {
    url: String,
    http: service::http::Client,
}

/// One person of the roster. What is no valid number counts as none.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub name: String,
    pub id_no: Option<IdNo>,
    pub phone: Option<Phone>,
    pub face: Option<FaceId>,
    /// It leads to the person's face.
    pub photo_url: Option<String>,
    pub contractor_name: String,
    pub trade: String,
    pub team: String,
    /// The last day they are meant to work here.
    pub exit_date: Option<NaiveDate>,
}

/// What one reading of the roster was answered.
#[derive(Debug, Default)]
pub(crate) struct Pulled {
    pub present: Vec<Listed>,
    /// Named as people who are not on it any more.
    pub left: Vec<Listed>,
    /// Rows that tell nobody apart.
    pub left_out: u32,
    /// The latest change, on the real-name system's clock; none where it does not say of each when they changed.
    pub newest: Option<DateTime<Utc>>,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listed(***)")
    }
}

#[derive(Deserialize)]
struct Envelope {
    code: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    items: Vec<Item>,
    total: usize,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    id_no: Option<String>,
    name: String,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    contractor_name: Option<String>,
    #[serde(default)]
    trade: Option<String>,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    face_id: Option<String>,
    #[serde(default)]
    photo_url: Option<String>,
    #[serde(default)]
    exit_date: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    updated_at: Option<DateTime<FixedOffset>>,
}

impl RealName {
    pub(crate) fn new(url: &str, http: service::http::Client) -> Self {
        Self { url: format!("{}/integration/realname/workers", url.trim_end_matches('/')), http }
    }

    /// All that was asked for, or nothing: a roster read in part would look as if people had left. One that grew or
    /// shrank while it was read is read again, since somebody may have slipped from one page to another.
    pub(crate) async fn pull(&self, kind: ReadingKind) -> Result<Pulled, Away> {
        for _ in 0..READINGS {
            if let Some(items) = self.read(kind).await? {
                return Ok(people(items));
            }
        }
        tracing::warn!("the roster changes faster than it can be read");
        Err(Away)
    }

    /// `None` when the roster was another at the end than at the beginning.
    async fn read(&self, kind: ReadingKind) -> Result<Option<Vec<Item>>, Away> {
        let mut items = Vec::new();
        let mut expected = None;
        for page in 1..=MOST_PAGES {
            let data = self.page(page, kind).await?;
            if *expected.get_or_insert(data.total) != data.total {
                return Ok(None);
            }
            let last = data.items.is_empty();
            items.extend(data.items);
            if items.len() >= data.total {
                return Ok(Some(items));
            }
            if last {
                tracing::warn!(read = items.len(), total = data.total, "the roster ended early");
                return Err(Away);
            }
        }
        tracing::warn!("the roster does not end");
        Err(Away)
    }

    async fn page(&self, page: usize, kind: ReadingKind) -> Result<Data, Away> {
        let mut query = vec![("page", page.to_string()), ("page_size", PAGE_SIZE.to_string())];
        if let ReadingKind::Changes { since } = kind {
            query.push(("updated_since", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
        }
        let away = |err: reqwest::Error| {
            tracing::warn!(error = %err.without_url(), "the real-name system does not answer");
            Away
        };
        let response = self.http.get(&self.url).query(&query).send().await.map_err(away)?;
        let response = response.error_for_status().map_err(away)?;
        let envelope: Envelope = response.json().await.map_err(away)?;
        if envelope.code != 0 {
            tracing::warn!(realname.code = envelope.code, "the real-name system refused");
            return Err(Away);
        }
        Ok(envelope.data)
    }
}

/// Those who can be told apart; the others are counted and left out.
fn people(items: Vec<Item>) -> Pulled {
    let dated = items.iter().map(|item| item.updated_at.map(|at| at.to_utc()));
    let newest = dated.collect::<Option<Vec<_>>>().and_then(|dates| dates.into_iter().max());
    let mut pulled = Pulled { newest, ..Pulled::default() };
    for item in items {
        let present = item.status.as_deref().unwrap_or("ACTIVE") == "ACTIVE";
        let listed = listed(item);
        let told_apart =
            !listed.name.is_empty() && (listed.id_no.is_some() || listed.phone.is_some());
        match (told_apart, present) {
            (true, true) => pulled.present.push(listed),
            (true, false) => pulled.left.push(listed),
            (false, _) => pulled.left_out += 1,
        }
    }
    if pulled.left_out > 0 {
        tracing::info!(left_out = pulled.left_out, "people of the roster were left out");
    }
    pulled
}

fn listed(item: Item) -> Listed {
    Listed {
        name: item.name.trim().to_owned(),
        id_no: item.id_no.and_then(|text| IdNo::parse(&text).ok()),
        phone: item.phone.and_then(|text| Phone::parse(&text).ok()),
        face: item.face_id.and_then(|text| FaceId::parse(&text).ok()),
        photo_url: item.photo_url.filter(|text| is_address(text)),
        contractor_name: item.contractor_name.unwrap_or_default().trim().to_owned(),
        trade: item.trade.unwrap_or_default(),
        team: item.team.unwrap_or_default(),
        exit_date: item.exit_date.and_then(|text| text.parse().ok()),
    }
}

/// Whether a picture may be fetched there.
fn is_address(text: &str) -> bool {
    let web = |url: reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    text.len() <= LONGEST_ADDRESS && reqwest::Url::parse(text).is_ok_and(web)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pulled(items: serde_json::Value) -> Pulled {
        people(serde_json::from_value(items).unwrap())
    }

    #[test]
    fn the_latest_change_is_known_only_where_each_row_is_dated() {
        let dated = |at: &str| json!({ "name": "a", "phone": "19900000001", "updated_at": at });
        let (one, two) = (dated("2026-03-01T08:00:00+08:00"), dated("2026-03-01T01:00:00Z"));
        assert_eq!(pulled(json!([one, two])).newest, "2026-03-01T01:00:00Z".parse().ok());
        assert_eq!(pulled(json!([one, { "name": "b" }])).newest, None);
        assert_eq!(pulled(json!([])).newest, None);
    }

    #[test]
    fn people_are_parted_into_present_left_and_not_told_apart() {
        let person =
            |status: &str| json!({ "name": "a", "phone": "19900000001", "status": status });
        let nobody = json!({ "name": "a", "phone": "12345" });
        let pulled = pulled(json!([person("ACTIVE"), person("LEFT"), nobody]));
        assert_eq!((pulled.present.len(), pulled.left.len(), pulled.left_out), (1, 1, 1));
    }

    #[test]
    fn a_day_of_leaving_that_is_no_date_counts_as_none() {
        for (text, date) in [
            (json!("2026-03-31"), NaiveDate::from_ymd_opt(2026, 3, 31)),
            (json!("2026-02-30"), None),
            (json!("soon"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            let item = json!({ "name": "a", "phone": "19900000001", "exit_date": text });
            assert_eq!(pulled(json!([item])).present[0].exit_date, date, "{text}");
        }
    }

    #[test]
    fn only_an_address_of_the_web_is_kept_as_one_of_a_picture() {
        for (address, kept) in [
            ("https://photos.example/1.jpg", true),
            ("http://photos.example/1.jpg", true),
            ("file:///etc/passwd", false),
            ("data:image/png;base64,AAAA", false),
            ("1.jpg", false),
            ("", false),
        ] {
            assert_eq!(is_address(address), kept, "{address}");
        }
        assert!(!is_address(&format!("https://photos.example/{}", "a".repeat(LONGEST_ADDRESS))));
    }
}
