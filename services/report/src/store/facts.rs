//! Folds facts into read models. Every statement is guarded by the version, so repeats and disorder are harmless.

use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use uuid::Uuid;

pub(crate) async fn site(
    tx: &mut Tx,
    site: Uuid,
    time_zone: &str,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.sites AS known (site_id, time_zone, version) VALUES ($1, $2, $3)
         ON CONFLICT (site_id) DO UPDATE SET time_zone = $2, version = $3 WHERE known.version < $3",
        site,
        time_zone,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One date of a work ticket.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    pub(crate) daily_ticket: Uuid,
    pub(crate) site: Uuid,
    pub(crate) ticket: Uuid,
    pub(crate) date: NaiveDate,
    pub(crate) status: String,
    /// Whom the ticket names at this version, which may be more than the day did.
    pub(crate) workers: i32,
    pub(crate) version: i64,
}

impl Day {
    /// How well its fact knows whom the day names. While the day is open, the newer the better; what is amended once it
    /// is over is not about it, so the older the better then, and worse than any from before.
    fn workers_rank(&self) -> i64 {
        let over = matches!(self.status.as_str(), "EXPIRED" | "CANCELLED");
        if over { -self.version } else { self.version }
    }
}

/// The newest status, and the number of workers that the day had while it was open, as far as that was told.
pub(crate) async fn day(tx: &mut Tx, day: &Day) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.daily_tickets AS known
             (daily_ticket_id, site_id, ticket_id, date, status, workers, version, workers_rank)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (daily_ticket_id) DO UPDATE
         SET status = CASE WHEN known.version < $7 THEN $5 ELSE known.status END,
             workers = CASE WHEN known.workers_rank < $8 THEN $6 ELSE known.workers END,
             version = greatest(known.version, $7), workers_rank = greatest(known.workers_rank, $8)
         WHERE known.version < $7 OR known.workers_rank < $8",
        day.daily_ticket,
        day.site,
        day.ticket,
        day.date,
        day.status,
        day.workers,
        day.version,
        day.workers_rank(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How far one worker's training of a day is. Completion wins whatever its version, unless it was reopened since.
#[derive(Debug, Clone)]
pub(crate) struct Training {
    pub(crate) daily_ticket: Uuid,
    pub(crate) worker: Uuid,
    pub(crate) site: Uuid,
    pub(crate) status: &'static str,
    pub(crate) version: i64,
}

pub(crate) async fn training(tx: &mut Tx, training: &Training) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.trainings AS known (daily_ticket_id, worker_id, site_id, status, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE SET status = $4, version = $5
         WHERE ($4 = 'COMPLETED' AND known.reopened_version < $5)
            OR (known.version < $5 AND known.status <> 'COMPLETED')",
        training.daily_ticket,
        training.worker,
        training.site,
        training.status,
        training.version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A completed training whose day came to ask for more.
pub(crate) async fn reopened(
    tx: &mut Tx,
    daily_ticket: Uuid,
    worker: Uuid,
    site: Uuid,
    version: i64,
) -> Result<(), StoreError> {
    // A completion of the release before has the greatest version there is.
    sqlx::query!(
        "INSERT INTO report.trainings AS known (daily_ticket_id, worker_id, site_id, status, version, reopened_version)
         VALUES ($1, $2, $3, 'REOPENED', $4, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET status = CASE WHEN known.version < $4 OR known.version = $5 THEN 'REOPENED' ELSE known.status END,
             version = CASE WHEN known.version < $4 OR known.version = $5 THEN $4 ELSE known.version END,
             reopened_version = $4
         WHERE known.reopened_version < $4",
        daily_ticket,
        worker,
        site,
        version,
        i64::MAX,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn notice(
    tx: &mut Tx,
    notice: Uuid,
    site: Uuid,
    status: &str,
    created_at: DateTime<Utc>,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.notices AS known (notification_id, site_id, status, created_at, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (notification_id) DO UPDATE SET status = $3, version = $5 WHERE known.version < $5",
        notice,
        site,
        status,
        created_at,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A grant as it now is.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: Uuid,
    pub(crate) site: Uuid,
    pub(crate) daily_ticket: Uuid,
    pub(crate) status: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) proved_at: Option<DateTime<Utc>>,
    pub(crate) version: i64,
}

pub(crate) async fn grant(tx: &mut Tx, grant: &Grant) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.grants AS known (grant_id, site_id, daily_ticket_id, status, created_at, proved_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (grant_id) DO UPDATE SET status = $4, proved_at = coalesce(known.proved_at, $6), version = $7
         WHERE known.version < $7",
        grant.id,
        grant.site,
        grant.daily_ticket,
        grant.status,
        grant.created_at,
        grant.proved_at,
        grant.version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A passage as the door told it; `reason_code` is what it reported, if that was a known one.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) id: Uuid,
    pub(crate) site: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) direction: String,
    pub(crate) result: String,
    pub(crate) reason_code: Option<String>,
}

pub(crate) async fn passage(tx: &mut Tx, passage: &Passage) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.passages AS known (passage_id, site_id, at, direction, result, reason_code)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (passage_id) DO UPDATE
         SET at = $3, direction = $4, result = $5, reason_code = coalesce(known.reason_code, $6)",
        passage.id,
        passage.site,
        passage.at,
        passage.direction,
        passage.result,
        passage.reason_code,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Why a passage was refused; may come before the passage itself.
pub(crate) async fn explained(
    tx: &mut Tx,
    passage: Uuid,
    site: Uuid,
    reason_code: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report.passages (passage_id, site_id, reason_code) VALUES ($1, $2, $3)
         ON CONFLICT (passage_id) DO UPDATE SET reason_code = $3",
        passage,
        site,
        reason_code,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
