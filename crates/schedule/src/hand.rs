//! What a job has at hand when it is looked at.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::{StoreError, Tx};

use crate::job::{CatchUp, Job};
use crate::lease::Taken;
use crate::runs::{self, Before, Place, Unfinished};

/// A failed slot is looked at again after so long at most: what a person asks for meanwhile is seen then.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Replicas' clocks that are right are no further from each other, nor from the database's.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(10);
/// A slot is known by its row for so long.
const ROWS_ARE_KEPT: TimeDelta = TimeDelta::days(30);

/// When to look again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Next {
    /// Nothing is due before this slot.
    Until(Option<DateTime<Utc>>),
    /// Another replica is at it, or a slot failed: after this long.
    After(Duration),
}

/// A slot to run now.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) at: DateTime<Utc>,
    pub(crate) key: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) before: Before,
}

impl Slot {
    pub(crate) fn place(&self) -> Place<'_> {
        Place { slot: self.at, key: &self.key }
    }
}

impl From<Unfinished> for Slot {
    fn from(row: Unfinished) -> Self {
        Self { at: row.slot, key: row.key, traceparent: row.traceparent, before: Before::default() }
    }
}

/// Slots to run now, one after the other, and when to look again after they ran well.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) slots: VecDeque<Slot>,
    pub(crate) next: Next,
    /// Whether slots were forgotten, which is to be kept also where there is none to run.
    pub(crate) forgot: bool,
}

/// The time a look is taken at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) site: DateTime<Utc>,
    /// Whether it was set, so that slots may come again.
    pub(crate) set: bool,
}

/// Looks under a lease just taken. Of a disabled job only what a person asked for is at hand.
pub(crate) async fn look(
    tx: &mut Tx,
    job: &Job,
    taken: &Taken,
    now: Now,
) -> Result<Hand, StoreError> {
    if !job.is_timed() {
        return triggered(tx, job, taken).await;
    }
    let (last, forgot) = match taken.last_slot {
        Some(last) if now.set && last > now.site => {
            (runs::forget_after(tx, job.name(), now.site).await?, true)
        }
        Some(last) if last - now.site > CLOCKS_APART => {
            forget_ahead(tx, job, last, now.site).await?
        }
        last => (last, false),
    };
    let ready = |row: &Unfinished| row.wait().is_zero();
    let (timed, asked): (Vec<_>, Vec<_>) =
        runs::unfinished(tx, job.name()).await?.into_iter().partition(|row| row.key.is_empty());
    let mut slots: VecDeque<Slot> = asked.into_iter().filter(ready).map(Slot::from).collect();
    if taken.disabled {
        return Ok(Hand { slots, next: Next::Until(None), forgot });
    }
    let next = Next::Until(job.when.next(now.site));
    let each = job.catch_up == CatchUp::Each;
    let due = job.when.due(last, now.site, each);
    let mut before =
        Before { missed: due.skipped, attempts: timed.last().map_or(0, |row| row.attempts) };
    // Each has its turn; else the newest does what all before it left undone.
    let left: Vec<Unfinished> = match (each, due.slots.is_empty()) {
        (true, _) => {
            before.attempts = 0;
            timed
        }
        (false, true) => timed.into_iter().next_back().into_iter().collect(),
        (false, false) => Vec::new(),
    };
    if let Some(waiting) = left.first().filter(|row| !ready(row)) {
        return Ok(Hand { slots, next: Next::After(waiting.wait().min(LONGEST_WAIT)), forgot });
    }
    slots.extend(left.into_iter().map(Slot::from));
    for at in due.slots {
        let before = std::mem::take(&mut before);
        slots.push_back(Slot { at, key: String::new(), traceparent: None, before });
    }
    Ok(Hand { slots, next, forgot })
}

/// The newest slot of a job whose `last` is far in the future, where nobody would run it until then: what a replica ran
/// under a clock that is ahead is forgotten. Which clock is wrong, the database's tells. One that is late itself takes
/// nothing from those that are right, and a site's clock that is set ahead is not the one that runs begin under. And
/// whether anything was forgotten.
async fn forget_ahead(
    tx: &mut Tx,
    job: &Job,
    last: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, bool), StoreError> {
    // What lies nearer stays: another clock that is right may have run it, and never twice.
    if !runs::forget_ahead(tx, job.name(), now + CLOCKS_APART, CLOCKS_APART).await? {
        return Ok((Some(last), false));
    }
    tracing::warn!(job = job.name(), slot = %last, "a replica's clock is ahead, what it ran is forgotten");
    // A slot whose row is dropped by now did run.
    let long_past = job.when.latest(now).filter(|slot| *slot < now - ROWS_ARE_KEPT);
    Ok((runs::newest(tx, job.name(), long_past).await?, true))
}

async fn triggered(tx: &mut Tx, job: &Job, taken: &Taken) -> Result<Hand, StoreError> {
    let rows = if taken.disabled { Vec::new() } else { runs::triggered(tx, job.name()).await? };
    // There may be more behind them.
    let next = if rows.is_empty() { Next::Until(None) } else { Next::After(Duration::ZERO) };
    Ok(Hand { slots: rows.into_iter().map(Slot::from).collect(), next, forgot: false })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, DurationRound, TimeDelta, Utc};
    use service::Scope;
    use test_support::Database;
    use types::{SiteZone, SystemClock};
    use uuid::Uuid;

    use super::{Hand, Now, look};
    use crate::job::{Job, Outcome};
    use crate::lease::{Lease, Taken};
    use crate::runs::{Before, Close, Place, claim, close as close_slot};
    use crate::trigger::trigger;

    #[tokio::test]
    async fn of_a_disabled_job_only_what_a_person_asked_for_is_at_hand() {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        let at: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
        let now = Now { site: at, set: false };
        let timed = Job::every("test.job", TimeDelta::minutes(1), async |_| Ok(Outcome::Nothing));
        let on_event = Job::on_event("test.event", async |_| Ok(Outcome::Nothing));
        let mut tx = store.begin(Scope::System("look")).await.unwrap();
        trigger(&mut tx, "test.job", at, "manual:1").await.unwrap();
        trigger(&mut tx, "test.event", at, "").await.unwrap();
        for (job, disabled, keys) in [
            (&timed, false, vec!["manual:1", ""]),
            (&timed, true, vec!["manual:1"]),
            (&on_event, false, vec![""]),
            (&on_event, true, vec![]),
        ] {
            let ttl = Duration::from_secs(10);
            let lease = Lease { job: job.name(), holder: Uuid::nil(), epoch: 1, ttl };
            let taken = Taken { lease, disabled, last_slot: None };
            let hand = look(&mut tx, job, &taken, now).await.unwrap();
            let found: Vec<&str> = hand.slots.iter().map(|slot| slot.key.as_str()).collect();
            assert_eq!(found, keys, "{} disabled: {disabled}", job.name());
        }
    }

    /// The slots at hand at `now` of a job that ran these slots, each begun at an instant.
    async fn at_hand(
        job: &Job,
        ran: &[(DateTime<Utc>, DateTime<Utc>)],
        now: DateTime<Utc>,
    ) -> Vec<DateTime<Utc>> {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        let mut tx = store.begin(Scope::System("look")).await.unwrap();
        sqlx::query("INSERT INTO jobs (job, cadence) VALUES ($1, 'in a test')")
            .bind(job.name())
            .execute(&mut *tx)
            .await
            .unwrap();
        let (holder, ttl) = (Uuid::nil(), Duration::from_secs(10));
        let taking = Lease::take(&mut tx, job.name(), holder, now, ttl, None);
        let Taken { lease, disabled, .. } = taking.await.unwrap().unwrap();
        for (slot, begun) in ran {
            let place = Place { slot: *slot, key: "" };
            claim(&mut tx, &lease, place, Before::default(), *begun).await.unwrap();
            let close = Close { outcome: "done", error: None, earlier: None, now: *begun };
            assert!(close_slot(&mut tx, &lease, place, close).await.unwrap());
        }
        let taken = Taken { lease, disabled, last_slot: ran.iter().map(|(slot, _)| *slot).max() };
        let now = Now { site: now, set: false };
        let hand = look(&mut tx, job, &taken, now).await.unwrap();
        let known: Option<DateTime<Utc>> =
            sqlx::query_scalar("SELECT last_slot FROM jobs").fetch_one(&mut *tx).await.unwrap();
        let again = look(&mut tx, job, &Taken { last_slot: known, ..taken }, now).await.unwrap();
        let slots = |hand: &Hand| hand.slots.iter().map(|slot| slot.at).collect::<Vec<_>>();
        assert_eq!(
            slots(&again),
            slots(&hand),
            "what is forgotten is so for the next look as well"
        );
        slots(&hand)
    }

    const NONE: [DateTime<Utc>; 0] = [];

    fn minutely() -> Job {
        Job::every("test.job", TimeDelta::minutes(1), async |_| Ok(Outcome::Nothing))
    }

    /// The database's minute.
    fn minute() -> DateTime<Utc> {
        SystemClock::system().now().duration_trunc(TimeDelta::minutes(1)).unwrap()
    }

    #[tokio::test]
    async fn what_ran_under_a_clock_that_is_ahead_keeps_no_other_from_running() {
        let now = minute();
        let day = now + TimeDelta::days(1);
        assert_eq!(at_hand(&minutely(), &[(day, day)], now).await, [now]);
        let before = now - TimeDelta::minutes(1);
        assert_eq!(at_hand(&minutely(), &[(before, before), (day, day)], now).await, [now]);
        assert_eq!(at_hand(&minutely(), &[(now, now), (day, day)], now).await, NONE, "never twice");
        let soon = now + TimeDelta::minutes(9);
        assert_eq!(at_hand(&minutely(), &[(soon, soon), (day, day)], now).await, NONE, "nor early");
    }

    #[tokio::test]
    async fn a_replica_that_is_late_itself_forgets_nothing() {
        let now = minute();
        assert_eq!(at_hand(&minutely(), &[(now, now)], now - TimeDelta::days(1)).await, NONE);
    }

    #[tokio::test]
    async fn slots_of_a_site_clock_that_was_set_ahead_are_not_forgotten_before_that_is_known() {
        let now = minute();
        assert_eq!(at_hand(&minutely(), &[(now + TimeDelta::days(1), now)], now).await, NONE);
    }

    #[tokio::test]
    async fn a_slot_whose_row_is_dropped_does_not_run_again_for_a_clock_that_is_ahead() {
        let now = minute();
        let date = (now + TimeDelta::days(1)).format("0 0 12 %-d %-m *").to_string();
        let yearly =
            Job::cron("test.job", &date, SiteZone::default(), async |_| Ok(Outcome::Nothing));
        let (yearly, later) = (yearly.unwrap(), now + TimeDelta::days(2));
        let slot = yearly.when.latest(later).unwrap();
        assert_eq!(at_hand(&yearly, &[(slot, later)], now).await, NONE);
    }
}
