//! Domain to proto, in one place.

use chrono::{DateTime, Utc};
use proto::timestamp;
use proto::training::v1::{
    Record, TrainingCompleted, TrainingFailed, TrainingReopened, TrainingStarted, Video,
    VideoChanged, VideoCompleted,
};
use types::{DailyTicketId, RecordId, SiteId, VideoId, WorkerId};

use crate::domain::{self, Completion, Reason, Session};

pub(crate) fn video(video: &domain::Video) -> Video {
    Video {
        video_id: video.id.to_string(),
        site_id: video.site.to_string(),
        title: video.title.clone(),
        duration_sec: video.duration_sec,
        status: video.status.as_str().to_owned(),
        version: video.version,
    }
}

pub(crate) fn video_changed(changed: &domain::Video) -> VideoChanged {
    VideoChanged { video: Some(video(changed)) }
}

pub(crate) fn training_started(
    session: &Session,
    at: DateTime<Utc>,
    version: u64,
) -> TrainingStarted {
    TrainingStarted {
        session_id: session.id.to_string(),
        site_id: session.site.to_string(),
        daily_ticket_id: session.daily_ticket.to_string(),
        worker_id: session.worker.to_string(),
        video_id: session.video.to_string(),
        started_at: Some(timestamp(at)),
        version,
    }
}

pub(crate) fn training_failed(
    session: &Session,
    reason: Reason,
    at: DateTime<Utc>,
    version: u64,
) -> TrainingFailed {
    TrainingFailed {
        session_id: session.id.to_string(),
        site_id: session.site.to_string(),
        daily_ticket_id: session.daily_ticket.to_string(),
        worker_id: session.worker.to_string(),
        video_id: session.video.to_string(),
        reason: reason.as_str().to_owned(),
        failed_at: Some(timestamp(at)),
        version,
    }
}

pub(crate) fn video_completed(
    session: &Session,
    record: RecordId,
    at: DateTime<Utc>,
    version: u64,
) -> VideoCompleted {
    VideoCompleted {
        record_id: record.to_string(),
        session_id: session.id.to_string(),
        site_id: session.site.to_string(),
        daily_ticket_id: session.daily_ticket.to_string(),
        worker_id: session.worker.to_string(),
        video_id: session.video.to_string(),
        valid_watch_sec: session.watched.count(),
        completed_at: Some(timestamp(at)),
        version,
    }
}

pub(crate) fn training_completed(
    session: &Session,
    completion: Completion,
    version: u64,
) -> TrainingCompleted {
    day_completed(session.site, session.daily_ticket, session.worker, completion, version)
}

pub(crate) fn day_completed(
    site: SiteId,
    day: DailyTicketId,
    worker: WorkerId,
    completion: Completion,
    version: u64,
) -> TrainingCompleted {
    TrainingCompleted {
        site_id: site.to_string(),
        daily_ticket_id: day.to_string(),
        worker_id: worker.to_string(),
        completed_at: Some(timestamp(completion.at)),
        deadline_at: Some(timestamp(completion.deadline_at)),
        in_time: completion.in_time,
        version,
    }
}

pub(crate) fn training_reopened(
    site: SiteId,
    day: DailyTicketId,
    worker: WorkerId,
    missing: &[VideoId],
    at: DateTime<Utc>,
    version: u64,
) -> TrainingReopened {
    TrainingReopened {
        site_id: site.to_string(),
        daily_ticket_id: day.to_string(),
        worker_id: worker.to_string(),
        reopened_at: Some(timestamp(at)),
        missing_video_ids: missing.iter().map(ToString::to_string).collect(),
        version,
    }
}

pub(crate) fn record(record: domain::Record) -> Record {
    Record {
        record_id: record.id.to_string(),
        daily_ticket_id: record.daily_ticket.to_string(),
        worker_id: record.worker.to_string(),
        video_id: record.video.to_string(),
        started_at: Some(timestamp(record.started_at)),
        ended_at: Some(timestamp(record.ended_at)),
        valid_watch_sec: record.valid_watch_sec,
        checks_passed: record.checks_passed,
        checks_failed: record.checks_failed,
        result: record.result,
        reason: record.reason,
        video_title: record.video_title,
    }
}
