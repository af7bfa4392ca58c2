//! Who is named on which days: ticket's facts.

use service::{StoreError, Tx};
use types::{DailyTicketId, SiteId, TicketId, WorkerId};
use uuid::Uuid;

/// A ticket as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) site: SiteId,
    pub(crate) workers: Vec<WorkerId>,
    pub(crate) days: Vec<DailyTicketId>,
    pub(crate) version: i64,
}

/// Keeps what a fact says of a ticket, unless a newer one is known.
pub(crate) async fn keep(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let workers: Vec<Uuid> = ticket.workers.iter().map(|worker| worker.as_uuid()).collect();
    let days: Vec<Uuid> = ticket.days.iter().map(|day| day.as_uuid()).collect();
    sqlx::query!(
        "INSERT INTO notification.tickets AS t (ticket_id, site_id, worker_ids, day_ids, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (ticket_id) DO UPDATE
         SET worker_ids = EXCLUDED.worker_ids, day_ids = EXCLUDED.day_ids, version = EXCLUDED.version
         WHERE t.version < EXCLUDED.version",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        &workers,
        &days,
        ticket.version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The site of a day on which the worker is named.
pub(crate) async fn site_of(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<Option<SiteId>, StoreError> {
    let site = sqlx::query_scalar!(
        "SELECT site_id FROM notification.tickets WHERE day_ids @> ARRAY[$1::uuid] AND $2::uuid = ANY (worker_ids)",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(site.map(SiteId::from_uuid))
}
