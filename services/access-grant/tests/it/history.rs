use access_grant::domain::Whom;
use access_grant::store::picture::facts_as_of;
use chrono::{DateTime, Utc};
use decision::{Detail, Direction, DoorKnowledge, DoorVerdict};
use proto::access_grant::v1::PassageExplained;
use proto::device::v1::PassageRecorded;
use proto::directory::v1::WorkerUnbound;
use proto::training::v1::TrainingCompleted;
use service::Scope;
use types::{AreaId, FaceId, ReasonCode, WorkerId};

use crate::world::{World, at};

/// What the door would have said to a face at an instant, by what it holds.
async fn said(world: &World, area: AreaId, face: &str, at: DateTime<Utc>) -> Option<ReasonCode> {
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    let whom = Whom::Face(FaceId::parse(face).unwrap());
    let facts = facts_as_of(&mut tx, world.site, area, &whom, at).await.unwrap();
    decision::decide(&facts, at, Direction::In, DoorKnowledge::Required).reason
}

/// Why the door refused a face at an instant, as computed.
async fn why(world: &World, area: AreaId, face: &str, at: DateTime<Utc>) -> ReasonCode {
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    let whom = Whom::Face(FaceId::parse(face).unwrap());
    let facts = facts_as_of(&mut tx, world.site, area, &whom, at).await.unwrap();
    decision::explain(&facts, at, DoorVerdict { direction: Direction::In, reported: None }).reason
}

#[tokio::test]
async fn each_of_the_seven_codes_comes_from_what_is_stored() {
    let world = World::new().await;
    let (area, other) = (world.area("acg_01").await, world.area("acg_02").await);
    assert_eq!(said(&world, area, "face-none", at(0)).await, Some(ReasonCode::NotInTicket));

    let unbound = WorkerId::new();
    world.hear_at(&world.known(unbound, "face-unbound"), at(-600)).await;
    let idle = world.worker("face-idle").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker, unbound], &[area]);
    world.publish(&job).await;
    assert_eq!(
        said(&world, area, "face-idle", at(0)).await,
        Some(ReasonCode::NotInTicket),
        "{idle}"
    );
    assert_eq!(said(&world, other, "face-1", at(0)).await, Some(ReasonCode::AreaNotAllowed));
    assert_eq!(said(&world, area, "face-unbound", at(0)).await, Some(ReasonCode::IdentityNotBound));
    assert_eq!(said(&world, area, "face-1", at(0)).await, Some(ReasonCode::TrainingIncomplete));

    world.train(&job, worker, 5).await;
    assert_eq!(said(&world, area, "face-1", at(6)).await, Some(ReasonCode::SyncPending));
    assert_eq!(said(&world, area, "face-1", at(13 * 60)).await, Some(ReasonCode::OutOfTimeWindow));
    world.push().await;
    assert_eq!(said(&world, area, "face-1", at(6)).await, None);
    assert_eq!(
        why(&world, area, "face-1", at(6)).await,
        ReasonCode::DeviceError,
        "it was proved to hold it"
    );

    let broken = world.passage(area, "face-1", "DENY", "DEVICE_ERROR", at(7));
    world.hear(&PassageRecorded { passage: Some(broken) }).await;
    assert_eq!(said(&world, area, "face-1", at(8)).await, Some(ReasonCode::DeviceError));
    let healed = world.passage(area, "face-1", "PASS", "", at(9));
    world.hear(&PassageRecorded { passage: Some(healed) }).await;
    assert_eq!(said(&world, area, "face-1", at(10)).await, None);
    assert_eq!(
        said(&world, area, "face-1", at(8)).await,
        Some(ReasonCode::DeviceError),
        "then it was"
    );
}

#[tokio::test]
async fn a_past_instant_is_judged_by_what_was_true_then() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = WorkerId::new();
    world.hear_at(&world.known(worker, "face-1"), at(-600)).await;
    let mut job = world.job(&[worker], &[area]);
    world.hear_at(&job.published(), at(-60)).await;
    let bound = world.bound(worker, "face-1", at(10));
    world.hear_at(&bound, at(10)).await;
    world.train(&job, worker, 20).await;
    world.set_minute(30);
    world.push().await;
    world.set_minute(40);
    world.hear(&job.cancelled()).await;
    let unbound = WorkerUnbound {
        worker: bound
            .worker
            .clone()
            .map(|worker| proto::directory::v1::Worker { version: 90, ..worker }),
        binding_id: bound.binding_id,
        cause: "BY_ADMIN".to_owned(),
        unbound_at: Some(proto::timestamp(at(35))),
    };
    world.hear_at(&unbound, at(35)).await;

    world.set_minute(300);
    for (minute, expected) in [
        (-90, Some(ReasonCode::NotInTicket)),
        (5, Some(ReasonCode::IdentityNotBound)),
        (15, Some(ReasonCode::TrainingIncomplete)),
        (25, Some(ReasonCode::SyncPending)),
        (32, None),
        (37, Some(ReasonCode::IdentityNotBound)),
        (45, Some(ReasonCode::NotInTicket)),
    ] {
        assert_eq!(said(&world, area, "face-1", at(minute)).await, expected, "at minute {minute}");
    }
    assert_eq!(
        said(&world, area, "face-1", at(-601)).await,
        Some(ReasonCode::NotInTicket),
        "nobody had that face"
    );
}

#[tokio::test]
async fn a_refusal_that_arrives_hours_late_is_explained_as_of_its_time() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (_, worker) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.set_minute(200);
    let passage = world.passage(area, "face-1", "DENY", "E-4711", at(2));
    let fact = PassageRecorded { passage: Some(passage.clone()) };
    world.hear(&fact).await;
    world.hear(&fact).await;
    let explained = world.told::<PassageExplained>().await;
    assert_eq!(explained.len(), 1, "a passage is explained once");
    assert_eq!(explained[0].passage_id, passage.passage_id);
    assert_eq!(explained[0].reason_code, "TRAINING_INCOMPLETE");
    assert_eq!(explained[0].as_of, Some(proto::timestamp(at(2))));
    let failing = &explained[0].failing[0];
    assert_eq!(
        (failing.who.as_str(), failing.mend.as_str()),
        ("WORKER", "finish_training"),
        "{worker}"
    );
}

#[tokio::test]
async fn every_unexplained_refusal_gets_a_code_and_a_known_code_is_left_alone() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    world.granted("face-1", &[area]).await;
    world.push().await;
    let mut homeless = world.passage(area, "face-1", "DENY", "", at(8));
    homeless.area_id = String::new();
    let nameless = world.passage(area, "", "DENY", "", at(8));
    let proved = world.passage(area, "face-1", "DENY", "", at(8));
    let known = world.passage(area, "face-1", "DENY", "OUT_OF_TIME_WINDOW", at(8));
    for passage in [homeless, nameless, proved, known] {
        world.hear(&PassageRecorded { passage: Some(passage) }).await;
    }
    let codes: Vec<String> =
        world.told::<PassageExplained>().await.into_iter().map(|fact| fact.reason_code).collect();
    assert_eq!(codes, ["AREA_NOT_ALLOWED", "NOT_IN_TICKET", "DEVICE_ERROR"]);
}

#[tokio::test]
async fn a_late_finish_is_told_apart_from_none() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let explained =
        world.app.explain(&admin, world.site, worker, area, Some(at(61))).await.unwrap();
    assert!(matches!(explained.decision.detail, Detail::FinishedLate { .. }), "{explained:?}");
    world.set_minute(70);
    world.app.release_late_grant(&admin, job.day, worker, "lift was stuck").await.unwrap();
    let before = world.app.explain(&admin, world.site, worker, area, Some(at(65))).await.unwrap();
    assert!(matches!(before.decision.detail, Detail::FinishedLate { .. }), "not released then");
    let after = world.app.explain(&admin, world.site, worker, area, None).await.unwrap();
    assert_eq!(after.decision.reason, Some(ReasonCode::SyncPending));
}

#[tokio::test]
async fn a_site_sees_nothing_of_another() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    world.granted("face-1", &[area]).await;
    let elsewhere = types::SiteId::new();
    let mut tx = world.store.begin(Scope::Site(elsewhere)).await.unwrap();
    let whom = Whom::Face(FaceId::parse("face-1").unwrap());
    let facts = facts_as_of(&mut tx, elsewhere, area, &whom, at(5)).await.unwrap();
    assert_eq!((facts.person, facts.tickets), (decision::Person::UnknownFace, Vec::new()));
}

#[tokio::test]
async fn a_training_that_was_reopened_is_what_it_was_at_each_instant() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 5).await;
    world.set_minute(20);
    world.hear(&job.reopened(worker, 20)).await;
    let until_then = ReasonCode::TrainingIncomplete;
    assert_eq!(said(&world, area, "face-1", at(25)).await, Some(until_then));
    assert_eq!(said(&world, area, "face-1", at(10)).await, Some(ReasonCode::SyncPending));
    world.set_minute(30);
    let again = TrainingCompleted { version: 3, ..job.trained(worker, 30) };
    world.hear(&again).await;
    for (minute, expected) in [
        (1, ReasonCode::TrainingIncomplete),
        (10, ReasonCode::SyncPending),
        (25, ReasonCode::TrainingIncomplete),
        (35, ReasonCode::SyncPending),
    ] {
        let said = said(&world, area, "face-1", at(minute)).await;
        assert_eq!(said, Some(expected), "at minute {minute}");
    }
}

#[tokio::test]
async fn what_a_reopened_training_gave_lets_nobody_in_who_finishes_late_then() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 5).await;
    world.set_minute(20);
    world.hear(&job.reopened(worker, 20)).await;
    world.set_minute(70);
    let late = TrainingCompleted { version: 3, ..job.trained(worker, 70) };
    world.hear(&late).await;
    let said = said(&world, area, "face-1", at(75)).await;
    assert_eq!(said, Some(ReasonCode::TrainingIncomplete));
    assert!(!world.grant_of(&job).await.is_live());
}

#[tokio::test]
async fn a_release_counts_from_when_it_was_given_until_the_next_reopening() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    world.train(&job, worker, 61).await;
    let admin = world.harness.sysadmin(&[world.site]);
    world.set_minute(65);
    world.app.release_late_grant(&admin, job.day, worker, "lift was stuck").await.unwrap();
    world.set_minute(70);
    world.hear(&job.reopened(worker, 70)).await;
    world.set_minute(80);
    world.hear(&TrainingCompleted { version: 3, ..job.trained(worker, 80) }).await;
    for (minute, expected) in [
        (63, ReasonCode::TrainingIncomplete),
        (67, ReasonCode::SyncPending),
        (75, ReasonCode::TrainingIncomplete),
        (85, ReasonCode::TrainingIncomplete),
    ] {
        let said = said(&world, area, "face-1", at(minute)).await;
        assert_eq!(said, Some(expected), "at minute {minute}");
    }
}
