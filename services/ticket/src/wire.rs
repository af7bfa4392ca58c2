//! From the domain to messages, in one place.

mod changes;
mod edits;
mod effects;

use auth::Subject;
use chrono::{DateTime, Utc};
use proto::ticket::v1 as pb;
use proto::timestamp;
use types::{AccountId, DailyTicketId, TicketId, VideoId, WorkerId, format_time};

use crate::domain::{
    AccessCounts, Cancellation, DailyTicket, Grant, Listing, Publication, Ticket, TrainingCounts,
    VideoRule, Warning, WorkerProgress,
};

pub(crate) use changes::Changes;
pub(crate) use edits::edits;
pub(crate) use effects::{effects, warning};

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
        revision: value.revision,
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

pub(crate) fn ticket_amended(
    of: &Ticket,
    version: u64,
    by: AccountId,
    reason: &str,
    at: DateTime<Utc>,
) -> pb::TicketAmended {
    pb::TicketAmended {
        ticket: Some(ticket(of, version)),
        amended_by: account(by),
        reason: reason.to_owned(),
        amended_at: Some(timestamp(at)),
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

pub(crate) fn daily_ticket_cancelled(
    of: &Ticket,
    version: u64,
    day: DailyTicketId,
    reason: &str,
    at: DateTime<Utc>,
) -> pb::DailyTicketCancelled {
    pb::DailyTicketCancelled {
        ticket: Some(ticket(of, version)),
        daily_ticket_id: day.to_string(),
        reason: reason.to_owned(),
        cancelled_at: Some(timestamp(at)),
    }
}

pub(crate) fn ticket_created(
    id: TicketId,
    unbound: &[WorkerId],
    warnings: &[Warning],
    roster_synced_at: Option<DateTime<Utc>>,
) -> pb::CreateTicketResponse {
    pb::CreateTicketResponse {
        ticket_id: id.to_string(),
        unbound_worker_ids: unbound.iter().map(ToString::to_string).collect(),
        warnings: warnings.iter().map(warning).collect(),
        roster_synced_at: roster_synced_at.map(timestamp),
    }
}

pub(crate) fn ticket_is_public(
    id: TicketId,
    since: DateTime<Utc>,
    warnings: &[Warning],
    roster_synced_at: Option<DateTime<Utc>>,
) -> pb::PublishTicketResponse {
    pb::PublishTicketResponse {
        ticket_id: id.to_string(),
        published_at: Some(timestamp(since)),
        warnings: warnings.iter().map(warning).collect(),
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
        created_at: Some(timestamp(row.created_at)),
    }
}

pub(crate) fn day_counts(
    day: DailyTicketId,
    training: TrainingCounts,
    access: AccessCounts,
) -> pb::DayCounts {
    let TrainingCounts { required, completed, in_progress, failed, not_started } = training;
    let training = pb::TrainingCounts { required, completed, in_progress, failed, not_started };
    pb::DayCounts {
        daily_ticket_id: day.to_string(),
        training: Some(training),
        access: Some(access_counts(access)),
    }
}

fn access_counts(counts: AccessCounts) -> pb::AccessCounts {
    let AccessCounts { pending_sync, synced, sync_failed, revoked } = counts;
    pb::AccessCounts { pending_sync, synced, sync_failed, revoked }
}

/// `workers` each with their days, `total` of them on all pages.
pub(crate) fn ticket_export(
    of: &Ticket,
    version: u64,
    workers: &[Vec<WorkerProgress>],
    total: u32,
) -> pb::ExportTicketResponse {
    let day = |day: &WorkerProgress| {
        let mut grants = AccessCounts::default();
        day.grants.iter().for_each(|grant| grants.count(grant.status, 1));
        pb::ExportedDay {
            training_status: day.training.to_string(),
            completed_at: day.completed_at.map(timestamp),
            authorized: day.is_authorized(),
            grants: Some(access_counts(grants)),
            daily_ticket_id: day.day.to_string(),
        }
    };
    let workers = workers.iter().filter_map(|days| {
        let first = days.first()?;
        Some(pb::ExportedWorker {
            worker_id: first.worker.to_string(),
            bound: first.bound,
            days: days.iter().map(day).collect(),
        })
    });
    pb::ExportTicketResponse {
        ticket: Some(ticket(of, version)),
        workers: workers.collect(),
        total,
    }
}

/// A day that is not over: it has what its ticket says.
pub(crate) fn worker_task(
    of: &Ticket,
    version: u64,
    day: &DailyTicket,
    progress: &WorkerProgress,
) -> pb::WorkerTask {
    pb::WorkerTask {
        ticket: Some(ticket(of, version)),
        daily_ticket: Some(daily_ticket(day)),
        progress: Some(worker_progress(&of.videos, of.terms.video_rule, progress)),
    }
}

/// `asked` and `rule` are the day's.
pub(crate) fn worker_progress(
    asked: &[VideoId],
    rule: VideoRule,
    progress: &WorkerProgress,
) -> pb::WorkerProgress {
    let (completed_videos, required_videos) = progress.videos(asked, rule);
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
        completed_videos,
        required_videos,
        completed_at: progress.completed_at.map(timestamp),
    }
}

/// An account, as every service names who did something.
fn account(id: AccountId) -> String {
    Subject::Account(id).to_string()
}
