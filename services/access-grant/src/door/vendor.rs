use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};
use events::async_trait;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use service::http::Client;
use types::{AccessGroupId, InstantWindow};

use super::{Door, Entry, Fault, Order, Page, local};

const DEADLINE: Duration = Duration::from_secs(5);
const GRANTS: &str = "/api/integration/access-control/grants";

/// The door vendor's platform over HTTP (PRD 9.6.1).
#[derive(Debug, Clone)]
pub struct VendorDoor {
    http: Client,
    url: String,
}

impl VendorDoor {
    /// `url` is what stands before `/api/integration`.
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Client::new(DEADLINE)?,
            url: format!("{}{GRANTS}", url.trim_end_matches('/')),
        })
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    code: i64,
    data: Option<T>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    grant_id: String,
    worker: Face,
    access_start_at: DateTime<FixedOffset>,
    access_end_at: DateTime<FixedOffset>,
}

#[derive(Deserialize)]
struct Face {
    face_id: String,
}

#[async_trait]
impl Door for VendorDoor {
    async fn push(&self, order: &Order<'_>) -> Result<(), Fault> {
        let body = json!({
            "grant_id": order.grant,
            "worker": {"id_no": order.person.id_no, "name": order.person.name, "face_id": order.face_id},
            "area": {"access_group_id": order.group},
            "access_start_at": local(order.window.start, order.zone),
            "access_end_at": local(order.window.end, order.zone),
        });
        send::<serde::de::IgnoredAny>(self.http.post(&self.url).json(&body)).await?;
        Ok(())
    }

    async fn remove(&self, _group: &AccessGroupId, grant_id: &str) -> Result<(), Fault> {
        let mut url =
            reqwest::Url::parse(&self.url).map_err(|_| Fault::Refused("BAD_URL".to_owned()))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(grant_id);
        }
        send::<serde::de::IgnoredAny>(self.http.delete(url.as_str())).await?;
        Ok(())
    }

    async fn read(&self, group: &AccessGroupId, cursor: Option<&str>) -> Result<Page, Fault> {
        let mut query = vec![("access_group_id", group.as_str()), ("limit", "500")];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let answer: Items = send(self.http.get(&self.url).query(&query))
            .await?
            .ok_or_else(|| Fault::Refused("BAD_ANSWER".to_owned()))?;
        let entries = answer.items.into_iter().map(|item| Entry {
            grant_id: item.grant_id,
            face_id: item.worker.face_id,
            window: InstantWindow {
                start: item.access_start_at.with_timezone(&Utc),
                end: item.access_end_at.with_timezone(&Utc),
            },
        });
        Ok(Page {
            entries: entries.collect(),
            next_cursor: answer.next_cursor.filter(|cursor| !cursor.is_empty()),
        })
    }
}

/// Sends and judges by HTTP status and the envelope's code. Only codes are kept: an answer may quote the person.
async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<Option<T>, Fault> {
    let answer = request.send().await.map_err(|err| away(&err))?;
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Fault::Away(format!("HTTP_{}", status.as_u16())));
    }
    let body = answer.bytes().await.map_err(|err| away(&err))?;
    let envelope = serde_json::from_slice::<Envelope<T>>(&body);
    match envelope {
        Ok(envelope) if status.is_success() && envelope.code == 0 => Ok(envelope.data),
        Ok(envelope) if envelope.code != 0 => {
            Err(Fault::Refused(format!("REFUSED_{}", envelope.code)))
        }
        Err(_) if status.is_success() => Err(Fault::Refused("BAD_ANSWER".to_owned())),
        _ => Err(Fault::Refused(format!("HTTP_{}", status.as_u16()))),
    }
}

fn away(err: &reqwest::Error) -> Fault {
    Fault::Away(if err.is_timeout() { "TIMEOUT" } else { "UNREACHABLE" }.to_owned())
}
