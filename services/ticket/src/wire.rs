//! From the domain to messages, in one place.

use auth::Subject;
use chrono::{DateTime, Utc};
use proto::ticket::v1 as pb;
use proto::timestamp;
use serde_json::{Value, json};
use types::{AccountId, DailyTicketId, TicketId, WorkerId, format_time};

use crate::domain::{
    AccessCounts, Cancellation, DailyTicket, Grant, Listing, Publication, Ticket, TrainingCounts,
    WorkerProgress,
};

/// The whole ticket at its version, as every fact about it carries it.
pub(crate) fn ticket(value: &Ticket, version: u64) -> pb::Ticket {
    pb::Ticket {
        ticket_id: value.id.to_string(),
        site_id: value.site.to_string(),
        contractor_id: value.contractor.to_string(),
        title: value.title.clone(),
        remark: value.remark.clone(),
        start_date: value.first_date.to_string(),
        end_date: value.last_date.to_string(),
        access_start_time: value.terms.window.start_text(),
        access_end_time: value.terms.window.end_text(),
        training_deadline_time: format_time(value.terms.deadline_time()),
        time_zone: value.terms.zone.to_string(),
        video_rule: value.terms.video_rule.to_string(),
        publish_now: value.terms.publish_now,
        daily_reminder: value.terms.daily_reminder,
        area_ids: value.areas.iter().map(ToString::to_string).collect(),
        worker_ids: value.workers.iter().map(ToString::to_string).collect(),
        video_ids: value.videos.iter().map(ToString::to_string).collect(),
        status: value.status().to_string(),
        daily_tickets: value.days.iter().map(daily_ticket).collect(),
        version,
        created_by: account(value.created_by),
        created_at: Some(timestamp(value.created_at)),
        published_at: value.publication().map(|publication| timestamp(publication.at)),
        cancel_reason: value.cancellation().map(|it| it.reason.clone()).unwrap_or_default(),
    }
}

pub(crate) fn daily_ticket(day: &DailyTicket) -> pb::DailyTicket {
    pb::DailyTicket {
        daily_ticket_id: day.id.to_string(),
        date: day.date.to_string(),
        status: day.status().to_string(),
        access_start_at: Some(timestamp(day.window.start)),
        access_end_at: Some(timestamp(day.window.end)),
        deadline_at: Some(timestamp(day.deadline_at)),
        starts_at: Some(timestamp(day.starts_at)),
        expires_at: Some(timestamp(day.expires_at)),
        ended_at: day.ended_at().map(timestamp),
    }
}

pub(crate) fn ticket_published(
    of: &Ticket,
    version: u64,
    publication: Publication,
) -> pb::TicketPublished {
    pb::TicketPublished {
        ticket: Some(ticket(of, version)),
        published_by: account(publication.by),
        published_at: Some(timestamp(publication.at)),
    }
}

/// The ticket told again: nobody amended it.
pub(crate) fn ticket_as_it_is(of: &Ticket, version: u64, at: DateTime<Utc>) -> pb::TicketAmended {
    pb::TicketAmended {
        ticket: Some(ticket(of, version)),
        amended_at: Some(timestamp(at)),
        ..Default::default()
    }
}

pub(crate) fn ticket_cancelled(
    of: &Ticket,
    version: u64,
    cancellation: &Cancellation,
) -> pb::TicketCancelled {
    pb::TicketCancelled {
        ticket: Some(ticket(of, version)),
        cancelled_by: account(cancellation.by),
        reason: cancellation.reason.clone(),
        cancelled_at: Some(timestamp(cancellation.at)),
    }
}

pub(crate) fn daily_ticket_started(
    of: &Ticket,
    version: u64,
    day: DailyTicketId,
    at: DateTime<Utc>,
) -> pb::DailyTicketStarted {
    pb::DailyTicketStarted {
        ticket: Some(ticket(of, version)),
        daily_ticket_id: day.to_string(),
        started_at: Some(timestamp(at)),
    }
}

pub(crate) fn daily_ticket_expired(
    of: &Ticket,
    version: u64,
    day: DailyTicketId,
    at: DateTime<Utc>,
) -> pb::DailyTicketExpired {
    pb::DailyTicketExpired {
        ticket: Some(ticket(of, version)),
        daily_ticket_id: day.to_string(),
        expired_at: Some(timestamp(at)),
    }
}

pub(crate) fn ticket_created(
    id: TicketId,
    unbound: &[WorkerId],
    roster_synced_at: Option<DateTime<Utc>>,
) -> pb::CreateTicketResponse {
    pb::CreateTicketResponse {
        ticket_id: id.to_string(),
        unbound_worker_ids: unbound.iter().map(ToString::to_string).collect(),
        roster_synced_at: roster_synced_at.map(timestamp),
    }
}

pub(crate) fn listing(row: Listing) -> pb::TicketRow {
    pb::TicketRow {
        ticket_id: row.ticket.to_string(),
        site_id: row.site.to_string(),
        contractor_id: row.contractor.to_string(),
        title: row.title,
        start_date: row.first_date.to_string(),
        end_date: row.last_date.to_string(),
        status: row.status.to_string(),
        worker_count: row.workers,
    }
}

pub(crate) fn day_counts(
    day: DailyTicketId,
    training: TrainingCounts,
    access: AccessCounts,
) -> pb::DayCounts {
    let TrainingCounts { required, completed, in_progress, failed, not_started } = training;
    let training = pb::TrainingCounts { required, completed, in_progress, failed, not_started };
    let AccessCounts { pending_sync, synced, sync_failed, revoked } = access;
    let access = pb::AccessCounts { pending_sync, synced, sync_failed, revoked };
    pb::DayCounts {
        daily_ticket_id: day.to_string(),
        training: Some(training),
        access: Some(access),
    }
}

/// What the audit log keeps of a new ticket.
pub(crate) fn ticket_record(ticket: &Ticket) -> Value {
    json!({
        "status": ticket.status().as_str(),
        "contractor_id": ticket.contractor.to_string(),
        "start_date": ticket.first_date.to_string(),
        "end_date": ticket.last_date.to_string(),
        "access_start_time": ticket.terms.window.start_text(),
        "access_end_time": ticket.terms.window.end_text(),
        "training_deadline_time": format_time(ticket.terms.deadline_time()),
        "video_rule": ticket.terms.video_rule.as_str(),
        "area_ids": ticket.areas.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "worker_ids": ticket.workers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "video_ids": ticket.videos.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// What the audit log keeps of a ticket that was published or cancelled.
pub(crate) fn status_record(ticket: &Ticket) -> Value {
    let days = ticket.days.iter();
    let days: serde_json::Map<String, Value> =
        days.map(|day| (day.date.to_string(), day.status().as_str().into())).collect();
    json!({ "status": ticket.status().as_str(), "daily_tickets": days })
}

pub(crate) fn worker_progress(progress: &WorkerProgress) -> pb::WorkerProgress {
    let grant = |grant: &Grant| pb::GrantProgress {
        grant_id: grant.id.to_string(),
        area_id: grant.area.to_string(),
        status: grant.status.to_string(),
    };
    pb::WorkerProgress {
        worker_id: progress.worker.to_string(),
        bound: progress.bound,
        training_status: progress.training.to_string(),
        notified: progress.notified,
        read: progress.read,
        authorized: progress.is_authorized(),
        grants: progress.grants.iter().map(grant).collect(),
    }
}

/// An account, as every service names who did something.
fn account(id: AccountId) -> String {
    Subject::Account(id).to_string()
}
