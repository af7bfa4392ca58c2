//! The real-name system 实名制: who works on a site. Only read; its answers hold personal data and are not printed.

use std::fmt;

use serde::Deserialize;
use types::FaceId;
use vault::{IdNo, Phone};

const PAGE_SIZE: usize = 200;
/// More people than any site has: an upstream that pages without end is away, not large.
const MOST_PAGES: usize = 500;

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
    pub contractor_name: String,
    pub trade: String,
    pub team: String,
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
    status: Option<String>,
}

impl RealName {
    pub(crate) fn new(url: &str, http: service::http::Client) -> Self {
        Self { url: format!("{}/integration/realname/workers", url.trim_end_matches('/')), http }
    }

    /// Everybody, or nobody: a roster read in part would look as if people had left.
    pub(crate) async fn everybody(&self) -> Result<Vec<Listed>, Away> {
        let mut items = Vec::new();
        for page in 1..=MOST_PAGES {
            let data = self.page(page).await?;
            let last = data.items.is_empty();
            items.extend(data.items);
            if items.len() >= data.total {
                return Ok(people(items));
            }
            if last {
                tracing::warn!(read = items.len(), total = data.total, "the roster ended early");
                return Err(Away);
            }
        }
        tracing::warn!("the roster does not end");
        Err(Away)
    }

    async fn page(&self, page: usize) -> Result<Data, Away> {
        let query = [("page", page), ("page_size", PAGE_SIZE)];
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

/// Those on the roster who can be told apart; the others are counted and left out.
fn people(items: Vec<Item>) -> Vec<Listed> {
    let all = items.len();
    let active =
        items.into_iter().filter(|item| item.status.as_deref().unwrap_or("ACTIVE") == "ACTIVE");
    let listed = active.map(|item| Listed {
        name: item.name.trim().to_owned(),
        id_no: item.id_no.and_then(|text| IdNo::parse(&text).ok()),
        phone: item.phone.and_then(|text| Phone::parse(&text).ok()),
        face: item.face_id.and_then(|text| FaceId::parse(&text).ok()),
        contractor_name: item.contractor_name.unwrap_or_default().trim().to_owned(),
        trade: item.trade.unwrap_or_default(),
        team: item.team.unwrap_or_default(),
    });
    let told_apart: Vec<Listed> = listed
        .filter(|person| {
            !person.name.is_empty() && (person.id_no.is_some() || person.phone.is_some())
        })
        .collect();
    if told_apart.len() < all {
        tracing::info!(left_out = all - told_apart.len(), "people of the roster were left out");
    }
    told_apart
}
