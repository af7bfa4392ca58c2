use chrono::{DateTime, TimeDelta, Utc};
use types::{DailyTicketId, RecordId, SessionId, TicketId, VideoId, WorkerId};
use uuid::Uuid;

use super::{Error, Tx, Versioned, column, count, day_trainings, long_column, records, version};
use crate::domain::session::{Checks, OpenCheck};
use crate::domain::{Reason, Session, State, Watched};

/// How it is proved today who learns: the mini-program's face check.
const PROVED_BY: &str = "FACE_WECHAT";

/// A session and what only its owner shows.
#[derive(Debug, Clone)]
pub struct Stored {
    pub session: Versioned<Session>,
    pub token_hash: Vec<u8>,
}

struct Row {
    session_id: Uuid,
    version: i64,
    site_id: Uuid,
    daily_ticket_id: Uuid,
    worker_id: Uuid,
    video_id: Uuid,
    token_hash: Vec<u8>,
    duration_sec: i32,
    answer_sec: i32,
    started_at: DateTime<Utc>,
    heard_at: DateTime<Utc>,
    last_seq: i64,
    position_sec: i32,
    playing: bool,
    credit_ms: i32,
    watched: Vec<u8>,
    seeks: i32,
    skipped_sec: i32,
    check_moments: Vec<i32>,
    checks_passed: i32,
    checks_failed: i32,
    check_id: Option<Uuid>,
    check_waited_ms: Option<i64>,
    held_from_sec: Option<i32>,
    held_to_sec: Option<i32>,
    status: String,
    ended_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

/// Adds a session. A person's second live one breaks `sessions_one_live_a_person`: [`Error::Conflict`].
pub async fn insert(
    tx: &mut Tx,
    session: &Session,
    token_hash: &[u8],
    device: &str,
) -> Result<(), Error> {
    let columns = Columns::of(session);
    let inserted = sqlx::query!(
        "INSERT INTO training.sessions (session_id, version, site_id, daily_ticket_id, worker_id, video_id, token_hash,
             device, duration_sec, answer_sec, started_at, heard_at, last_seq, position_sec, playing, credit_ms, watched,
             seeks, skipped_sec, check_moments, checks_passed, checks_failed, status)
         VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
        session.id.as_uuid(),
        session.site.as_uuid(),
        session.daily_ticket.as_uuid(),
        session.worker.as_uuid(),
        session.video.as_uuid(),
        token_hash,
        device,
        column(session.duration_sec()),
        column(session.answer_sec),
        session.started_at,
        session.heard_at,
        long_column(session.last_seq),
        column(session.position_sec),
        session.playing,
        columns.credit_ms,
        session.watched.bits(),
        column(session.seeks),
        column(session.skipped_sec),
        &columns.check_moments,
        column(session.checks.passed),
        column(session.checks.failed),
        session.state.as_str(),
    )
    .execute(&mut **tx)
    .await
    .map_err(Error::from);
    one_live(inserted.map(|_| ()))
}

/// Writes a session back, guarded by the version it was read at.
pub async fn save(tx: &mut Tx, session: &Versioned<Session>) -> Result<(), Error> {
    let (at, columns) = (session.version, Columns::of(&session.value));
    let session = &session.value;
    let updated = sqlx::query!(
        "UPDATE training.sessions SET version = version + 1, heard_at = $3, last_seq = $4, position_sec = $5,
             playing = $6, credit_ms = $7, watched = $8, seeks = $9, skipped_sec = $10, check_moments = $11,
             checks_passed = $12, checks_failed = $13, check_id = $14, check_waited_ms = $15, held_from_sec = $16,
             held_to_sec = $17, status = $18, ended_at = $19, reason = $20
         WHERE session_id = $1 AND version = $2",
        session.id.as_uuid(),
        long_column(at),
        session.heard_at,
        long_column(session.last_seq),
        column(session.position_sec),
        session.playing,
        columns.credit_ms,
        session.watched.bits(),
        column(session.seeks),
        column(session.skipped_sec),
        &columns.check_moments,
        column(session.checks.passed),
        column(session.checks.failed),
        columns.open.map(|open| open.id.as_uuid()),
        columns.open.map(|open| open.waited.num_milliseconds()),
        columns.open.map(|open| column(open.held.0)),
        columns.open.map(|open| column(open.held.1)),
        session.state.as_str(),
        columns.ended_at,
        columns.reason.map(Reason::as_str),
    )
    .execute(&mut **tx)
    .await
    .map_err(Error::from);
    match one_live(updated.map(|updated| updated.rows_affected()))? {
        0 => Err(Error::Conflict),
        _ => Ok(()),
    }
}

/// Writes back a session that was resumed: its old token is good for nothing from now on.
pub async fn save_resumed(
    tx: &mut Tx,
    session: &Versioned<Session>,
    token_hash: &[u8],
    device: &str,
) -> Result<(), Error> {
    save(tx, session).await?;
    sqlx::query!(
        "UPDATE training.sessions SET token_hash = $2, device = $3 WHERE session_id = $1",
        session.value.id.as_uuid(),
        token_hash,
        device,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes back a session that ended, and its record. Answers the record, and the version of the fact that tells of it.
pub async fn save_ended(
    tx: &mut Tx,
    session: &Versioned<Session>,
) -> Result<(RecordId, u64), Error> {
    save(tx, session).await?;
    let (record, session) = (RecordId::new(), &session.value);
    records::insert(tx, record, session, PROVED_BY).await?;
    let version =
        day_trainings::next_version(tx, session.site, session.daily_ticket, session.worker).await?;
    Ok((record, version))
}

pub async fn get(tx: &mut Tx, session: SessionId) -> Result<Option<Stored>, Error> {
    let row = sqlx::query_as!(Row, "SELECT session_id, version, site_id, daily_ticket_id, worker_id, video_id, token_hash,
            duration_sec, answer_sec, started_at, heard_at, last_seq, position_sec, playing, credit_ms, watched, seeks,
            skipped_sec, check_moments, checks_passed, checks_failed, check_id, check_waited_ms, held_from_sec, held_to_sec,
            status, ended_at, reason
         FROM training.sessions WHERE session_id = $1", session.as_uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Stored::try_from).transpose()
}

/// The live session of a person, on whatever site; locked.
pub async fn live_of(tx: &mut Tx, worker: WorkerId) -> Result<Option<Stored>, Error> {
    let row = sqlx::query_as!(Row, "SELECT session_id, version, site_id, daily_ticket_id, worker_id, video_id, token_hash,
            duration_sec, answer_sec, started_at, heard_at, last_seq, position_sec, playing, credit_ms, watched, seeks,
            skipped_sec, check_moments, checks_passed, checks_failed, check_id, check_waited_ms, held_from_sec, held_to_sec,
            status, ended_at, reason
         FROM training.sessions WHERE worker_id = $1 AND status IN ('IN_LEARNING', 'WAITING_VERIFY') FOR UPDATE",
        worker.as_uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Stored::try_from).transpose()
}

/// The newest expired session of this worker, day and video; locked.
pub async fn expired_of(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
    video: VideoId,
) -> Result<Option<Stored>, Error> {
    let row = sqlx::query_as!(Row, "SELECT session_id, version, site_id, daily_ticket_id, worker_id, video_id, token_hash,
            duration_sec, answer_sec, started_at, heard_at, last_seq, position_sec, playing, credit_ms, watched, seeks,
            skipped_sec, check_moments, checks_passed, checks_failed, check_id, check_waited_ms, held_from_sec, held_to_sec,
            status, ended_at, reason
         FROM training.sessions
         WHERE daily_ticket_id = $1 AND worker_id = $2 AND video_id = $3 AND status = 'EXPIRED'
         ORDER BY started_at DESC LIMIT 1 FOR UPDATE",
        day.as_uuid(), worker.as_uuid(), video.as_uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Stored::try_from).transpose()
}

/// The sessions of a ticket's days that are not over; locked.
pub async fn unfinished_of(
    tx: &mut Tx,
    ticket: TicketId,
) -> Result<Vec<Versioned<Session>>, Error> {
    let rows = sqlx::query_as!(Row, "SELECT session_id, version, site_id, daily_ticket_id, worker_id, video_id, token_hash,
            duration_sec, answer_sec, started_at, heard_at, last_seq, position_sec, playing, credit_ms, watched, seeks,
            skipped_sec, check_moments, checks_passed, checks_failed, check_id, check_waited_ms, held_from_sec, held_to_sec,
            status, ended_at, reason
         FROM training.sessions
         WHERE daily_ticket_id IN (SELECT daily_ticket_id FROM training.days WHERE ticket_id = $1)
           AND status IN ('IN_LEARNING', 'WAITING_VERIFY', 'EXPIRED')
         ORDER BY session_id FOR UPDATE",
        ticket.as_uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|row| Ok(Stored::try_from(row)?.session)).collect()
}

/// A person's second live session is one that another call began at the same moment: read again.
fn one_live<T>(result: Result<T, Error>) -> Result<T, Error> {
    match result {
        Err(err) if err.constraint() == Some("sessions_one_live_a_person") => Err(Error::Conflict),
        result => result,
    }
}

/// What of a session is spread over columns.
struct Columns<'a> {
    credit_ms: i32,
    check_moments: Vec<i32>,
    open: Option<&'a OpenCheck>,
    ended_at: Option<DateTime<Utc>>,
    reason: Option<Reason>,
}

impl<'a> Columns<'a> {
    fn of(session: &'a Session) -> Self {
        let (open, ended_at, reason) = match &session.state {
            State::Learning | State::Expired => (None, None, None),
            State::Waiting(open) => (Some(open), None, None),
            State::Failed { reason, at } => (None, Some(*at), Some(*reason)),
            State::Completed { at } => (None, Some(*at), None),
        };
        Self {
            credit_ms: i32::try_from(session.credit.num_milliseconds()).unwrap_or(0),
            check_moments: session.checks.moments.iter().map(|moment| column(*moment)).collect(),
            open,
            ended_at,
            reason,
        }
    }
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let id = row.session_id;
        let corrupt = || Error::corrupt("sessions", id);
        let number = |number| count("sessions", id, number);
        let open = match (row.check_id, row.check_waited_ms, row.held_from_sec, row.held_to_sec) {
            (None, None, None, None) => None,
            (Some(check), Some(waited), Some(from), Some(to)) => Some(OpenCheck {
                id: check.into(),
                waited: TimeDelta::milliseconds(waited),
                held: (number(from)?, number(to)?),
            }),
            _ => return Err(corrupt()),
        };
        let reason = row
            .reason
            .as_deref()
            .map(|text| Reason::parse(text).ok_or_else(corrupt))
            .transpose()?;
        let state = match (row.status.as_str(), open, row.ended_at, reason) {
            ("IN_LEARNING", None, None, None) => State::Learning,
            ("WAITING_VERIFY", Some(open), None, None) => State::Waiting(open),
            ("EXPIRED", None, None, None) => State::Expired,
            ("FAILED", None, Some(at), Some(reason)) => State::Failed { reason, at },
            ("COMPLETED", None, Some(at), None) => State::Completed { at },
            _ => return Err(corrupt()),
        };
        let moments =
            row.check_moments.iter().map(|moment| number(*moment)).collect::<Result<_, _>>()?;
        let session = Session {
            id: id.into(),
            site: row.site_id.into(),
            daily_ticket: row.daily_ticket_id.into(),
            worker: row.worker_id.into(),
            video: row.video_id.into(),
            answer_sec: number(row.answer_sec)?,
            started_at: row.started_at,
            heard_at: row.heard_at,
            last_seq: version("sessions", id, row.last_seq)?,
            position_sec: number(row.position_sec)?,
            playing: row.playing,
            credit: TimeDelta::milliseconds(i64::from(row.credit_ms)),
            watched: Watched::parse(number(row.duration_sec)?, row.watched)
                .map_err(|_| corrupt())?,
            seeks: number(row.seeks)?,
            skipped_sec: number(row.skipped_sec)?,
            checks: Checks {
                moments,
                passed: number(row.checks_passed)?,
                failed: number(row.checks_failed)?,
            },
            state,
        };
        let version = version("sessions", id, row.version)?;
        Ok(Self { session: Versioned { value: session, version }, token_hash: row.token_hash })
    }
}
