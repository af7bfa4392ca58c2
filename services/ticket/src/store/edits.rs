//! The history of tickets: what people did to them.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, Page, SiteId, TicketId, WorkerId};
use uuid::Uuid;

use crate::domain::Edit;

struct Row {
    revision: i64,
    action: String,
    edited_by: Uuid,
    edited_at: DateTime<Utc>,
    reason: Option<String>,
    before: Option<String>,
    after: String,
}

/// Writes a line; there is one for each revision.
///
/// # Errors
/// [`StoreError::Conflict`] when someone else wrote that revision's.
pub async fn insert(
    tx: &mut Tx,
    ticket: TicketId,
    site: SiteId,
    edit: &Edit,
) -> Result<(), StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO ticket.ticket_edits
             (ticket_id, site_id, revision, action, edited_by, edited_at, reason, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (ticket_id, revision) DO NOTHING",
        ticket.as_uuid(),
        site.as_uuid(),
        i64::try_from(edit.revision).map_err(|_| corrupt(ticket))?,
        edit.action.as_str(),
        edit.by.as_uuid(),
        edit.at,
        edit.reason,
        edit.before,
        edit.after,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// One page, the newest first, and how many there are in all.
pub async fn list(
    tx: &mut Tx,
    ticket: TicketId,
    page: Page,
) -> Result<(Vec<Edit>, u32), StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT revision, action, edited_by, edited_at, reason, before, after FROM ticket.ticket_edits
         WHERE ticket_id = $1 ORDER BY revision DESC LIMIT $2 OFFSET $3",
        ticket.as_uuid(),
        page.limit(),
        page.offset(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM ticket.ticket_edits WHERE ticket_id = $1"#,
        ticket.as_uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let edit = |row: Row| {
        Ok(Edit {
            revision: u64::try_from(row.revision).map_err(|_| corrupt(ticket))?,
            action: row.action.parse().map_err(|_| corrupt(ticket))?,
            by: AccountId::from_uuid(row.edited_by),
            at: row.edited_at,
            reason: row.reason,
            before: row.before,
            after: row.after,
        })
    };
    let edits = rows.into_iter().map(edit).collect::<Result<_, StoreError>>()?;
    Ok((edits, u32::try_from(total).unwrap_or(u32::MAX)))
}

/// Whether an edit took the worker off the ticket.
pub async fn took_off(tx: &mut Tx, ticket: TicketId, worker: WorkerId) -> Result<bool, StoreError> {
    let took_off = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM ticket.ticket_edits WHERE ticket_id = $1
                          AND before::jsonb @> jsonb_build_object('worker_ids', jsonb_build_array($2::text))) AS "is!""#,
        ticket.as_uuid(),
        worker.to_string(),
    );
    Ok(took_off.fetch_one(&mut **tx).await?)
}

fn corrupt(ticket: TicketId) -> StoreError {
    StoreError::corrupt("ticket_edits", ticket)
}
