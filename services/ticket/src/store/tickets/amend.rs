use service::{StoreError, Tx};
use types::TicketId;
use uuid::Uuid;

use super::{corrupt, days, revision};
use crate::domain::{Deadline, Ticket};
use crate::store::Versioned;

/// Writes all that an amendment may have changed, days that are new or gone too, if the ticket is still at the version
/// it was read at, and moves it to the next.
///
/// # Errors
/// [`StoreError::Conflict`] when someone else changed it meanwhile.
pub async fn amend(tx: &mut Tx, ticket: &mut Versioned<Ticket>) -> Result<(), StoreError> {
    let value = &ticket.value;
    let version = i64::try_from(ticket.version).map_err(|_| corrupt(value.id))?;
    let (deadline_time, deadline_given) = match value.terms.deadline {
        Deadline::Given(time) => (time, true),
        Deadline::SiteDefault(time) => (time, false),
    };
    let saved = sqlx::query!(
        "UPDATE ticket.work_tickets
         SET title = $3, remark = $4, start_date = $5, end_date = $6, access_start_time = $7, access_end_time = $8,
             deadline_time = $9, deadline_given = $10, video_rule = $11, publish_now = $12, daily_reminder = $13,
             revision = $14, version = version + 1
         WHERE ticket_id = $1 AND version = $2",
        value.id.as_uuid(),
        version,
        value.title,
        value.remark,
        value.first_date,
        value.last_date,
        value.terms.window.start,
        value.terms.window.end,
        deadline_time,
        deadline_given,
        value.terms.video_rule.as_str(),
        value.terms.publish_now,
        value.terms.daily_reminder,
        revision(value)?,
    )
    .execute(&mut **tx)
    .await?;
    if saved.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    areas(tx, value).await?;
    workers(tx, value).await?;
    videos(tx, value).await?;
    days::replace(tx, value).await?;
    ticket.version += 1;
    Ok(())
}

async fn areas(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ticket.areas.iter().map(|id| id.as_uuid()).collect();
    let id = TicketId::as_uuid(ticket.id);
    sqlx::query!(
        "DELETE FROM ticket.ticket_areas WHERE ticket_id = $1 AND area_id <> ALL ($2)",
        id,
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ticket.ticket_areas AS kept (ticket_id, site_id, area_id, position)
         SELECT $1, $2, id, place FROM UNNEST($3::uuid[]) WITH ORDINALITY AS named (id, place)
         ON CONFLICT (ticket_id, area_id) DO UPDATE SET position = EXCLUDED.position
         WHERE kept.position <> EXCLUDED.position",
        id,
        ticket.site.as_uuid(),
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn workers(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ticket.workers.iter().map(|id| id.as_uuid()).collect();
    let id = TicketId::as_uuid(ticket.id);
    sqlx::query!(
        "DELETE FROM ticket.ticket_workers WHERE ticket_id = $1 AND worker_id <> ALL ($2)",
        id,
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ticket.ticket_workers AS kept (ticket_id, site_id, worker_id, position)
         SELECT $1, $2, id, place FROM UNNEST($3::uuid[]) WITH ORDINALITY AS named (id, place)
         ON CONFLICT (ticket_id, worker_id) DO UPDATE SET position = EXCLUDED.position
         WHERE kept.position <> EXCLUDED.position",
        id,
        ticket.site.as_uuid(),
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn videos(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ticket.videos.iter().map(|id| id.as_uuid()).collect();
    let id = TicketId::as_uuid(ticket.id);
    sqlx::query!(
        "DELETE FROM ticket.ticket_videos WHERE ticket_id = $1 AND video_id <> ALL ($2)",
        id,
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ticket.ticket_videos AS kept (ticket_id, site_id, video_id, position)
         SELECT $1, $2, id, place FROM UNNEST($3::uuid[]) WITH ORDINALITY AS named (id, place)
         ON CONFLICT (ticket_id, video_id) DO UPDATE SET position = EXCLUDED.position
         WHERE kept.position <> EXCLUDED.position",
        id,
        ticket.site.as_uuid(),
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
