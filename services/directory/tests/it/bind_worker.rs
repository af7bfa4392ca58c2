#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use chrono::TimeDelta;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;

use crate::outside::{id_no, name, person, phone};
use crate::world::{World, bad_fields, code, told};

const ACTIVE: &str = "SELECT count(*) FROM directory.bindings WHERE ended_at IS NULL";

async fn bind_with(
    world: &World,
    message: pb::BindWorkerRequest,
) -> Result<pb::BindWorkerResponse, Refusal> {
    told(world.client.clone().bind_worker(world.public(message)).await)
}

fn by_phone_code(number: u32) -> pb::BindWorkerRequest {
    pb::BindWorkerRequest {
        mp_code: "demo-a".to_owned(),
        phone_code: format!("phone-{}", phone(number)),
        id_no: id_no(number),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_identity_number_binds_and_is_told_of() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    let bound = world.bind("a", 1).await.unwrap();
    assert_eq!((&bound.worker_id, bound.site_ids), (&workers[0], vec![site.to_string()]));
    let facts = world.facts::<pb::WorkerBound>().await;
    assert_eq!(facts.len(), 1);
    let worker = facts[0].worker.clone().unwrap();
    assert_eq!((worker.worker_id, worker.bound, worker.version), (workers[0].clone(), true, 2));
    assert_eq!(worker.engagements.len(), 1);
    assert_eq!(world.records("worker.bind").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_phone_that_wechat_says_is_of_another_country_is_nobody_s() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    for abroad in [json!("49"), json!(49)] {
        world.outside.phones_are_of(abroad.clone());
        assert_eq!(bad_fields(world.bind("a", 1).await), ["phone_code"], "{abroad}");
    }
    for none in [json!(null), json!("")] {
        world.outside.phones_are_of(none.clone());
        assert!(world.bind("a", 1).await.is_err(), "{none}");
    }
    world.outside.phones_are_of(json!(86));
    assert!(world.bind("a", 1).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn the_same_pair_again_changes_nothing() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    let first = world.bind("a", 1).await.unwrap();
    let events = world.events().await;
    assert_eq!(world.bind("a", 1).await.unwrap(), first);
    assert_eq!(world.events().await, events);
    world.stop().await;
}

#[tokio::test]
async fn fifty_calls_at_once_bind_a_pair_once() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    let calls = (0..50).map(|_| world.bind("a", 1));
    let answers = futures::future::join_all(calls).await;
    let (bound, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    // Ten tries a day are a number's, and who is still being answered has used one until it has bound.
    assert!(bound.len() >= 10, "{refused:?}");
    assert!(bound.iter().all(|answer| *answer == bound[0]), "{bound:?}");
    assert!(refused.iter().all(|answer| code(answer) == 42901), "{refused:?}");
    assert_eq!(world.count(ACTIVE).await, 1);
    assert_eq!(world.facts::<pb::WorkerBound>().await.len(), 1);
    assert_eq!(world.records("worker.bind").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_new_phone_takes_the_worker_over() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=1).await;
    world.bind("a", 1).await.unwrap();
    world.bind("b", 1).await.unwrap();
    let ended = world.facts::<pb::WorkerUnbound>().await;
    assert_eq!(ended.len(), 1);
    let worker = ended[0].worker.clone().unwrap();
    assert_eq!((ended[0].cause.as_str(), worker.bound, worker.version), ("REPLACED", false, 3));
    let bound = world.facts::<pb::WorkerBound>().await.pop().unwrap();
    let worker = bound.worker.unwrap();
    assert_eq!((worker.worker_id, worker.bound, worker.version), (workers[0].clone(), true, 4));
    assert_ne!(bound.binding_id, ended[0].binding_id);
    assert_eq!(world.count(ACTIVE).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM directory.bindings").await, 2, "history is kept");
    world.stop().await;
}

#[tokio::test]
async fn a_user_who_binds_someone_else_lets_the_first_go() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    world.bind("a", 1).await.unwrap();
    let bound = world.bind("a", 2).await.unwrap();
    let ended = world.facts::<pb::WorkerUnbound>().await;
    assert_eq!(ended[0].worker.clone().unwrap().worker_id, workers[0]);
    assert_eq!(world.count(ACTIVE).await, 1);
    let let_go = world.records("worker.unbind").await.remove(0);
    assert_eq!((&let_go.target_id, let_go.site_id), (&workers[0], site.to_string()));
    let record = world.records("worker.bind").await.pop().unwrap();
    assert_eq!((&record.target_id, record.site_id), (&workers[1], site.to_string()));
    assert!(record.after.contains(&bound.wechat_user_id), "who it was: {}", record.after);
    world.stop().await;
}

#[tokio::test]
async fn of_many_takeovers_at_once_one_binding_is_left() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=2).await;
    // Each user goes for both workers, so that users and workers are taken from each other crosswise.
    let calls = (0..6).map(|index| {
        let (world, who) = (&world, ["a", "b", "c"][index % 3]);
        async move { world.bind(who, 1 + u32::from(index % 2 == 0)).await }
    });
    for answer in futures::future::join_all(calls).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
    let active: Vec<(sqlx::types::Uuid, sqlx::types::Uuid)> = sqlx::query_as(
        "SELECT worker_id, wechat_user_id FROM directory.bindings WHERE ended_at IS NULL",
    )
    .fetch_all(&world.admin)
    .await
    .unwrap();
    assert!(!active.is_empty() && active.len() <= 2, "{active:?}");

    // The facts of each worker tell one story: versions grow by one, and bound and unbound take turns.
    for worker in &workers {
        let mut story: Vec<(u64, bool)> = Vec::new();
        for (event, data) in world.events().await {
            let told = match event.as_str() {
                "WorkerBound" => decode::<pb::WorkerBound>(&data).worker,
                "WorkerUnbound" => decode::<pb::WorkerUnbound>(&data).worker,
                _ => continue,
            };
            let told = told.unwrap();
            if told.worker_id == *worker {
                story.push((told.version, told.bound));
            }
        }
        let expected: Vec<(u64, bool)> =
            (2..).zip([true, false].into_iter().cycle()).take(story.len()).collect();
        assert_eq!(story, expected);
    }
    world.stop().await;
}

fn decode<M: prost::Message + Default>(data: &[u8]) -> M {
    M::decode(data).unwrap()
}

#[tokio::test]
async fn the_tables_themselves_hold_one_active_binding_a_worker_and_a_user() {
    let world = World::new().await;
    world.staffed(1..=2).await;
    world.bind("a", 1).await.unwrap();
    world.bind("b", 2).await.unwrap();
    let [one, two]: [(sqlx::types::Uuid, sqlx::types::Uuid); 2] =
        sqlx::query_as("SELECT worker_id, wechat_user_id FROM directory.bindings")
            .fetch_all(&world.admin)
            .await
            .unwrap()
            .try_into()
            .unwrap();
    sqlx::query("UPDATE directory.bindings SET ended_at = now(), ended_because = 'BY_ADMIN' WHERE worker_id = $1")
        .bind(two.0)
        .execute(&world.admin)
        .await
        .unwrap();
    // The first pair is still active: neither its worker nor its user may be in a second one.
    for (worker, user, index) in [
        (one.0, two.1, "bindings_one_active_a_worker"),
        (two.0, one.1, "bindings_one_active_a_user"),
    ] {
        let twin = sqlx::query(
            "INSERT INTO directory.bindings (binding_id, worker_id, wechat_user_id, bound_at)
             VALUES (gen_random_uuid(), $1, $2, now())",
        );
        let err = twin.bind(worker).bind(user).execute(&world.admin).await.unwrap_err();
        assert_eq!(err.as_database_error().unwrap().constraint(), Some(index));
    }
    world.stop().await;
}

#[tokio::test]
async fn name_and_phone_help_only_where_the_roster_has_no_identity_number() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let mut unnumbered = person(1);
    unnumbered["id_no"] = Value::Null;
    world.outside.set_roster(&[unnumbered, person(2)]);
    world.sync(site).await.unwrap();

    assert_eq!(code(&bind_with(&world, by_phone_code(1)).await), 40401, "the name is needed");
    let named = |number, name: String| pb::BindWorkerRequest { name, ..by_phone_code(number) };
    assert_eq!(code(&bind_with(&world, named(1, name(7))).await), 40401);
    let other_phone =
        pb::BindWorkerRequest { phone_code: "phone-19900000009".to_owned(), ..named(1, name(1)) };
    assert_eq!(code(&bind_with(&world, other_phone).await), 40401);
    assert!(bind_with(&world, named(1, name(1))).await.is_ok());

    let other_number = pb::BindWorkerRequest { id_no: id_no(3), ..named(2, name(2)) };
    assert_eq!(
        code(&bind_with(&world, other_number).await),
        40401,
        "the roster has a number and it is another"
    );
    world.stop().await;
}

#[tokio::test]
async fn whoever_left_every_site_is_not_found() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=2).await;
    world.outside.set_roster(&[person(2)]);
    world.sync(site).await.unwrap();
    assert_eq!(code(&world.bind("a", 1).await), 40401);
    assert_eq!(world.count(ACTIVE).await, 0);
    world.stop().await;
}

#[tokio::test]
async fn who_is_not_found_is_told_how_old_the_oldest_roster_is() {
    let world = World::new().await;
    let synced_at = async || {
        let refused = bind_with(&world, by_phone_code(9)).await.unwrap_err();
        assert_eq!(refused.code.number(), 40401);
        refused.data["roster_synced_at"].clone()
    };
    assert_eq!(synced_at().await, Value::Null, "none was read yet");
    let (one, _) = world.staffed(1..=2).await;
    let two = world.site("二号工地").await;
    let first = world.harness.now();
    assert_eq!(synced_at().await, json!(first.to_rfc3339()), "a site without a roster has none");
    world.harness.shell.clock.advance(TimeDelta::hours(1));
    world.sync(two).await.unwrap();
    assert_eq!(synced_at().await, json!(first.to_rfc3339()));
    world.outside.set_roster(&[person(2)]);
    world.sync(one).await.unwrap();
    assert_eq!(synced_at().await, json!(world.harness.now().to_rfc3339()));

    world.outside.realname_goes_away(true);
    let left = bind_with(&world, by_phone_code(1)).await;
    assert_eq!(code(&left), 0, "on the other site's roster still");
    world.stop().await;
}

#[tokio::test]
async fn every_bad_field_is_named_and_none_is_repeated() {
    let world = World::new().await;
    let message = pb::BindWorkerRequest {
        phone: "12345".to_owned(),
        sms_code: "12".to_owned(),
        id_no: "110105194912310021".to_owned(),
        ..Default::default()
    };
    let refused = bind_with(&world, message).await.unwrap_err();
    assert!(!format!("{refused:?}").contains("110105"));
    assert_eq!(bad_fields::<()>(Err(refused)), ["mp_code", "id_no", "phone", "sms_code"]);

    // 2030 is yet to come in 2026.
    let unborn = pb::BindWorkerRequest { id_no: with_check("659999203001010"), ..by_phone_code(1) };
    assert_eq!(bad_fields(bind_with(&world, unborn).await), ["id_no"]);
    let bad_code = pb::BindWorkerRequest { phone_code: "used".to_owned(), ..by_phone_code(1) };
    assert_eq!(bad_fields(bind_with(&world, bad_code).await), ["phone_code"]);
    world.stop().await;
}

/// Completes fifteen digits to a number with a right check.
fn with_check(digits: &str) -> String {
    let mut numbers = (0..1000).map(|last| format!("{digits}{last:03}"));
    numbers.find(|text| vault::IdNo::parse(text).is_ok()).unwrap()
}
