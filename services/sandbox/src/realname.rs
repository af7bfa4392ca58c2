//! The real-name system 实名制 of a demo site: the same invented people at every start.

use std::sync::LazyLock;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::{BadFields, Refused, ok};
use crate::sandbox::{Sandbox, local};

/// A firm on the demo site, by its unified social credit code.
#[derive(Debug, Clone, Copy)]
pub struct Contractor {
    pub code: &'static str,
    pub name: &'static str,
}

/// The first 36 people work for the first, the others for the second.
pub const CONTRACTORS: [Contractor; 2] = [
    Contractor { code: "91659999MA0000015F", name: "示例建工第一工程公司" },
    Contractor { code: "91659999MA0000023A", name: "示例建工第二工程公司" },
];

/// The codes of two projects 项目编码: everybody works on the first, the people of the second firm on both.
pub const PROJECTS: [&str; 2] = ["65999920260001", "65999920260002"];

/// How many people the roster holds: 测试工人01 … 测试工人60, 19900000001 …, `face_0001` …. The last one leaves the site
/// at the end of the year.
pub const ROSTER_SIZE: u32 = 60;
const OF_THE_FIRST: u32 = 36;

const TRADES: [(&str, &str); 6] = [
    ("钢筋工", "钢筋班"),
    ("木工", "木工班"),
    ("混凝土工", "混凝土班"),
    ("架子工", "架子班"),
    ("电工", "水电班"),
    ("焊工", "焊接班"),
];

/// One invented person. The county of the identity number is not assigned to any place.
#[derive(Debug, Clone)]
pub struct Person {
    pub id_no: String,
    pub name: String,
    pub phone: String,
    pub face_id: String,
    pub contractor: Contractor,
    pub projects: &'static [&'static str],
    pub trade: &'static str,
    pub team: &'static str,
    /// Whether the last day of the year is their last on the site.
    pub leaves: bool,
    pub updated_at: DateTime<Utc>,
}

static ROSTER: LazyLock<Vec<Person>> =
    LazyLock::new(|| (1..=ROSTER_SIZE).map(Person::invent).collect());

/// Everybody, in the order of their numbers.
pub fn roster() -> &'static [Person] {
    &ROSTER
}

impl Person {
    fn invent(number: u32) -> Self {
        let first = NaiveDate::from_ymd_opt(1980, 1, 1).expect("a day of the calendar");
        let birth = first + TimeDelta::days(i64::from(number * 117 % 7300));
        let body = format!("659999{}{number:03}", birth.format("%Y%m%d"));
        let of_the_second = number > OF_THE_FIRST;
        let (trade, team) = TRADES[number as usize % TRADES.len()];
        Self {
            id_no: format!("{body}{}", check_digit(&body)),
            name: format!("测试工人{number:02}"),
            phone: format!("1990000{number:04}"),
            face_id: format!("face_{number:04}"),
            contractor: CONTRACTORS[usize::from(of_the_second)],
            projects: if of_the_second { &PROJECTS } else { &PROJECTS[..1] },
            trade,
            team,
            leaves: number == ROSTER_SIZE,
            updated_at: DateTime::from_timestamp(1_767_225_600, 0)
                .expect("the first of January 2026"),
        }
    }

    fn to_json(&self, host: &str, today: NaiveDate) -> Value {
        json!({
            "id_no": self.id_no,
            "name": self.name,
            "phone": self.phone,
            "contractor_code": self.contractor.code,
            "contractor_name": self.contractor.name,
            "project_codes": self.projects,
            "trade": self.trade,
            "team": self.team,
            "exit_date": self.leaves.then(|| NaiveDate::from_ymd_opt(today.year(), 12, 31)).flatten(),
            "face_id": self.face_id,
            "photo_url": format!("http://{host}/realname/photos/{}", self.face_id),
            "status": "ACTIVE",
            "updated_at": local(self.updated_at).to_rfc3339(),
        })
    }

    fn answers_to(&self, keyword: &str) -> bool {
        self.name.contains(keyword)
            || self.phone == keyword
            || self.id_no.eq_ignore_ascii_case(keyword)
    }
}

// GB 11643: ISO 7064 MOD 11-2 over the first seventeen digits.
fn check_digit(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 =
        body.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    char::from(b"10X98765432"[(sum % 11) as usize])
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/integration/realname/workers", get(list))
        .route("/integration/realname/workers/{id_no}", get(one))
        .route("/photos/{face_id}", get(photo))
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new().route("/realname", get(summary))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    keyword: String,
    page: Option<String>,
    page_size: Option<String>,
    updated_since: Option<String>,
    project_code: Option<String>,
}

async fn list(
    State(sandbox): State<Sandbox>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    let mut bad = BadFields::default();
    let page = number(wanted.page.as_deref(), 1, usize::MAX, 1);
    let size = number(wanted.page_size.as_deref(), 1, 200, 20);
    let since = wanted.updated_since.as_deref().map(DateTime::parse_from_rfc3339).transpose().ok();
    for (read, field, problem) in [
        (page.is_some(), "page", "must be 1 or more"),
        (size.is_some(), "page_size", "must be 1 to 200"),
        (since.is_some(), "updated_since", "must be an RFC 3339 instant"),
    ] {
        if !read {
            bad.add(field, problem);
        }
    }
    let ((page, size), since) = bad.or(page.zip(size).zip(since))?;

    let (host, today) = (host(&headers), sandbox.site_now().date_naive());
    let found: Vec<_> = roster()
        .iter()
        .filter(|person| wanted.keyword.is_empty() || person.answers_to(&wanted.keyword))
        .filter(|person| since.is_none_or(|since| person.updated_at > since))
        // A code that nobody has is no mistake there: its roster is of nobody.
        .filter(|person| {
            wanted.project_code.as_deref().is_none_or(|code| person.projects.contains(&code))
        })
        .collect();
    let items: Vec<_> = found
        .iter()
        .skip((page - 1).saturating_mul(size))
        .take(size)
        .map(|person| person.to_json(&host, today))
        .collect();
    Ok(ok(&json!({"items": items, "total": found.len(), "page": page, "page_size": size})))
}

fn number(text: Option<&str>, least: usize, most: usize, otherwise: usize) -> Option<usize> {
    let Some(text) = text else { return Some(otherwise) };
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

async fn one(
    State(sandbox): State<Sandbox>,
    Path(id_no): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    match roster().iter().find(|person| person.id_no.eq_ignore_ascii_case(&id_no)) {
        Some(person) => Ok(ok(&person.to_json(&host(&headers), sandbox.site_now().date_naive()))),
        None => Err(Refused::not_found()),
    }
}

fn host(headers: &HeaderMap) -> String {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned()
}

// A drawing with the person's number, so that the roster's links lead somewhere.
async fn photo(Path(face_id): Path<String>) -> Response {
    if !roster().iter().any(|person| person.face_id == face_id) {
        return Refused::not_found().into_response();
    }
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"240\" height=\"320\"><rect width=\"240\" height=\"320\" \
         fill=\"#dde3ea\"/><circle cx=\"120\" cy=\"120\" r=\"60\" fill=\"#8a99ab\"/><ellipse cx=\"120\" cy=\"290\" \
         rx=\"95\" ry=\"90\" fill=\"#8a99ab\"/><text x=\"120\" y=\"310\" text-anchor=\"middle\">{face_id}</text></svg>"
    );
    ([(header::CONTENT_TYPE, "image/svg+xml")], drawing).into_response()
}

async fn summary(State(_): State<Sandbox>) -> Json<Value> {
    let contractors =
        CONTRACTORS.map(|contractor| json!({"code": contractor.code, "name": contractor.name}));
    Json(json!({"workers": roster().len(), "contractors": contractors, "project_codes": PROJECTS}))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_standards_own_sample_has_its_check_digit() {
        assert_eq!(check_digit("11010519491231002"), 'X');
        assert_eq!(check_digit("44052418800101001"), '4');
    }

    #[test]
    fn everybody_has_a_valid_identity_number_of_their_own() {
        let distinct: HashSet<_> = roster().iter().map(|person| person.id_no.as_str()).collect();
        assert_eq!(distinct.len(), ROSTER_SIZE as usize);
        for person in roster() {
            vault::IdNo::parse(&person.id_no).unwrap();
            assert!(person.id_no.starts_with("659999"));
        }
    }
}
