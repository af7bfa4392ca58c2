use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schedule::manage::{self, Asked, Listed, Switched};
use schedule::{Job, Outcome, Patience};
use service::{Scope, Tx};
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::{EventId, SiteZone};
use uuid::Uuid;

use super::{NAME, World, start};

/// A job that never ends.
fn hanging(name: &'static str) -> Job {
    Job::every(name, TimeDelta::minutes(1), |_| std::future::pending())
}

impl World {
    async fn managed<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> T) -> T {
        let mut tx = self.store.begin(Scope::System("manage")).await.unwrap();
        let answer = work(&mut tx).await;
        tx.commit().await.unwrap();
        answer
    }

    async fn ask(&self, id: Uuid) -> Asked {
        self.managed(async |tx| manage::ask(tx, NAME, id).await.unwrap()).await
    }

    async fn disable(&self) -> Switched {
        let because = Some("it floods the log");
        self.managed(async |tx| manage::disable(tx, NAME, because, start()).await.unwrap()).await
    }

    async fn enable(&self) -> Switched {
        self.managed(async |tx| manage::enable(tx, NAME).await.unwrap()).await
    }

    async fn listed(&self) -> Vec<Listed> {
        manage::list(&self.store, self.system.now()).await.unwrap()
    }
}

fn instant(id: Uuid) -> DateTime<Utc> {
    let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
    DateTime::from_timestamp(seconds.try_into().unwrap(), nanos).unwrap()
}

#[tokio::test]
async fn the_list_shows_each_job_with_its_last_run_and_its_next_slot() {
    let world = World::new().await;
    let daily =
        Job::daily("test.daily", "24:00", SiteZone::default(), async |_| Ok(Outcome::Nothing));
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    let jobs = vec![world.every_minute(), daily.unwrap(), hanging("test.hangs")];
    replicas.spawn(world.replica().await.run(jobs, stop.clone()));
    world.until_finished(2).await;
    let listed = eventually("the third to begin", async || {
        let listed = world.listed().await;
        (listed.len() == 3 && listed[1].holder.is_some()).then_some(listed)
    })
    .await;
    let [daily, hangs, minutely] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (daily.cadence.as_str(), daily.zone.as_deref()),
        ("0 0 0 * * *", Some("Asia/Shanghai"))
    );
    let midnight = start() + TimeDelta::hours(16);
    assert_eq!(
        (daily.slot, daily.next_slot),
        (Some(midnight - TimeDelta::days(1)), Some(midnight))
    );
    assert_eq!((minutely.cadence.as_str(), minutely.zone.as_deref()), ("every 60 s", None));
    assert_eq!((minutely.slot, minutely.key.as_deref()), (Some(start()), Some("")));
    assert_eq!((minutely.started_at, minutely.finished_at), (Some(start()), Some(start())));
    assert_eq!((minutely.outcome.as_deref(), minutely.holder), (Some("changed 1"), None));
    assert_eq!(minutely.next_slot, Some(start() + TimeDelta::minutes(1)));
    assert_eq!((hangs.attempts, hangs.finished_at), (Some(1), None));
    replicas.shutdown().await;
}

#[tokio::test]
async fn a_disabled_job_begins_no_slot_and_makes_good_what_it_missed_once_enabled() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    assert_eq!(world.disable().await, Switched::Now);
    assert_eq!(world.disable().await, Switched::Already);
    let listed = world.listed().await;
    assert_eq!(listed[0].disabled_because.as_deref(), Some("it floods the log"));
    world.clock.advance(TimeDelta::minutes(3));
    // What a person asks for runs all the same, and shows that the runner has looked.
    let id = EventId::new().as_uuid();
    assert_eq!(world.ask(id).await, Asked::New);
    world.until_finished(2).await;
    world.clock.advance(TimeDelta::minutes(2));
    assert_eq!(world.slots(), [start(), instant(id)]);
    assert_eq!(world.enable().await, Switched::Now);
    assert_eq!(world.enable().await, Switched::Already);
    world.until_finished(3).await;
    stop.cancel();
    replicas.join_all().await;
    let ran = world.ran.lock().unwrap();
    assert_eq!((ran[2].slot, ran[2].missed), (start() + TimeDelta::minutes(5), 4));
}

#[tokio::test]
async fn a_job_that_is_enabled_before_all_have_seen_it_disabled_goes_on() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    assert_eq!(world.disable().await, Switched::Now);
    assert_eq!(world.ask(EventId::new().as_uuid()).await, Asked::New);
    // The clock has the job looked at; what a person did is looked up every three seconds.
    world.clock.advance(TimeDelta::minutes(3));
    world.until_finished(2).await;
    assert_eq!(world.enable().await, Switched::Now);
    world.until_finished(3).await;
    stop.cancel();
    replicas.join_all().await;
    let ran = world.ran.lock().unwrap();
    assert_eq!((ran[2].slot, ran[2].missed), (start() + TimeDelta::minutes(3), 2));
}

#[tokio::test]
async fn a_run_asked_for_twice_is_one_and_leaves_the_jobs_times_alone() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    let id = EventId::new().as_uuid();
    assert_eq!(world.ask(id).await, Asked::New);
    world.until_finished(2).await;
    assert_eq!(world.ask(id).await, Asked::Already(Some("changed 1".to_owned())));
    world.clock.advance(TimeDelta::minutes(1));
    world.until_finished(3).await;
    stop.cancel();
    replicas.join_all().await;
    let minute_later = start() + TimeDelta::minutes(1);
    assert_eq!(world.slots(), [start(), instant(id), minute_later]);
    let kept = manage::slots(&world.store, NAME, 10).await.unwrap().unwrap();
    assert!(kept.is_sorted_by(|one, next| one.slot > next.slot), "newest first: {kept:?}");
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|slot| slot.outcome.as_deref() == Some("changed 1")), "{kept:?}");
    assert_eq!(manage::slots(&world.store, NAME, 1).await.unwrap().unwrap().len(), 1);
    let ran = world.ran.lock().unwrap();
    assert_eq!((ran[1].key.clone(), ran[2].missed), (format!("manual:{id}"), 0));
}

#[tokio::test]
async fn what_no_job_is_can_be_neither_run_nor_disabled() {
    let world = World::new().await;
    let id = EventId::new().as_uuid();
    assert_eq!(world.ask(id).await, Asked::Unknown);
    assert_eq!(world.disable().await, Switched::Unknown);
    assert_eq!(world.enable().await, Switched::Unknown);
    assert!(manage::slots(&world.store, NAME, 2).await.unwrap().is_none());
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    let on_event = Job::on_event("test.event", async |_| Ok(Outcome::Nothing));
    let jobs = vec![world.every_minute(), on_event];
    replicas.spawn(world.replica().await.run(jobs, stop.clone()));
    world.until_finished(1).await;
    assert_eq!(world.ask(Uuid::from_u128(1)).await, Asked::BadId);
    let asked = world.managed(async |tx| manage::ask(tx, "test.event", id).await.unwrap()).await;
    assert_eq!(asked, Asked::OnEvent);
    stop.cancel();
    replicas.join_all().await;
}

#[tokio::test]
async fn triggers_of_a_disabled_event_job_wait_until_it_is_enabled() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    eventually("the job to be registered", async || {
        (world.disable().await == Switched::Now).then_some(())
    })
    .await;
    world.trigger("a").await;
    // A look at another trigger's worth of time: the board has told of it by then.
    let other = Job::every("test.other", TimeDelta::minutes(1), async |_| Ok(Outcome::Nothing));
    replicas.spawn(world.replica().await.run(vec![other], stop.clone()));
    world.until_finished(1).await;
    assert!(world.keys().is_empty());
    assert_eq!(world.enable().await, Switched::Now);
    world.until_finished(2).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.keys(), ["a"]);
}

#[tokio::test]
async fn a_job_that_fails_slot_after_slot_is_given_up_and_alarms_until_one_runs_well() {
    let world = World::new().await;
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let job = {
        let (well, ran) = (well.clone(), world.ran.clone());
        Job::every(NAME, TimeDelta::minutes(1), move |run| {
            ran.lock().unwrap().push(run);
            let well = well.load(std::sync::atomic::Ordering::Relaxed);
            async move { if well { Ok(Outcome::Nothing) } else { Err("on purpose".into()) } }
        })
    };
    // No second attempt comes before the next slot.
    let delays = vec![Duration::from_hours(1); 2];
    let patience = Patience { poll: Duration::from_millis(10), delays, ..Patience::default() };
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.with_patience(patience).run(vec![job], stop.clone()));
    for count in 1..=3 {
        eventually("a failed run", async || (world.slots().len() == count).then_some(())).await;
        world.clock.advance(TimeDelta::minutes(1));
    }
    // The third attempt was the last, and closed the slots whose attempts it counts.
    eventually("the job to alarm", async || world.listed().await[0].alarmed.then_some(())).await;
    well.store(true, std::sync::atomic::Ordering::Relaxed);
    world.clock.advance(TimeDelta::minutes(1));
    eventually("all to be well", async || (!world.listed().await[0].alarmed).then_some(())).await;
    stop.cancel();
    replicas.join_all().await;
    let finished = world.finished().await;
    let given_up = finished.iter().filter(|(_, outcome, _)| outcome == "given up").count();
    assert_eq!(given_up, 3, "{finished:?}");
    let told = events::testing::outbox(&world.store).await;
    let told: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["AlertRaised", "AlertCleared"]);
}
