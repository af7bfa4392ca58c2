use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, SiteId};

/// What the clock asks of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Start,
    Expire,
}

/// A day whose time has come, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub day: DailyTicketId,
    pub site: SiteId,
    pub since: DateTime<Utc>,
}

/// The days whose `turn` has come by `at`, the longest due first, at most `limit` of those behind `after`.
pub async fn due(
    tx: &mut Tx,
    turn: Turn,
    at: DateTime<Utc>,
    after: Option<Due>,
    limit: i64,
) -> Result<Vec<Due>, StoreError> {
    let due = |day, site, since| Due {
        day: DailyTicketId::from_uuid(day),
        site: SiteId::from_uuid(site),
        since,
    };
    let (since, day) = after.map(|due| (due.since, due.day.as_uuid())).unzip();
    Ok(match turn {
        Turn::Start => sqlx::query!(
            "SELECT daily_ticket_id, site_id, starts_at FROM ticket.daily_tickets
             WHERE published_at IS NOT NULL AND started_at IS NULL AND cancelled_at IS NULL AND starts_at <= $1
               AND ($2::timestamptz IS NULL OR (starts_at, daily_ticket_id) > ($2, $3::uuid))
             ORDER BY starts_at, daily_ticket_id LIMIT $4",
            at,
            since,
            day,
            limit,
        )
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .map(|row| due(row.daily_ticket_id, row.site_id, row.starts_at))
        .collect(),
        Turn::Expire => sqlx::query!(
            "SELECT daily_ticket_id, site_id, expires_at FROM ticket.daily_tickets
             WHERE started_at IS NOT NULL AND expired_at IS NULL AND cancelled_at IS NULL AND expires_at <= $1
               AND ($2::timestamptz IS NULL OR (expires_at, daily_ticket_id) > ($2, $3::uuid))
             ORDER BY expires_at, daily_ticket_id LIMIT $4",
            at,
            since,
            day,
            limit,
        )
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .map(|row| due(row.daily_ticket_id, row.site_id, row.expires_at))
        .collect(),
    })
}
