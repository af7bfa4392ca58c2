use std::collections::BTreeSet;

use types::{ContractorId, DailyTicketId, RecordId, VideoId, WorkerId};

use super::{Error, Tx, column, count};
use crate::domain::{Record, RecordFilter, Session, State};

/// The most records a list gives.
const MOST: i64 = 500;

/// Writes the record of a session that has ended. A second one for the same session is refused by its key.
pub async fn insert(
    tx: &mut Tx,
    id: RecordId,
    session: &Session,
    proved_by: &str,
) -> Result<(), Error> {
    let (result, ended_at, reason) = match session.state {
        State::Completed { at } => ("COMPLETED", at, None),
        State::Failed { reason, at } => ("FAILED", at, Some(reason.as_str())),
        _ => return Err(Error::corrupt("sessions", session.id)),
    };
    sqlx::query!(
        "INSERT INTO training.records (record_id, site_id, session_id, daily_ticket_id, worker_id, video_id, started_at,
             ended_at, valid_watch_sec, checks_passed, checks_failed, seeks, skipped_sec, device, proved_by, result, reason)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, device, $14, $15, $16
         FROM training.sessions WHERE session_id = $3",
        id.as_uuid(),
        session.site.as_uuid(),
        session.id.as_uuid(),
        session.daily_ticket.as_uuid(),
        session.worker.as_uuid(),
        session.video.as_uuid(),
        session.started_at,
        ended_at,
        column(session.watched.count()),
        column(session.checks.passed),
        column(session.checks.failed),
        column(session.seeks),
        column(session.skipped_sec),
        proved_by,
        result,
        reason,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The videos a worker completed for a day.
pub async fn completed_videos(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<BTreeSet<VideoId>, Error> {
    let ids = sqlx::query_scalar!(
        "SELECT video_id FROM training.records
         WHERE daily_ticket_id = $1 AND worker_id = $2 AND result = 'COMPLETED'",
        day.as_uuid(),
        worker.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(VideoId::from).collect())
}

/// The newest first, at most 500.
pub async fn list(tx: &mut Tx, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
    let rows = sqlx::query!(
        r#"SELECT r.record_id, r.daily_ticket_id, r.worker_id, r.video_id, v.title, r.started_at, r.ended_at,
                  r.valid_watch_sec, r.checks_passed, r.checks_failed, r.result, r.reason
           FROM training.records r JOIN training.videos v USING (video_id)
           JOIN training.days d USING (daily_ticket_id) JOIN training.tickets t USING (ticket_id)
           WHERE ($1::uuid IS NULL OR r.worker_id = $1) AND ($2::uuid IS NULL OR t.contractor_id = $2)
             AND ($3::uuid IS NULL OR r.daily_ticket_id = $3)
             AND ($4::date IS NULL OR d.date >= $4) AND ($5::date IS NULL OR d.date <= $5)
           ORDER BY r.ended_at DESC, r.record_id DESC LIMIT $6"#,
        filter.worker.map(WorkerId::as_uuid),
        filter.contractor.map(ContractorId::as_uuid),
        filter.daily_ticket.map(DailyTicketId::as_uuid),
        filter.from,
        filter.to,
        MOST,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = |number| count("records", row.record_id, number);
            Ok(Record {
                id: row.record_id.into(),
                daily_ticket: row.daily_ticket_id.into(),
                worker: row.worker_id.into(),
                video: row.video_id.into(),
                video_title: row.title,
                started_at: row.started_at,
                ended_at: row.ended_at,
                valid_watch_sec: number(row.valid_watch_sec)?,
                checks_passed: number(row.checks_passed)?,
                checks_failed: number(row.checks_failed)?,
                result: row.result,
                reason: row.reason.unwrap_or_default(),
            })
        })
        .collect()
}
