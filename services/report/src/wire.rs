use proto::access_grant::v1::GetOutlookResponse as Judged;
use proto::report::v1::{GetDashboardResponse, GetOutlookResponse, OutlookGroup, ReasonCount};

use crate::domain::{Dashboard, Group};

/// Counts are never negative and far below 2³².
fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

pub(crate) fn dashboard(dashboard: Dashboard) -> GetDashboardResponse {
    let Dashboard { site, date, day, span, refusals } = dashboard;
    GetDashboardResponse {
        site_id: site.to_string(),
        date: date.to_string(),
        tickets: count(day.tickets),
        workers_required: count(day.workers_required),
        trainings_completed: count(day.trainings_completed),
        trainings_failed: count(day.trainings_failed),
        notices_sent: count(span.notices_sent),
        notices_failed: count(span.notices_failed),
        notices_skipped: count(span.notices_skipped),
        grants_synced: count(day.grants_synced),
        grants_pending: count(day.grants_pending),
        grants_failed: count(day.grants_failed),
        grants_revoked: count(day.grants_revoked),
        passages_in: count(span.passages_in),
        passages_out: count(span.passages_out),
        refusals: count(span.refusals),
        refusals_by_reason: refusals
            .into_iter()
            .map(|(reason_code, number)| ReasonCount { reason_code, count: count(number) })
            .collect(),
        sync_latency_mean_ms: u64::try_from(day.sync_latency_mean_ms).unwrap_or_default(),
        sync_latency_p95_ms: u64::try_from(day.sync_latency_p95_ms).unwrap_or_default(),
    }
}

pub(crate) fn outlook(judged: Judged, groups: Vec<Group>) -> GetOutlookResponse {
    GetOutlookResponse {
        at: judged.at,
        expected: judged.expected,
        would_pass: judged.would_pass,
        groups: groups
            .into_iter()
            .map(|group| OutlookGroup {
                reason_code: group.reason_code,
                workers: u32::try_from(group.worker_ids.len()).unwrap_or(u32::MAX),
                mend: group.mend,
                who: group.who,
                worker_ids: group.worker_ids,
            })
            .collect(),
        refused: judged.refused,
    }
}
