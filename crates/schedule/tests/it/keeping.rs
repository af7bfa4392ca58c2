use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schedule::{Job, Outcome};
use service::Scope;
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::{SiteZone, SystemClock};

use super::{NAME, World};

/// Long past for the database too, whose clock is nobody's to set.
fn start() -> DateTime<Utc> {
    "2022-03-02T00:00:00Z".parse().unwrap()
}

impl World {
    /// Makes what is to be made, and drops what is to be dropped.
    async fn keep(&self, today: NaiveDate) {
        for _ in 0..2 {
            let mut tx = self.store.begin(Scope::System("keep")).await.unwrap();
            sqlx::query("SELECT keep_job_runs($1)").bind(today).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// The days' partitions, by the end of their names.
    async fn partitions(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT replace(relname, 'job_runs_', '') FROM pg_class
             WHERE relnamespace = 'ticket'::regnamespace AND relname ~ '^job_runs_[0-9]{8}$' ORDER BY 1",
        )
        .fetch_all(&self.database.admin())
        .await
        .unwrap()
    }

    async fn write(&self, slot: DateTime<Utc>, finished: bool) {
        let mut tx = self.store.begin(Scope::System("write")).await.unwrap();
        sqlx::query(
            "INSERT INTO job_runs (job, slot, attempts, missed, finished_at) VALUES ($1, $2, 1, 0, $3)",
        )
        .bind(NAME)
        .bind(slot)
        .bind(finished.then_some(slot))
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn kept(&self) -> Vec<DateTime<Utc>> {
        let mut tx = self.store.begin(Scope::System("look")).await.unwrap();
        sqlx::query_scalar("SELECT slot FROM job_runs ORDER BY slot")
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn the_coming_days_have_a_partition_each_and_days_long_past_are_dropped_whole() {
    let world = World::starting(start()).await;
    let today = start().date_naive();
    world.keep(today).await;
    world.keep(today).await;
    assert_eq!(world.partitions().await, ["20220302", "20220303", "20220304", "20220305"]);
    world.write(start(), true).await;
    world.write(start() + TimeDelta::days(1), false).await;
    world.write(start() + TimeDelta::days(2), true).await;
    world.keep(today + TimeDelta::days(30)).await;
    assert_eq!(world.kept().await.len(), 3, "thirty days are kept");
    world.keep(today + TimeDelta::days(34)).await;
    let left = world.partitions().await;
    assert_eq!(left[..2], ["20220303", "20220401"], "what has not ended is kept");
    assert_eq!(world.kept().await, [start() + TimeDelta::days(1)]);
}

#[tokio::test]
async fn a_site_clock_far_ahead_of_the_databases_drops_nothing() {
    let now = SystemClock::system().now();
    let world = World::starting(now).await;
    let (days_ago, weeks_ago) = (now - TimeDelta::days(5), now - TimeDelta::days(20));
    world.keep(days_ago.date_naive()).await;
    world.write(days_ago, true).await;
    world.write(weeks_ago, true).await;
    world.keep((now + TimeDelta::days(60)).date_naive()).await;
    assert_eq!(world.kept().await.len(), 2, "thirty days are kept, whatever day the site has");
    world.keep(now.date_naive()).await;
    assert_eq!(world.kept().await.len(), 2);
}

#[tokio::test]
async fn rows_that_came_before_their_partition_move_into_it_and_others_are_forgotten_one_by_one() {
    let world = World::starting(start()).await;
    let (today, past) = (start().date_naive(), start() - TimeDelta::days(50));
    for slot in [start(), past, past + TimeDelta::hours(1)] {
        world.write(slot, slot != past).await;
    }
    world.keep(today).await;
    assert_eq!(world.partitions().await, ["20220302", "20220303", "20220304", "20220305"]);
    assert_eq!(world.kept().await, [past, start()], "what has not ended is kept");
    world.keep(today + TimeDelta::days(40)).await;
    assert_eq!(world.kept().await, [past]);
}

#[tokio::test]
async fn whoever_writes_while_a_partition_is_made_waits_for_it() {
    let world = World::starting(start()).await;
    let mut making = world.store.begin(Scope::System("keep")).await.unwrap();
    let today = start().date_naive();
    sqlx::query("SELECT keep_job_runs($1)").bind(today).execute(&mut *making).await.unwrap();
    let writes = world.write(start(), true);
    let commits = async {
        eventually("the writer to wait", async || {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&world.database.admin())
            .await
            .unwrap();
            (waiting == 1).then_some(())
        })
        .await;
        making.commit().await.unwrap();
    };
    tokio::join!(writes, commits);
    assert_eq!(world.kept().await, [start()]);
}

#[tokio::test]
async fn a_slot_whose_row_is_long_forgotten_does_not_run_again() {
    let world = World::starting(start()).await;
    let yearly = || {
        let ran = world.ran.clone();
        Job::cron(NAME, "0 0 6 1 3 *", SiteZone::default(), move |run| {
            ran.lock().unwrap().push(run);
            async { Ok(Outcome::Nothing) }
        })
        .unwrap()
    };
    for passed in [0, 300] {
        world.clock.advance(TimeDelta::days(passed));
        let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
        let looked = Job::every("test.look", TimeDelta::days(1), async |_| Ok(Outcome::Nothing));
        replicas.spawn(world.replica().await.run(vec![yearly(), looked], stop.clone()));
        let newest = world.clock.now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        eventually("both to have looked", async || {
            world.finished().await.iter().any(|(slot, ..)| *slot == newest).then_some(())
        })
        .await;
        eventually("the yearly run", async || (world.slots().len() == 1).then_some(())).await;
        stop.cancel();
        replicas.join_all().await;
        world.keep(world.clock.now().date_naive() + TimeDelta::days(31)).await;
        assert!(world.kept().await.is_empty());
    }
    assert_eq!(world.slots(), ["2022-02-28T22:00:00Z".parse::<DateTime<Utc>>().unwrap()]);
}

#[tokio::test]
async fn a_slot_costs_two_commits_and_waiting_costs_none() {
    let world = World::starting(start()).await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    let replica = world.replica_of(world.store.clone());
    let commits = world.store.changed();
    replicas.spawn(replica.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    let before = *commits.borrow();
    for minute in 1..=5 {
        world.clock.advance(TimeDelta::minutes(1));
        world.until_finished(minute + 1).await;
    }
    stop.cancel();
    replicas.join_all().await;
    let spent = *commits.borrow() - before;
    assert!((9..=11).contains(&spent), "{spent} commits for five slots");
}
