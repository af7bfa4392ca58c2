use chrono::{DateTime, NaiveDate, Utc};
use types::{ContractorId, DailyTicketId, RecordId, VideoId, WorkerId};

/// The verdict of a session that ended.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: RecordId,
    pub daily_ticket: DailyTicketId,
    pub worker: WorkerId,
    pub video: VideoId,
    pub video_title: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub valid_watch_sec: u32,
    pub checks_passed: u32,
    pub checks_failed: u32,
    /// COMPLETED or FAILED.
    pub result: String,
    /// Empty when completed.
    pub reason: String,
}

/// Which records are asked for; what is absent does not narrow.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    pub worker: Option<WorkerId>,
    pub contractor: Option<ContractorId>,
    pub daily_ticket: Option<DailyTicketId>,
    /// Dates of the days trained for, both included.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}
