use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use test_support::eventually;
use uuid::Uuid;

use crate::chaos::{Scale, World};

/// While the snapshot is held: 500 events a second.
const EVERY: Duration = Duration::from_millis(100);
const AT_ONCE: usize = 50;
/// The relay works it off in batches of a thousand: the rate is that between the first and the last.
const ROUND: usize = 5_000;
const ROUNDS: usize = 5;
const OUTBOX: &str = "outbox";
/// Where the leader of the outbox keeps how far it is.
const MARKS: &str = "relay_state";

/// F23: while somebody holds an old snapshot, events are published as fast as before, and what nobody may clean away is
/// no more than what was written.
pub(crate) async fn held(world: &mut World) {
    let (lasts, ratio) = match world.scale {
        // Rates on two cores differ by a tenth from one half minute to the next: the short form allows for that.
        Scale::Quick => (Duration::from_secs(10), 0.8),
        Scale::Full { snapshot } => (snapshot, 0.9),
    };
    let before = rate(world).await;
    let (start, marked) = (Room::cleaned(world, OUTBOX).await, Room::cleaned(world, MARKS).await);
    let url = world.postgres.url("sitepass");
    let mut holder = PgConnection::connect(&url).await.expect("PostgreSQL answers");
    for statement in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM ticket.outbox"]
    {
        sqlx::query(statement).execute(&mut holder).await.expect("a snapshot");
    }
    world.ledger.note(format!("a snapshot is held for {lasts:.0?} at 500 events a second"));
    let (until, mut tick) = (Instant::now() + lasts, tokio::time::interval(EVERY));
    let mut newest = Uuid::nil();
    while Instant::now() < until {
        tick.tick().await;
        newest = *world.burst("ticket", AT_ONCE).await.last().expect("some were written");
    }
    recorded(world, newest).await;
    let held = rate(world).await;
    let (full, marks) = (Room::of(world, OUTBOX).await, Room::of(world, MARKS).await);
    world.ledger.note(format!("{before:.0} events a second before, {held:.0} under the snapshot"));
    world.ledger.note(format!("the leader's row: {marked:?}, then {marks:?}"));
    assert!(
        held >= before * ratio,
        "{before:.0} events a second before, {held:.0} under an old snapshot"
    );
    assert_outbox_bounded(start, full);
    assert_marks_bounded(marked, marks, full.rows - start.rows);
    // Waits for its end, as a connection that is closed does not.
    sqlx::query("ROLLBACK").execute(&mut holder).await.expect("the snapshot ends");
    let after = Room::cleaned(world, OUTBOX).await;
    world.ledger.note(format!("the snapshot has ended: {start:?}, then {full:?}, then {after:?}"));
    assert!(after.dead * 10 <= full.dead, "something still holds {after:?} of {full:?}");
    let after = Room::cleaned(world, MARKS).await;
    assert!(after.dead * 10 <= marks.dead, "something still holds {after:?} of {marks:?}");
}

/// A table of `ticket` with its partitions, and the room it takes.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Room {
    rows: i64,
    /// Versions of rows that nobody needs, as PostgreSQL has counted them.
    dead: i64,
    /// With its indexes.
    bytes: i64,
}

impl Room {
    /// Without what may be cleaned away.
    async fn cleaned(world: &World, table: &str) -> Self {
        let pool = world.checker.pool();
        let vacuum = format!("VACUUM ticket.{table}");
        sqlx::query(AssertSqlSafe(vacuum)).execute(pool).await.expect("PostgreSQL answers");
        Self::of(world, table).await
    }

    async fn of(world: &World, table: &str) -> Self {
        let query = format!(
            "SELECT (SELECT count(*) FROM ticket.{table}) AS rows, sum(n_dead_tup)::bigint AS dead,
                 sum(pg_total_relation_size(relid))::bigint AS bytes
             FROM pg_stat_user_tables WHERE schemaname = 'ticket' AND starts_with(relname, '{table}')"
        );
        sqlx::query_as(AssertSqlSafe(query))
            .fetch_one(world.checker.pool())
            .await
            .expect("PostgreSQL answers")
    }
}

/// Each row is written once and marked once: it leaves one dead version, and takes no more than two rows' room.
fn assert_outbox_bounded(start: Room, full: Room) {
    let (rows, dead) = (full.rows - start.rows, full.dead - start.dead);
    assert!(dead * 2 > rows, "the snapshot keeps nothing: {start:?}, then {full:?}");
    assert!(dead * 10 <= rows * 12, "more is dead than was marked: {start:?}, then {full:?}");
    // In tenths, of a size per row.
    assert!(
        full.bytes / full.rows * 10 <= start.bytes / start.rows * 22,
        "it grows by more than what it holds: {start:?}, then {full:?}"
    );
}

/// The leader's row, which every mark writes anew, leaves one dead version a mark; a mark is of a batch, and not of a row.
fn assert_marks_bounded(start: Room, full: Room, rows: i64) {
    let dead = full.dead - start.dead;
    assert!(dead * 10 <= rows, "{dead} marks for {rows} rows: {start:?}, then {full:?}");
    assert!(
        full.bytes - start.bytes <= dead * 200,
        "it grows by more than what it held: {start:?}, then {full:?}"
    );
}

/// The median rate at which the relay works off a burst, in events a second. Each burst comes when nothing waits.
async fn rate(world: &World) -> f64 {
    let mut rates = Vec::new();
    // The first warms up and does not count.
    for round in 0..=ROUNDS {
        let ids = world.burst("ticket", ROUND).await;
        recorded(world, *ids.last().expect("some were written")).await;
        let rate: f64 = sqlx::query_scalar(
            "WITH sent AS (SELECT sent_at, min(sent_at) OVER () AS first FROM ticket.outbox WHERE event_id = ANY ($1))
             SELECT (count(*) FILTER (WHERE sent_at > first) / extract(epoch FROM max(sent_at) - min(first)))::float8
             FROM sent",
        )
        .bind(&ids)
        .fetch_one(world.checker.pool())
        .await
        .expect("they were sent in several batches");
        if round > 0 {
            rates.push(rate);
        }
    }
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Waits until the log has an event, and so all before it.
async fn recorded(world: &World, event: Uuid) {
    for _ in 0..6 {
        let entry = eventually("the event to be in the log", || async {
            let entries = "SELECT count(*) FROM audit.entries WHERE event_id = $1";
            let entries = sqlx::query_scalar(entries).bind(event);
            let entries: Result<i64, _> = entries.fetch_one(world.checker.pool()).await;
            (entries.ok()? > 0).then_some(())
        });
        if tokio::time::timeout(Duration::from_secs(19), entry).await.is_ok() {
            return;
        }
    }
    panic!("what was published does not get into the log\n{}", world.ledger.story());
}
