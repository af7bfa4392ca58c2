use std::time::Duration;

use access_grant::app::Pusher;
use access_grant::domain::State;
use access_grant::store::grants::Filter;
use chrono::TimeDelta;
use proto::access_grant::v1::{AccessSyncFailed, AccessSynced};
use test_support::eventually;

use crate::fake_door::Mode;
use crate::world::{World, at};

#[tokio::test]
async fn a_door_that_says_yes_and_holds_nothing_is_not_synced() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.door.set(Mode::Forgetful);
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.state, grant.proved_at), (State::Failed, None));
    assert_eq!(grant.last_error.as_deref(), Some("NOT_AT_DOOR"));
    assert!(grant.sent_at.is_some());
    assert!(world.told::<AccessSynced>().await.is_empty());
}

#[tokio::test]
async fn a_door_that_fails_is_tried_again_until_it_heals() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.door.set(Mode::Away);
    for (second, expected) in
        [(0, 1), (4, 1), (5, 2), (34, 2), (35, 3), (94, 3), (95, 4), (394, 4), (395, 5), (695, 6)]
    {
        world.harness.shell.clock.set(at(5) + TimeDelta::seconds(second), 0.0);
        world.push().await;
        assert_eq!(world.grant_of(&job).await.attempts, expected, "after {second} s");
    }
    assert_eq!(world.told::<AccessSyncFailed>().await.len(), 1, "told once, not with each attempt");
    world.door.set(Mode::Refusing);
    world.set_minute(30);
    world.push().await;
    assert_eq!(world.grant_of(&job).await.last_error.as_deref(), Some("REFUSED_40001"));
    world.door.set(Mode::Honest);
    world.set_minute(60);
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.state, grant.attempts, grant.last_error), (State::Synced, 0, None));
    assert!(world.told::<AccessSynced>().await[0].authorized);
}

#[tokio::test]
async fn a_lost_answer_does_not_matter_when_the_door_is_read() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.door.set(Mode::ReplyLost);
    world.push().await;
    assert_eq!(world.grant_of(&job).await.state, State::Synced);
}

#[tokio::test]
async fn a_door_that_clings_to_a_revoked_grant_is_told_again() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (mut job, _) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.hear(&job.cancelled()).await;
    world.door.set(Mode::Clinging);
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert!(matches!(grant.state, State::Revoked { proved_at: None, .. }));
    assert_eq!(grant.last_error.as_deref(), Some("STILL_AT_DOOR"));
    world.door.set(Mode::Honest);
    world.set_minute(6);
    world.push().await;
    assert!(matches!(world.grant_of(&job).await.state, State::Revoked { proved_at: Some(_), .. }));
}

#[tokio::test]
async fn two_pushers_at_once_push_once() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    for face in ["face-1", "face-2", "face-3", "face-4", "face-5"] {
        world.granted(face, &[area]).await;
    }
    let other = Pusher::new(world.store.clone(), world.harness.shell.clone(), world.door.clone());
    world.door.gate();
    let both = async { tokio::join!(world.pusher.push_due(), other.push_due()) };
    let release = async {
        world.door.begun.notified().await;
        // The first is at the door; whoever comes now finds nothing to do.
        let third =
            Pusher::new(world.store.clone(), world.harness.shell.clone(), world.door.clone());
        assert_eq!(third.push_due().await.unwrap(), 0);
        world.door.go_on.notify_one();
    };
    let ((one, two), ()) = tokio::join!(both, release);
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(world.door.pushes().len(), 5);
    let synced = world.grants(Filter { status: Some("SYNCED"), ..Filter::default() }).await;
    assert_eq!(synced.len(), 5);
}

#[tokio::test]
async fn a_pusher_that_overslept_its_lease_writes_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.door.gate();
    let slow = world.pusher.push_due();
    let meanwhile = async {
        world.door.begun.notified().await;
        world.harness.shell.system.advance(TimeDelta::minutes(2));
        world.push().await;
        let version = world.grant_of(&job).await.version;
        world.door.lose(world.grant_of(&job).await.id);
        world.door.set(Mode::Forgetful);
        world.door.go_on.notify_one();
        version
    };
    let (_, version) = tokio::join!(slow, meanwhile);
    let grant = world.grant_of(&job).await;
    assert_eq!(
        (grant.state, grant.version),
        (State::Synced, version),
        "the second one's word stands"
    );
}

#[tokio::test]
async fn what_a_door_says_of_an_aim_that_changed_meanwhile_counts_for_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (mut job, _) = world.granted("face-1", &[area]).await;
    world.door.gate();
    let slow = world.pusher.push_due();
    let meanwhile = async {
        world.door.begun.notified().await;
        world.hear(&job.cancelled()).await;
        world.door.go_on.notify_one();
    };
    let (pushed, ()) = tokio::join!(slow, meanwhile);
    pushed.unwrap();
    let grant = world.grants(Filter::default()).await.remove(0);
    assert!(matches!(grant.state, State::Revoked { proved_at: None, .. }), "{:?}", grant.state);
    assert!(world.door.holds(grant.id).is_some());
    world.push().await;
    assert_eq!(world.door.held(), 0);
}

#[tokio::test]
async fn a_resync_while_the_door_is_being_called_is_that_call() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    let grant = world.grant_of(&job).await;
    world.door.gate();
    let slow = world.pusher.push_due();
    let meanwhile = async {
        world.door.begun.notified().await;
        let admin = world.harness.sysadmin(&[world.site]);
        let answered = world.app.resync_grant(&admin, grant.id).await.unwrap();
        world.door.go_on.notify_one();
        answered
    };
    let (pushed, answered) = tokio::join!(slow, meanwhile);
    pushed.unwrap();
    assert_eq!(answered.version, grant.version);
    world.push().await;
    assert_eq!((world.door.pushes(), world.audited().await.len()), (vec![grant.id], 0));
}

#[tokio::test]
async fn only_all_areas_together_authorize() {
    let world = World::new().await;
    let areas = [world.area("acg_01").await, world.area("acg_02").await];
    let (job, worker) = world.granted("face-1", &areas).await;
    let own = world.harness.worker(worker, world.site);
    let found = world.app.await_authorized(&own, job.day, worker, Duration::ZERO).await.unwrap();
    assert_eq!((found.authorized, found.pending.len()), (false, 2));
    world.push().await;
    let mut authorized: Vec<bool> =
        world.told::<AccessSynced>().await.into_iter().map(|fact| fact.authorized).collect();
    assert_eq!(authorized.pop(), Some(true));
    assert_eq!(authorized, [false]);
    let found = world.app.await_authorized(&own, job.day, worker, Duration::ZERO).await.unwrap();
    assert_eq!((found.authorized, found.pending.len()), (true, 0));
}

#[tokio::test]
async fn the_loop_pushes_what_is_committed_and_who_waits_is_woken() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    let stop = world.harness.shell.tasks.token();
    world.harness.shell.tasks.spawn("push-due", world.pusher.clone().run(stop));
    let own = world.harness.worker(worker, world.site);
    let waiting = world.app.await_authorized(&own, job.day, worker, Duration::from_secs(2));
    let (found, ()) = tokio::join!(waiting, world.train(&job, worker, 5));
    assert!(found.unwrap().authorized);
    eventually("the grant at the door", async || (world.door.held() == 1).then_some(())).await;
    world.harness.stop().await;
}
