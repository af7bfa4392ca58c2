use std::collections::BTreeMap;

use service::{StoreError, Tx};
use types::{DailyTicketId, WorkerId};
use uuid::Uuid;

use super::{grant_status, training_status};
use crate::domain::{AccessCounts, Ticket, TrainingCounts, TrainingStatus};
use crate::store::rosters;

struct Row {
    daily_ticket_id: Uuid,
    training_status: String,
    workers: i64,
}

/// The counts of each day of a ticket. Every worker of a day counts on it: of whom nothing was told has not started.
pub async fn counts(
    tx: &mut Tx,
    ticket: &Ticket,
) -> Result<BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)>, StoreError> {
    let days = ticket.days.iter().map(|day| (day.id, Default::default()));
    let mut counts: BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)> = days.collect();
    let rosters = rosters::of_ticket(tx, ticket).await?;
    let mut trainings = of_what_is_said_now(tx, ticket).await?;
    for (roster, days) in rosters.past() {
        trainings.extend(of_what_is_kept(tx, &roster.workers, &days).await?);
    }
    for row in trainings {
        let status = training_status(row.daily_ticket_id, Some(&row.training_status))?;
        let (training, _) = counts.entry(row.daily_ticket_id.into()).or_default();
        training.count(status, u32::try_from(row.workers).unwrap_or(u32::MAX));
    }
    for (day, (training, _)) in &mut counts {
        let workers = u32::try_from(rosters.on(*day).workers.len()).unwrap_or(u32::MAX);
        training.count(TrainingStatus::NotStarted, workers.saturating_sub(training.required));
    }
    let grants = sqlx::query!(
        r#"SELECT g.daily_ticket_id, g.status, count(*) AS "grants!"
           FROM ticket.grants g
           WHERE g.daily_ticket_id = ANY (ARRAY(
               SELECT t.daily_ticket_id FROM ticket.daily_tickets t WHERE t.ticket_id = $1))
           GROUP BY 1, 2"#,
        ticket.id.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in grants {
        let status = grant_status(row.daily_ticket_id, &row.status)?;
        let (_, access) = counts.entry(row.daily_ticket_id.into()).or_default();
        access.count(status, u32::try_from(row.grants).unwrap_or(u32::MAX));
    }
    Ok(counts)
}

/// By day and then by worker, which IS TRUE sees to: one look for each worker's day takes five times as long, and a join
/// sorts all of them.
async fn of_what_is_said_now(tx: &mut Tx, ticket: &Ticket) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.daily_ticket_id, d.training_status, count(*) AS "workers!"
           FROM ticket.worker_days d
           WHERE d.daily_ticket_id = ANY (ARRAY(
                     SELECT t.daily_ticket_id FROM ticket.daily_tickets t
                     WHERE t.ticket_id = $1 AND t.roster_revision IS NULL))
             AND (d.worker_id IN (SELECT w.worker_id FROM ticket.ticket_workers w WHERE w.ticket_id = $1)) IS TRUE
           GROUP BY 1, 2"#,
        ticket.id.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn of_what_is_kept(
    tx: &mut Tx,
    workers: &[WorkerId],
    days: &[DailyTicketId],
) -> Result<Vec<Row>, StoreError> {
    let workers: Vec<Uuid> = workers.iter().map(|id| id.as_uuid()).collect();
    let days: Vec<Uuid> = days.iter().map(|id| id.as_uuid()).collect();
    // As above; a join is worse here, since the planner takes a list for ten rows.
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.daily_ticket_id, d.training_status, count(*) AS "workers!"
           FROM ticket.worker_days d
           WHERE d.daily_ticket_id = ANY ($1) AND (d.worker_id IN (SELECT UNNEST($2::uuid[]))) IS TRUE
           GROUP BY 1, 2"#,
        &days,
        &workers,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}
