use access_grant::app::Error;
use access_grant::domain::{RevokeReason, State};
use access_grant::store::grants::Filter;
use events::Delivery;
use futures::future::join_all;
use proto::access_grant::v1::{AccessGranted, AccessRevoked, LateGrantReleased};
use proto::training::v1::TrainingCompleted;
use types::{AreaId, WorkerId};

use crate::world::{World, at};

#[tokio::test]
async fn a_grant_is_made_once_in_whatever_order_and_however_often_its_facts_come() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let world = World::new().await;
        let (area, worker) = (AreaId::new(), WorkerId::new());
        let job = world.job(&[worker], &[area]);
        let facts = [
            events::testing::delivery(&world.area_changed(area, "acg_01")),
            events::testing::delivery(&world.bound(worker, "face-1", at(-10))),
            events::testing::delivery(&job.published()),
            events::testing::delivery(&job.trained(worker, 0)),
        ];
        for index in order {
            for _ in 0..3 {
                world.deliver(&facts[index]).await;
                // Published again by a rebuilt stream: another id, the same fact.
                world
                    .deliver(&Delivery { id: types::EventId::new(), ..facts[index].clone() })
                    .await;
            }
        }
        let grant = world.grant_of(&job).await;
        assert_eq!((grant.worker, grant.area), (worker, area));
        world.push().await;
        assert_eq!(world.door.pushes(), [grant.id]);
        assert_eq!(world.grant_of(&job).await.state, State::Synced, "order {order:?}");
    }
}

#[tokio::test]
async fn an_older_version_that_comes_late_changes_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let mut job = world.job(&[worker], &[area]);
    let first = job.published();
    let cancelled = job.cancelled();
    world.hear(&cancelled).await;
    world.hear(&first).await;
    world.train(&job, worker, 5).await;
    assert!(world.grants(Filter::default()).await.is_empty());
}

#[tokio::test]
async fn who_finished_late_is_granted_only_by_release() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let early = world.app.release_late_grant(&admin, job.day, worker, "no time").await;
    assert!(matches!(early, Err(Error::NotAllowed { from: "TRAINING_INCOMPLETE", .. })));

    world.train(&job, worker, 61).await;
    assert!(world.grants(Filter::default()).await.is_empty());

    let granted =
        world.app.release_late_grant(&admin, job.day, worker, "lift was stuck").await.unwrap();
    assert_eq!(granted.len(), 1);
    let again =
        world.app.release_late_grant(&admin, job.day, worker, "another reason").await.unwrap();
    assert_eq!(again, granted);
    let released = world.told::<LateGrantReleased>().await;
    assert_eq!(released.len(), 1);
    assert_eq!(
        (released[0].reason.as_str(), &released[0].released_by),
        ("lift was stuck", &admin.subject.to_string())
    );
    let audited = world.audited().await;
    assert_eq!(audited.len(), 1);
    assert_eq!(
        (audited[0].action.as_str(), audited[0].reason.as_str()),
        ("grant.release", "lift was stuck")
    );
}

#[tokio::test]
async fn fifty_releases_at_once_let_one_in_once() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let release = || world.app.release_late_grant(&admin, job.day, worker, "lift was stuck");
    let answers = join_all((0..50).map(|_| release())).await;
    let granted = [world.grant_of(&job).await];
    for answer in answers {
        assert_eq!(answer.unwrap(), granted);
    }
    assert_eq!(world.told::<LateGrantReleased>().await.len(), 1);
    assert_eq!(world.told::<AccessGranted>().await.len(), 1);
    assert_eq!(world.audited().await.len(), 1);
}

#[tokio::test]
async fn a_release_of_before_a_reopening_lets_nobody_in_who_finishes_late_again() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let release = async |reason: &'static str| {
        world.app.release_late_grant(&admin, job.day, worker, reason).await
    };
    world.set_minute(65);
    assert_eq!(release("lift was stuck").await.unwrap().len(), 1);
    world.set_minute(70);
    world.hear(&job.reopened(worker, 70)).await;
    let refused = release("let him work").await;
    assert!(matches!(refused, Err(Error::NotAllowed { from: "TRAINING_INCOMPLETE", .. })));

    world.set_minute(80);
    world.hear(&TrainingCompleted { version: 3, ..job.trained(worker, 80) }).await;
    assert!(!world.grant_of(&job).await.is_live(), "that release was of what he had watched then");
    world.set_minute(90);
    assert!(release("watched it on site").await.unwrap()[0].is_live());
    assert_eq!(world.told::<LateGrantReleased>().await.len(), 2);
    assert_eq!(release("again").await.unwrap().len(), 1);
    assert_eq!(world.told::<LateGrantReleased>().await.len(), 2);
}

#[tokio::test]
async fn a_release_outside_of_ones_sites_finds_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    let stranger = world.harness.sysadmin(&[types::SiteId::new()]);
    let refused = world.app.release_late_grant(&stranger, job.day, worker, "x").await;
    assert!(matches!(refused, Err(Error::NotFound)));
    assert!(world.grants(Filter::default()).await.is_empty());
}

#[tokio::test]
async fn a_later_deadline_grants_who_was_late_and_a_tighter_one_takes_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let mut job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    world.hear(&job.amended(|job| job.deadline_at = at(90))).await;
    assert_eq!(world.grant_of(&job).await.state, State::Pending);
    world.hear(&job.amended(|job| job.deadline_at = at(10))).await;
    assert_eq!(world.grant_of(&job).await.state, State::Pending);
}

#[tokio::test]
async fn cancelling_revokes_and_waits_for_the_doors_to_be_seen_without_it() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (mut job, _) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.set_minute(10);
    world.hear(&job.cancelled()).await;
    let revoked = State::Revoked { reason: RevokeReason::Cancelled, at: at(10), proved_at: None };
    let grant = world.grant_of(&job).await;
    assert_eq!(grant.state, revoked);
    assert!(world.door.holds(grant.id).is_some(), "not yet revoked at the door, and not shown so");
    assert_eq!(world.told::<AccessRevoked>().await.len(), 1);

    world.set_minute(11);
    world.push().await;
    assert_eq!(world.door.held(), 0);
    let proved =
        State::Revoked { reason: RevokeReason::Cancelled, at: at(10), proved_at: Some(at(11)) };
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.state, grant.due_at), (proved, None));
}

#[tokio::test]
async fn removal_area_change_and_expiry_revoke_with_their_reasons() {
    let world = World::new().await;
    let (area, other) = (world.area("acg_01").await, world.area("acg_02").await);
    let (mut removed, _) = world.granted("face-1", &[area]).await;
    let (mut moved, _) = world.granted("face-2", &[area]).await;
    let (mut ended, _) = world.granted("face-3", &[area]).await;
    world.hear(&removed.amended(|job| job.workers.clear())).await;
    world.hear(&moved.amended(|job| job.areas = vec![other])).await;
    world.hear(&ended.expired()).await;
    let reasons: Vec<Option<String>> = world
        .told::<AccessRevoked>()
        .await
        .into_iter()
        .map(|fact| fact.grant.map(|grant| grant.revoke_reason))
        .collect();
    assert_eq!(
        reasons.iter().flatten().collect::<Vec<_>>(),
        ["REMOVED", "AREA_CHANGED", "EXPIRED"]
    );
    let of_moved = world.grants(Filter { day: Some(moved.day), ..Filter::default() }).await;
    assert_eq!(
        of_moved.iter().filter(|grant| grant.is_live()).map(|grant| grant.area).collect::<Vec<_>>(),
        [other]
    );
}

#[tokio::test]
async fn who_is_put_back_on_the_ticket_gets_the_same_grant_again() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (mut job, worker) = world.granted("face-1", &[area]).await;
    world.push().await;
    let id = world.grant_of(&job).await.id;
    world.hear(&job.amended(|job| job.workers.clear())).await;
    world.push().await;
    world.hear(&job.amended(|job| job.workers.push(worker))).await;
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.id, grant.state), (id, State::Synced));
    assert!(world.door.holds(id).is_some());
}

#[tokio::test]
async fn revoking_one_of_two_tickets_keeps_what_the_other_gives() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let (mut one, two) = (world.job(&[worker], &[area]), world.job(&[worker], &[area]));
    for job in [&one, &two] {
        world.publish(job).await;
        world.train(job, worker, 5).await;
    }
    world.push().await;
    assert_eq!(world.door.held(), 2);
    world.hear(&one.cancelled()).await;
    world.push().await;
    assert_eq!(world.grant_of(&two).await.state, State::Synced);
    assert!(world.door.holds(world.grant_of(&two).await.id).is_some());
    assert!(world.door.holds(world.grant_of(&one).await.id).is_none());
}

#[tokio::test]
async fn a_night_shifts_grant_reaches_into_the_next_day() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let mut job = world.job(&[worker], &[area]);
    job.window = ("22:00", "06:00");
    job.deadline_at = at(13 * 60 + 30);
    world.publish(&job).await;
    world.train(&job, worker, 60).await;
    world.push().await;
    let window = world.door.holds(world.grant_of(&job).await.id).unwrap();
    assert_eq!((window.start, window.end), (at(14 * 60), at(22 * 60)));
    // 03:00 of the next date.
    world.set_minute(19 * 60);
    let pass = world.app.get_pass(&world.harness.worker(worker, world.site), worker).await.unwrap();
    assert!(pass[0].decision.allow, "{pass:?}");
    world.set_minute(22 * 60);
    let pass = world.app.get_pass(&world.harness.worker(worker, world.site), worker).await.unwrap();
    assert!(pass.is_empty(), "the shift is over: {pass:?}");
}

#[tokio::test]
async fn a_new_window_face_or_group_goes_to_the_door() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (mut job, worker) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.hear(&job.amended(|job| job.window = ("06:00", "22:00"))).await;
    assert_eq!(world.grant_of(&job).await.state, State::Pending);
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.state, world.door.holds(grant.id)), (State::Synced, Some(job.window())));
    world.hear(&world.known(worker, "face-new")).await;
    world.hear(&world.area_changed(area, "acg_09")).await;
    world.push().await;
    let grant = world.grant_of(&job).await;
    assert_eq!(grant.state, State::Synced);
    assert_eq!(grant.aim.face.unwrap().as_str(), "face-new");
    assert_eq!(grant.aim.group.unwrap().as_str(), "acg_09");
    assert_eq!(world.told::<AccessGranted>().await.len(), 4, "made once, changed three times");
}

#[tokio::test]
async fn a_reopened_training_takes_the_grant_until_it_is_complete_again() {
    for reopened_first in [false, true] {
        let world = World::new().await;
        let area = world.area("acg_01").await;
        let worker = world.worker("face-1").await;
        let job = world.job(&[worker], &[area]);
        world.publish(&job).await;
        world.set_minute(20);
        let facts = [
            events::testing::delivery(&job.trained(worker, 5)),
            events::testing::delivery(&job.reopened(worker, 20)),
        ];
        let order = if reopened_first { [1, 0] } else { [0, 1] };
        for index in order {
            world.deliver(&facts[index]).await;
        }
        let grants = world.grants(Filter::default()).await;
        if reopened_first {
            assert!(grants.is_empty(), "an older completion that comes late gives nothing");
        } else {
            let reason = RevokeReason::TrainingReopened;
            let revoked = State::Revoked { reason, at: at(20), proved_at: None };
            assert_eq!(grants[0].state, revoked);
        }
        world.set_minute(30);
        let again = TrainingCompleted { version: 3, ..job.trained(worker, 30) };
        world.hear(&again).await;
        assert!(world.grant_of(&job).await.is_live());
    }
}
