use chrono::NaiveDate;
use types::SiteId;

/// One site's day in figures.
#[derive(Debug, Clone)]
pub(crate) struct Dashboard {
    pub(crate) site: SiteId,
    pub(crate) date: NaiveDate,
    pub(crate) day: DayFigures,
    pub(crate) span: SpanFigures,
    pub(crate) refusals: Vec<(String, i64)>,
}

/// Counts of a day's tickets, trainings and grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DayFigures {
    pub(crate) tickets: i64,
    pub(crate) workers_required: i64,
    pub(crate) trainings_completed: i64,
    pub(crate) trainings_failed: i64,
    pub(crate) grants_synced: i64,
    pub(crate) grants_pending: i64,
    pub(crate) grants_failed: i64,
    pub(crate) grants_revoked: i64,
    pub(crate) sync_latency_mean_ms: i64,
    pub(crate) sync_latency_p95_ms: i64,
}

/// Counts of notices and passages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SpanFigures {
    pub(crate) notices_sent: i64,
    pub(crate) notices_failed: i64,
    pub(crate) notices_skipped: i64,
    pub(crate) passages_in: i64,
    pub(crate) passages_out: i64,
    pub(crate) refusals: i64,
}
