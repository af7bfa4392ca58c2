use chrono::{DateTime, NaiveDate, Utc};
use service::StoreError;
use types::{
    AreaId, ContractorId, DailyTicketId, NotificationId, SiteId, SiteZone, TicketId, WorkerId,
};
use uuid::Uuid;

use crate::domain::{ByHand, Content, Notice, Refusal, State};
use crate::store::Versioned;

/// A row as it is stored.
pub(super) struct Row {
    pub(super) notification_id: Uuid,
    pub(super) site_id: Uuid,
    pub(super) contractor_id: Uuid,
    pub(super) worker_id: Uuid,
    pub(super) ticket_id: Uuid,
    pub(super) ticket_version: i64,
    pub(super) daily_ticket_id: Uuid,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) date: NaiveDate,
    pub(super) deadline_at: DateTime<Utc>,
    pub(super) time_zone: String,
    pub(super) area_ids: Vec<Uuid>,
    pub(super) video_count: i32,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) attempts: i32,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) settled_at: Option<DateTime<Utc>>,
    pub(super) msgid: Option<String>,
    pub(super) errcode: Option<i64>,
    pub(super) retried_on: Option<NaiveDate>,
    pub(super) retries: i32,
    pub(super) traceparent: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) version: i64,
}

impl TryFrom<Row> for Versioned<Notice> {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("notices", row.notification_id);
        let number = |number: i32| u32::try_from(number).map_err(|_| corrupt());
        let value = Notice {
            id: NotificationId::from_uuid(row.notification_id),
            site: SiteId::from_uuid(row.site_id),
            contractor: ContractorId::from_uuid(row.contractor_id),
            worker: WorkerId::from_uuid(row.worker_id),
            ticket: TicketId::from_uuid(row.ticket_id),
            ticket_version: u64::try_from(row.ticket_version).map_err(|_| corrupt())?,
            day: DailyTicketId::from_uuid(row.daily_ticket_id),
            kind: row.kind.parse().map_err(|_| corrupt())?,
            zone: SiteZone::parse(&row.time_zone).map_err(|_| corrupt())?,
            state: state(&row).ok_or_else(corrupt)?,
            attempts: number(row.attempts)?,
            by_hand: match row.retried_on {
                Some(on) => Some(ByHand { on, count: number(row.retries)? }),
                None => None,
            },
            created_at: row.created_at,
            content: Content {
                date: row.date,
                deadline_at: row.deadline_at,
                video_count: number(row.video_count)?,
                areas: row.area_ids.iter().copied().map(AreaId::from_uuid).collect(),
                title: row.title,
            },
            traceparent: row.traceparent,
        };
        let version = u64::try_from(row.version)
            .map_err(|_| StoreError::corrupt("notices", row.notification_id))?;
        Ok(Self { value, version })
    }
}

/// The one state that explains the columns.
fn state(row: &Row) -> Option<State> {
    let facts = (row.due_at, row.lease_until, row.settled_at);
    Some(match (row.status.as_str(), row.reason.as_deref(), facts) {
        ("QUEUED", None, (Some(due_at), None, None)) => State::Queued { due_at },
        ("SENDING", None, (None, Some(lease_until), None)) => State::Sending { lease_until },
        ("SENT", None, (None, None, Some(at))) => {
            State::Sent { at, msgid: row.msgid.as_ref()?.parse().ok()? }
        }
        ("FAILED", Some("REFUSED"), (None, None, Some(at))) => {
            State::Failed { at, why: Refusal::Refused { errcode: row.errcode? } }
        }
        ("FAILED", Some("PROVIDER_ERROR"), (None, None, Some(at))) => {
            State::Failed { at, why: Refusal::ProviderError }
        }
        ("SKIPPED", Some(why), (None, None, Some(at))) => {
            State::Skipped { at, why: why.parse().ok()? }
        }
        ("UNKNOWN", None, (None, None, Some(at))) => State::Unknown { at },
        _ => return None,
    })
}

/// A notice's columns that are not plain fields of it.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) ticket_version: i64,
    pub(super) areas: Vec<Uuid>,
    pub(super) video_count: i32,
    pub(super) status: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) attempts: i32,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) settled_at: Option<DateTime<Utc>>,
    pub(super) msgid: Option<String>,
    pub(super) errcode: Option<i64>,
    pub(super) retried_on: Option<NaiveDate>,
    pub(super) retries: i32,
}

impl Parts {
    pub(super) fn of(notice: &Notice) -> Result<Self, StoreError> {
        let number = |number: u32| {
            i32::try_from(number).map_err(|_| StoreError::corrupt("notices", notice.id))
        };
        let parts = Self {
            ticket_version: i64::try_from(notice.ticket_version)
                .map_err(|_| StoreError::corrupt("notices", notice.id))?,
            areas: notice.content.areas.iter().map(|area| area.as_uuid()).collect(),
            video_count: number(notice.content.video_count)?,
            attempts: number(notice.attempts)?,
            retried_on: notice.by_hand.map(|by_hand| by_hand.on),
            retries: number(notice.by_hand.map_or(0, |by_hand| by_hand.count))?,
            ..Self::default()
        };
        Ok(match notice.state {
            State::Queued { due_at } => Self { status: "QUEUED", due_at: Some(due_at), ..parts },
            State::Sending { lease_until } => {
                Self { status: "SENDING", lease_until: Some(lease_until), ..parts }
            }
            State::Sent { at, msgid } => Self {
                status: "SENT",
                settled_at: Some(at),
                msgid: Some(msgid.to_string()),
                ..parts
            },
            State::Failed { at, why } => {
                let (reason, errcode) = match why {
                    Refusal::Refused { errcode } => ("REFUSED", Some(errcode)),
                    Refusal::ProviderError => ("PROVIDER_ERROR", None),
                };
                Self {
                    status: "FAILED",
                    settled_at: Some(at),
                    reason: Some(reason),
                    errcode,
                    ..parts
                }
            }
            State::Skipped { at, why } => Self {
                status: "SKIPPED",
                settled_at: Some(at),
                reason: Some(why.as_str()),
                ..parts
            },
            State::Unknown { at } => Self { status: "UNKNOWN", settled_at: Some(at), ..parts },
        })
    }
}
