//! Reads figures of one site and one span of time.

use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use types::SiteId;

use crate::domain::{DayFigures, SpanFigures};

/// The site's zone, as last told; none for a site not heard of yet.
pub(crate) async fn time_zone(tx: &mut Tx, site: SiteId) -> Result<Option<String>, StoreError> {
    let zone = sqlx::query_scalar!(
        "SELECT time_zone FROM report.sites WHERE site_id = $1",
        site.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(zone)
}

/// Figures of the daily tickets of one date; cancelled ones do not count.
pub(crate) async fn day(
    tx: &mut Tx,
    site: SiteId,
    date: NaiveDate,
) -> Result<DayFigures, StoreError> {
    let figures = sqlx::query_as!(
        DayFigures,
        r#"WITH days AS (
             SELECT daily_ticket_id, ticket_id, workers FROM report.daily_tickets
             WHERE site_id = $1 AND date = $2 AND status <> 'CANCELLED'
         ), trained AS (
             SELECT count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
                 count(*) FILTER (WHERE status = 'FAILED') AS failed
             FROM report.trainings JOIN days USING (daily_ticket_id)
         ), granted AS (
             SELECT count(*) FILTER (WHERE status = 'SYNCED') AS synced,
                 count(*) FILTER (WHERE status = 'PENDING_SYNC') AS pending,
                 count(*) FILTER (WHERE status = 'SYNC_FAILED') AS failed,
                 count(*) FILTER (WHERE status = 'REVOKED') AS revoked,
                 avg(extract(epoch FROM proved_at - created_at) * 1000) AS mean,
                 percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM proved_at - created_at) * 1000) AS p95
             FROM report.grants JOIN days USING (daily_ticket_id)
         )
         SELECT (SELECT count(DISTINCT ticket_id) FROM days) AS "tickets!",
             (SELECT coalesce(sum(workers), 0) FROM days) AS "workers_required!",
             trained.completed AS "trainings_completed!", trained.failed AS "trainings_failed!",
             granted.synced AS "grants_synced!", granted.pending AS "grants_pending!",
             granted.failed AS "grants_failed!", granted.revoked AS "grants_revoked!",
             coalesce(granted.mean, 0)::bigint AS "sync_latency_mean_ms!",
             coalesce(granted.p95, 0)::bigint AS "sync_latency_p95_ms!"
         FROM trained, granted"#,
        site.as_uuid(),
        date,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(figures)
}

/// Figures of what happened from `from` to before `to`.
pub(crate) async fn span(
    tx: &mut Tx,
    site: SiteId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<SpanFigures, StoreError> {
    let figures = sqlx::query_as!(
        SpanFigures,
        r#"WITH sent AS (
             SELECT count(*) FILTER (WHERE status = 'SENT') AS sent, count(*) FILTER (WHERE status = 'FAILED') AS failed,
                 count(*) FILTER (WHERE status = 'SKIPPED') AS skipped
             FROM report.notices WHERE site_id = $1 AND created_at >= $2 AND created_at < $3
         ), passed AS (
             SELECT count(*) FILTER (WHERE result = 'PASS' AND direction = 'IN') AS passed_in,
                 count(*) FILTER (WHERE result = 'PASS' AND direction = 'OUT') AS passed_out,
                 count(*) FILTER (WHERE result = 'DENY') AS refused
             FROM report.passages WHERE site_id = $1 AND at >= $2 AND at < $3
         )
         SELECT sent.sent AS "notices_sent!", sent.failed AS "notices_failed!", sent.skipped AS "notices_skipped!",
             passed.passed_in AS "passages_in!", passed.passed_out AS "passages_out!", passed.refused AS "refusals!"
         FROM sent, passed"#,
        site.as_uuid(),
        from,
        to,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(figures)
}

/// Refusals by code, the most frequent first; not yet explained ones stand under an empty code.
pub(crate) async fn refusals(
    tx: &mut Tx,
    site: SiteId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(reason_code, '') AS "reason_code!", count(*) AS "count!" FROM report.passages
         WHERE site_id = $1 AND at >= $2 AND at < $3 AND result = 'DENY'
         GROUP BY 1 ORDER BY 2 DESC, 1"#,
        site.as_uuid(),
        from,
        to,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reason_code, row.count)).collect())
}
