use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, SiteId};

/// What the clock asks of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Start,
    Expire,
}

/// A day whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub day: DailyTicketId,
    pub site: SiteId,
}

/// The days whose `turn` has come by `at`, the longest due first, at most `limit`.
pub async fn due(
    tx: &mut Tx,
    turn: Turn,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Due>, StoreError> {
    let due = |day, site| Due { day: DailyTicketId::from_uuid(day), site: SiteId::from_uuid(site) };
    Ok(match turn {
        Turn::Start => sqlx::query!(
            "SELECT daily_ticket_id, site_id FROM ticket.daily_tickets
             WHERE published_at IS NOT NULL AND started_at IS NULL AND cancelled_at IS NULL AND starts_at <= $1
             ORDER BY starts_at, daily_ticket_id LIMIT $2",
            at,
            limit,
        )
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .map(|row| due(row.daily_ticket_id, row.site_id))
        .collect(),
        Turn::Expire => sqlx::query!(
            "SELECT daily_ticket_id, site_id FROM ticket.daily_tickets
             WHERE started_at IS NOT NULL AND expired_at IS NULL AND cancelled_at IS NULL AND expires_at <= $1
             ORDER BY expires_at, daily_ticket_id LIMIT $2",
            at,
            limit,
        )
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .map(|row| due(row.daily_ticket_id, row.site_id))
        .collect(),
    })
}
