use chrono::{DateTime, NaiveDate, Utc};
use proto::access_grant::v1::OutlookLine;
use proto::report::v1::{self as report, GetDashboardRequest, GetOutlookRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::request::Query;
use crate::routes::shown::{Failing, what_to_do};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_dashboard)).routes(routes!(get_outlook))
}

#[derive(Deserialize, IntoParams)]
struct DashboardOf {
    site_id: Uuid,
    /// Today at the site when absent.
    date: Option<NaiveDate>,
}

#[derive(Serialize, ToSchema)]
struct Dashboard {
    site_id: String,
    date: String,
    tickets: u32,
    workers_required: u32,
    trainings_completed: u32,
    trainings_failed: u32,
    notices_sent: u32,
    notices_failed: u32,
    notices_skipped: u32,
    grants_synced: u32,
    grants_pending: u32,
    grants_failed: u32,
    grants_revoked: u32,
    passages_in: u32,
    passages_out: u32,
    refusals: u32,
    refusals_by_reason: Vec<ReasonCount>,
    /// From a grant's birth to its proof, in site time.
    sync_latency_mean_ms: u64,
    sync_latency_p95_ms: u64,
}

#[derive(Serialize, ToSchema)]
struct ReasonCount {
    reason_code: String,
    count: u32,
}

#[derive(Deserialize, IntoParams)]
struct OutlookOf {
    site_id: Uuid,
    /// The instant looked at, in site time; now when absent.
    at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Outlook {
    at: Option<DateTime<Utc>>,
    expected: u32,
    would_pass: u32,
    /// Who would be refused, by what mends it.
    groups: Vec<Group>,
    refused: Vec<Refused>,
    /// How old the roster is; null where it was never read, or cannot be told now.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Group {
    reason_code: String,
    workers: u32,
    mend: String,
    /// WORKER, ADMIN, `SYS_ADMIN`, GUARD or WAIT.
    who: String,
    what_to_do: Option<&'static str>,
    worker_ids: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Refused {
    worker_id: String,
    /// Null where it cannot be told now.
    worker_name: Option<String>,
    area_id: String,
    daily_ticket_id: String,
    reason_code: String,
    detail: String,
    failing: Vec<Failing>,
}

/// One site's day in figures.
#[utoipa::path(
    get,
    path = "/api/admin/dashboard",
    tag = "reports",
    params(DashboardOf),
    responses((status = 200, body = Enveloped<Dashboard>))
)]
async fn get_dashboard(call: Call, Query(of): Query<DashboardOf>) -> Answer<Dashboard> {
    let date = of.date.map(|date| date.to_string()).unwrap_or_default();
    let message = GetDashboardRequest { site_id: of.site_id.to_string(), date };
    let figures = ask!(call.report.get_dashboard(message)).await?;
    let reasons = figures.refusals_by_reason.into_iter();
    answer(Dashboard {
        site_id: figures.site_id,
        date: figures.date,
        tickets: figures.tickets,
        workers_required: figures.workers_required,
        trainings_completed: figures.trainings_completed,
        trainings_failed: figures.trainings_failed,
        notices_sent: figures.notices_sent,
        notices_failed: figures.notices_failed,
        notices_skipped: figures.notices_skipped,
        grants_synced: figures.grants_synced,
        grants_pending: figures.grants_pending,
        grants_failed: figures.grants_failed,
        grants_revoked: figures.grants_revoked,
        passages_in: figures.passages_in,
        passages_out: figures.passages_out,
        refusals: figures.refusals,
        refusals_by_reason: reasons
            .map(|report::ReasonCount { reason_code, count }| ReasonCount { reason_code, count })
            .collect(),
        sync_latency_mean_ms: figures.sync_latency_mean_ms,
        sync_latency_p95_ms: figures.sync_latency_p95_ms,
    })
}

/// Who would be refused at that instant, why, and what mends it.
#[utoipa::path(
    get,
    path = "/api/admin/outlook",
    tag = "reports",
    params(OutlookOf),
    responses((status = 200, body = Enveloped<Outlook>))
)]
async fn get_outlook(call: Call, Query(of): Query<OutlookOf>) -> Answer<Outlook> {
    let at = of.at.unwrap_or_else(|| call.gateway.shell.clock.now());
    let at = Some(proto::timestamp(at));
    let message = GetOutlookRequest { site_id: of.site_id.to_string(), at };
    let outlook = ask!(call.report.get_outlook(message)).await?;
    let site_id = of.site_id.to_string();
    let (names, roster_synced_at) = tokio::join!(
        call.names(outlook.refused.iter().map(|line| line.worker_id.clone())),
        call.roster_synced_at(&site_id),
    );
    let refused = outlook.refused.into_iter().map(|line: OutlookLine| Refused {
        worker_name: names.get(&line.worker_id).map(|row| row.name.clone()),
        worker_id: line.worker_id,
        area_id: line.area_id,
        daily_ticket_id: line.daily_ticket_id,
        reason_code: line.reason_code,
        detail: line.detail,
        failing: Failing::list(line.failing, call.language),
    });
    let groups = outlook.groups.into_iter().map(|group| Group {
        what_to_do: what_to_do(&group.mend, call.language),
        reason_code: group.reason_code,
        workers: group.workers,
        mend: group.mend,
        who: group.who,
        worker_ids: group.worker_ids,
    });
    answer(Outlook {
        at: instant(outlook.at),
        expected: outlook.expected,
        would_pass: outlook.would_pass,
        groups: groups.collect(),
        refused: refused.collect(),
        roster_synced_at,
    })
}
