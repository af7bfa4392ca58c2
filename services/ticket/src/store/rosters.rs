//! What days that are over keep of their ticket: whom it named and what it asked for before it was changed.

use service::{StoreError, Tx};
use types::{DailyTicketId, VideoId, WorkerId};
use uuid::Uuid;

use crate::domain::{DailyTicket, Roster, Rosters, Ticket, VideoRule};

const TABLE: &str = "rosters";

/// Keeps for `days` what `before`, the ticket before it was changed, said. A day that keeps something already goes on
/// with that; where each does, nothing is written.
pub async fn keep(
    tx: &mut Tx,
    before: &Ticket,
    roster: &Roster,
    days: &[DailyTicketId],
) -> Result<(), StoreError> {
    let id = before.id;
    let revision = i64::try_from(before.revision).map_err(|_| StoreError::corrupt(TABLE, id))?;
    let workers: Vec<Uuid> = roster.workers.iter().map(|id| id.as_uuid()).collect();
    let videos: Vec<Uuid> = roster.videos.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "WITH kept AS (
             UPDATE ticket.daily_tickets SET roster_revision = $3
             WHERE daily_ticket_id = ANY ($4) AND roster_revision IS NULL RETURNING daily_ticket_id)
         INSERT INTO ticket.rosters (ticket_id, site_id, revision, worker_ids, video_ids, video_rule)
         SELECT $1, $2, $3, $5, $6, $7 WHERE EXISTS (SELECT FROM kept)",
        id.as_uuid(),
        before.site.as_uuid(),
        revision,
        &ids(days),
        &workers,
        &videos,
        roster.video_rule.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What the day keeps; `None` where it has what its ticket says now.
pub async fn of_day(tx: &mut Tx, day: DailyTicketId) -> Result<Option<Roster>, StoreError> {
    let row = sqlx::query!(
        "SELECT r.worker_ids, r.video_ids, r.video_rule
         FROM ticket.daily_tickets d
         JOIN ticket.rosters r ON r.ticket_id = d.ticket_id AND r.revision = d.roster_revision
         WHERE d.daily_ticket_id = $1",
        day.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| build(day, row.worker_ids, row.video_ids, &row.video_rule)).transpose()
}

/// The rosters of all days of a ticket.
pub async fn of_ticket(tx: &mut Tx, ticket: &Ticket) -> Result<Rosters, StoreError> {
    // Only a day that is over keeps any.
    if !ticket.days.iter().any(DailyTicket::is_over) {
        return Ok(Rosters::new(ticket, Vec::new()));
    }
    let rows = sqlx::query!(
        r#"SELECT r.worker_ids, r.video_ids, r.video_rule,
                  ARRAY(SELECT d.daily_ticket_id FROM ticket.daily_tickets d
                        WHERE d.ticket_id = r.ticket_id AND d.roster_revision = r.revision) AS "days!"
           FROM ticket.rosters r WHERE r.ticket_id = $1 ORDER BY r.revision DESC"#,
        ticket.id.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let past = rows.into_iter().map(|row| {
        let roster = build(ticket.id, row.worker_ids, row.video_ids, &row.video_rule)?;
        Ok((roster, row.days.into_iter().map(DailyTicketId::from_uuid).collect()))
    });
    Ok(Rosters::new(ticket, past.collect::<Result<_, StoreError>>()?))
}

/// `of` is whose roster it is.
fn build(
    of: impl std::fmt::Display,
    workers: Vec<Uuid>,
    videos: Vec<Uuid>,
    rule: &str,
) -> Result<Roster, StoreError> {
    let video_rule: VideoRule = rule.parse().map_err(|_| StoreError::corrupt(TABLE, of))?;
    Ok(Roster {
        workers: workers.into_iter().map(WorkerId::from_uuid).collect(),
        videos: videos.into_iter().map(VideoId::from_uuid).collect(),
        video_rule,
    })
}

fn ids(days: &[DailyTicketId]) -> Vec<Uuid> {
    days.iter().map(|day| day.as_uuid()).collect()
}
