//! The real-name system 实名制: who works on a site. Only read; its answers hold personal data and are not printed.

use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::Value;
use types::FaceId;
use vault::{IdNo, Phone};

use crate::domain::ReadingKind;

const PAGE_SIZE: usize = 200;
/// More people than any site has: an upstream that pages without end is away, not large.
const MOST_PAGES: usize = 500;
/// How often a roster that changes meanwhile is begun anew.
const READINGS: u32 = 3;
const LONGEST_ADDRESS: usize = 2000;
/// Of a name, a trade or a team, in characters: as much as a list may say.
const LONGEST_TEXT: usize = 60;

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
    /// The latest change, on the real-name system's clock; none where it does not say of each when they changed, and
    /// never later than the reading.
    pub newest: Option<DateTime<Utc>>,
    /// Whether it came in more pages than one: who moved from one to another may be on none.
    pub in_pages: bool,
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

/// Rows are looked at one by one: what is wrong with one says nothing of the others.
#[derive(Deserialize)]
struct Data {
    items: Vec<Value>,
    total: usize,
}

/// What could be read of a row.
struct Row {
    listed: Listed,
    present: bool,
    updated_at: Option<DateTime<Utc>>,
    /// The codes of the projects they are of; none where it does not say.
    projects: Vec<String>,
}

impl Row {
    /// Whether it lists somebody who is of other projects alone. Who has left this one may well be on another.
    fn is_of_others(&self, project: &str) -> bool {
        let named = !project.is_empty() && self.present && !self.projects.is_empty();
        named && self.projects.iter().all(|code| code != project)
    }
}

impl RealName {
    pub(crate) fn new(url: &str, http: service::http::Client) -> Self {
        Self { url: format!("{}/integration/realname/workers", url.trim_end_matches('/')), http }
    }

    /// All that was asked for, or nothing: the people of the project, or everybody where it has no code. A roster read in
    /// part would look as if people had left. One that grew or shrank while it was read is read again, since somebody
    /// may have slipped from one page to another. One with people of other projects alone is none: a system that does
    /// not look at the code answers with everybody.
    pub(crate) async fn pull(
        &self,
        project: &str,
        kind: ReadingKind,
        now: DateTime<Utc>,
    ) -> Result<Pulled, Away> {
        for _ in 0..READINGS {
            if let Some((rows, pages)) = self.read(project, kind).await? {
                return Ok(Pulled { in_pages: pages > 1, ..people(rows, now) });
            }
        }
        tracing::warn!("the roster changes faster than it can be read");
        Err(Away)
    }

    /// The rows and of how many pages they are; `None` when the roster was another at the end than at the beginning.
    async fn read(
        &self,
        project: &str,
        kind: ReadingKind,
    ) -> Result<Option<(Vec<Row>, usize)>, Away> {
        let mut rows = Vec::new();
        let mut expected = None;
        for page in 1..=MOST_PAGES {
            let data = self.page(page, project, kind).await?;
            if *expected.get_or_insert(data.total) != data.total {
                return Ok(None);
            }
            let last = data.items.is_empty();
            let begins = rows.len();
            rows.extend(data.items.iter().map(row));
            if rows[begins..].iter().any(|row| row.is_of_others(project)) {
                tracing::warn!(
                    "the real-name system lists people who are not of the project asked for"
                );
                return Err(Away);
            }
            if rows.len() >= data.total {
                return Ok(Some((rows, page)));
            }
            if last {
                tracing::warn!(read = rows.len(), total = data.total, "the roster ended early");
                return Err(Away);
            }
        }
        tracing::warn!("the roster does not end");
        Err(Away)
    }

    async fn page(&self, page: usize, project: &str, kind: ReadingKind) -> Result<Data, Away> {
        let mut query = vec![("page", page.to_string()), ("page_size", PAGE_SIZE.to_string())];
        if !project.is_empty() {
            query.push(("project_code", project.to_owned()));
        }
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
fn people(rows: Vec<Row>, now: DateTime<Utc>) -> Pulled {
    let dates = rows.iter().map(|row| row.updated_at).collect::<Option<Vec<_>>>();
    // What is dated ahead would hide the changes before that day.
    let newest = dates.and_then(|dates| dates.into_iter().max()).map(|newest| newest.min(now));
    let mut pulled = Pulled { newest, ..Pulled::default() };
    for Row { listed, present, .. } in rows {
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

fn row(item: &Value) -> Row {
    let four_digits_a_year = |day: &NaiveDate| (1..=9999).contains(&day.year());
    let short = |field| text(item, field).chars().take(LONGEST_TEXT).collect::<String>();
    let listed = Listed {
        name: short("name"),
        id_no: IdNo::parse(&text(item, "id_no")).ok(),
        phone: Phone::parse(&text(item, "phone")).ok(),
        face: FaceId::parse(&text(item, "face_id")).ok(),
        photo_url: Some(text(item, "photo_url")).filter(|text| is_address(text)),
        contractor_name: text(item, "contractor_name"),
        trade: short("trade"),
        team: short("team"),
        exit_date: text(item, "exit_date").parse().ok().filter(four_digits_a_year),
    };
    let status = text(item, "status");
    let updated_at = text(item, "updated_at").parse::<DateTime<FixedOffset>>().ok();
    Row {
        listed,
        present: status.is_empty() || status == "ACTIVE",
        updated_at: updated_at.map(|at| at.to_utc()),
        projects: projects(item),
    }
}

/// What a row says of projects: a list of codes, or one.
fn projects(item: &Value) -> Vec<String> {
    let codes = match &item["project_codes"] {
        Value::Array(codes) => codes.as_slice(),
        code => std::slice::from_ref(code),
    };
    let codes = codes.iter().chain([&item["project_code"]]).map(plain);
    codes.filter(|code| !code.is_empty()).collect()
}

fn text(item: &Value, field: &str) -> String {
    plain(&item[field])
}

/// What is said there, a number too, without control characters: PostgreSQL keeps no zero. Empty where it says nothing
/// that is one.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    text.trim().to_owned()
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
        let now = "2026-03-02T00:00:00Z".parse().unwrap();
        let items: Vec<Value> = serde_json::from_value(items).unwrap();
        people(items.iter().map(row).collect(), now)
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
    fn a_change_dated_ahead_counts_as_of_the_reading() {
        let dated = |at: &str| json!({ "name": "a", "phone": "19900000001", "updated_at": at });
        let rows = json!([dated("2026-03-01T08:00:00Z"), dated("2099-01-01T00:00:00Z")]);
        assert_eq!(pulled(rows).newest, "2026-03-02T00:00:00Z".parse().ok());
    }

    #[test]
    fn a_row_that_is_none_is_left_out_and_the_others_are_read() {
        let person =
            json!({ "name": "a", "phone": "19900000001", "updated_at": "2026-03-01T08:00:00Z" });
        for odd in [
            json!("a"),
            json!(null),
            json!([]),
            json!({ "name": null, "phone": "19900000002" }),
            json!({ "name": {"first": "a"}, "phone": "19900000002" }),
            json!({ "name": "\u{0} \n", "phone": "19900000002" }),
        ] {
            let pulled = pulled(json!([odd, person]));
            assert_eq!((pulled.present.len(), pulled.left_out), (1, 1), "{odd}");
        }
    }

    #[test]
    fn a_field_in_another_form_is_read_as_a_text_or_counts_as_none() {
        let odd = json!({
            "name": " a\u{0}b ", "phone": 19_900_000_001_u64, "contractor_name": 7, "trade": "x".repeat(500),
            "team": ["one"], "face_id": {}, "status": null, "updated_at": "yesterday", "exit_date": "+262000-01-01",
        });
        let pulled = pulled(json!([odd]));
        let listed = &pulled.present[0];
        assert_eq!((listed.name.as_str(), listed.contractor_name.as_str()), ("ab", "7"));
        assert!(listed.phone == Phone::parse("19900000001").ok());
        assert_eq!((listed.trade.len(), listed.team.as_str()), (LONGEST_TEXT, ""));
        assert_eq!((&listed.face, listed.exit_date, pulled.newest), (&None, None, None));
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
    fn who_is_listed_and_of_other_projects_alone_is_of_others() {
        for (item, of_others) in [
            (json!({ "project_codes": ["P1"] }), false),
            (json!({ "project_codes": ["P2", " P1 "] }), false),
            (json!({ "project_codes": ["P2"] }), true),
            (json!({ "project_codes": ["P11", "p1"] }), true),
            (json!({ "project_codes": "P2" }), true),
            (json!({ "project_codes": [7] }), true),
            (json!({ "project_code": "P2" }), true),
            (json!({ "project_code": "P1" }), false),
            (json!({ "project_code": "P2", "project_codes": ["P1"] }), false),
            (json!({ "project_codes": ["P2"], "status": "ACTIVE" }), true),
            (json!({ "project_codes": ["P2"], "status": "LEFT" }), false),
            (json!({ "project_codes": [] }), false),
            (json!({ "project_codes": [null, ""], "project_code": null }), false),
            (json!({}), false),
            (json!("P2"), false),
        ] {
            assert_eq!(row(&item).is_of_others("P1"), of_others, "{item}");
            assert!(!row(&item).is_of_others(""), "{item}: everybody was asked for");
        }
        assert!(!row(&json!({ "project_code": 7 })).is_of_others("7"));
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
