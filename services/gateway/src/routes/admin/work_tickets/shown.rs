//! A ticket and its days as the API shows them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proto::ticket::v1 as ticket;
use serde::Serialize;
use utoipa::ToSchema;

use super::effects::Warning;
use crate::answer::{instant, some};

#[derive(Serialize, ToSchema)]
pub(super) struct TicketDetail {
    #[serde(flatten)]
    ticket: Ticket,
    daily_tickets: Vec<Day>,
    warnings: Vec<Warning>,
    /// When the site's roster was last read from the real-name system; null: never, or it cannot be told now.
    roster_synced_at: Option<DateTime<Utc>>,
}

impl TicketDetail {
    pub(super) fn new(
        mut ticket: ticket::Ticket,
        counts: Vec<ticket::DayCounts>,
        warnings: Vec<ticket::Warning>,
        roster_synced_at: Option<DateTime<Utc>>,
    ) -> Self {
        let mut counts: HashMap<String, ticket::DayCounts> =
            counts.into_iter().map(|day| (day.daily_ticket_id.clone(), day)).collect();
        let days = std::mem::take(&mut ticket.daily_tickets).into_iter();
        let daily_tickets = days.map(|day| {
            let counts = counts.remove(&day.daily_ticket_id);
            Day::new(day, counts)
        });
        Self {
            daily_tickets: daily_tickets.collect(),
            ticket: ticket.into(),
            warnings: warnings.into_iter().map(Into::into).collect(),
            roster_synced_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ticket {
    ticket_id: String,
    site_id: String,
    contractor_id: String,
    title: String,
    remark: String,
    start_date: String,
    end_date: String,
    access_time_window: ShownWindow,
    training_deadline: String,
    time_zone: String,
    /// ALL or ANY.
    video_rule: String,
    notify_policy: ShownPolicy,
    area_ids: Vec<String>,
    worker_ids: Vec<String>,
    video_ids: Vec<String>,
    /// DRAFT, ACTIVE or CANCELLED.
    status: String,
    /// Counts people's edits: what an amendment names.
    version: u64,
    created_by: String,
    created_at: Option<DateTime<Utc>>,
    published_at: Option<DateTime<Utc>>,
    cancel_reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ShownWindow {
    start: String,
    end: String,
}

#[derive(Serialize, ToSchema)]
struct ShownPolicy {
    publish_now: bool,
    daily_reminder: bool,
}

#[derive(Serialize, ToSchema)]
struct Day {
    #[serde(flatten)]
    day: DailyTicket,
    training: Training,
    access: AccessState,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DailyTicket {
    daily_ticket_id: String,
    date: String,
    /// DRAFT, PUBLISHED, `IN_PROGRESS`, EXPIRED or CANCELLED.
    status: String,
    access_start_at: Option<DateTime<Utc>>,
    access_end_at: Option<DateTime<Utc>>,
    deadline_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

/// Workers, by how far they are.
#[derive(Serialize, ToSchema)]
struct Training {
    required: u32,
    completed: u32,
    in_progress: u32,
    failed: u32,
    not_started: u32,
}

/// Grants, by their state.
#[derive(Serialize, ToSchema)]
struct AccessState {
    pending_sync: u32,
    synced: u32,
    sync_failed: u32,
    revoked: u32,
}

impl From<ticket::Ticket> for Ticket {
    fn from(ticket: ticket::Ticket) -> Self {
        Self {
            ticket_id: ticket.ticket_id,
            site_id: ticket.site_id,
            contractor_id: ticket.contractor_id,
            title: ticket.title,
            remark: ticket.remark,
            start_date: ticket.start_date,
            end_date: ticket.end_date,
            access_time_window: ShownWindow {
                start: ticket.access_start_time,
                end: ticket.access_end_time,
            },
            training_deadline: ticket.training_deadline_time,
            time_zone: ticket.time_zone,
            video_rule: ticket.video_rule,
            notify_policy: ShownPolicy {
                publish_now: ticket.publish_now,
                daily_reminder: ticket.daily_reminder,
            },
            area_ids: ticket.area_ids,
            worker_ids: ticket.worker_ids,
            video_ids: ticket.video_ids,
            status: ticket.status,
            version: ticket.revision,
            created_by: ticket.created_by,
            created_at: instant(ticket.created_at),
            published_at: instant(ticket.published_at),
            cancel_reason: some(ticket.cancel_reason),
        }
    }
}

impl From<ticket::DailyTicket> for DailyTicket {
    fn from(day: ticket::DailyTicket) -> Self {
        Self {
            daily_ticket_id: day.daily_ticket_id,
            date: day.date,
            status: day.status,
            access_start_at: instant(day.access_start_at),
            access_end_at: instant(day.access_end_at),
            deadline_at: instant(day.deadline_at),
            expires_at: instant(day.expires_at),
        }
    }
}

impl Day {
    fn new(day: ticket::DailyTicket, counts: Option<ticket::DayCounts>) -> Self {
        let counts = counts.unwrap_or_default();
        let training = counts.training.unwrap_or_default();
        let access = counts.access.unwrap_or_default();
        Self {
            day: day.into(),
            training: Training {
                required: training.required,
                completed: training.completed,
                in_progress: training.in_progress,
                failed: training.failed,
                not_started: training.not_started,
            },
            access: AccessState {
                pending_sync: access.pending_sync,
                synced: access.synced,
                sync_failed: access.sync_failed,
                revoked: access.revoked,
            },
        }
    }
}
