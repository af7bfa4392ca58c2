//! How often a binding may be tried in vain: whoever guesses identity numbers learns little of who is on a roster.

use chrono::TimeDelta;
use futures::future::join_all;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;

use crate::outside::{id_no, phone};
use crate::send_sms_code::{bind as bind_by_text, send};
use crate::world::{World, code, told};

/// The identity number of nobody on the roster.
const STRANGER: u32 = 99;

/// The WeChat user `demo-<who>` says that they have this phone and this identity number.
async fn attempt(
    world: &World,
    address: &str,
    (who, number): (u32, u32),
    id: u32,
) -> Result<pb::BindWorkerResponse, Refusal> {
    let message = pb::BindWorkerRequest {
        mp_code: format!("demo-{who}"),
        phone_code: format!("phone-{}", phone(number)),
        id_no: id_no(id),
        ..Default::default()
    };
    told(world.client.clone().bind_worker(world.public_from(address, message)).await)
}

#[tokio::test]
async fn one_wechat_user_tries_ten_identity_numbers_a_day() {
    let world = World::new().await;
    world.staffed(1..=2).await;
    // All at once: none of them may count as an earlier one.
    let guesses = (0..16).map(|number| attempt(&world, "", (1, 100 + number), 200 + number));
    let mut codes: Vec<_> = join_all(guesses).await.iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [vec![40401; 10], vec![42901; 6]].concat());

    let refused = attempt(&world, "", (1, 1), 1).await.unwrap_err();
    assert_eq!((refused.code.number(), &refused.data["retry_after_sec"]), (42901, &json!(86400)));
    assert_eq!(code(&attempt(&world, "", (2, 2), 2).await), 0, "another user has their own");
    world.harness.shell.system.advance(TimeDelta::days(1));
    assert_eq!(code(&attempt(&world, "", (1, 1), 1).await), 0);
    world.stop().await;
}

#[tokio::test]
async fn with_one_phone_ten_identity_numbers_are_tried_a_day_by_whatever_users() {
    let world = World::new().await;
    world.staffed(1..=2).await;
    for who in 0..10 {
        assert_eq!(code(&attempt(&world, "", (who, 1), STRANGER).await), 40401);
    }
    assert_eq!(code(&attempt(&world, "", (10, 1), 1).await), 42901);
    assert_eq!(code(&attempt(&world, "", (10, 2), 2).await), 0, "with another phone");
    world.stop().await;
}

#[tokio::test]
async fn from_one_address_three_hundred_identity_numbers_are_tried_an_hour() {
    let world = World::new().await;
    world.staffed(1..=2).await;
    let (here, there) = ("203.0.113.1", "203.0.113.2");
    for who in 0..30 {
        let guesses = (0..10).map(|try_| attempt(&world, here, (who, 100 + 10 * who + try_), 99));
        let codes: Vec<_> = join_all(guesses).await.iter().map(code).collect();
        assert_eq!(codes, [40401; 10], "user {who}");
    }
    assert_eq!(code(&attempt(&world, here, (30, 1), 1).await), 42901);
    assert_eq!(code(&attempt(&world, there, (30, 1), 1).await), 0);
    world.harness.shell.system.advance(TimeDelta::hours(1));
    assert_eq!(code(&attempt(&world, here, (31, 2), 2).await), 0);
    world.stop().await;
}

#[tokio::test]
async fn a_binding_that_succeeds_counts_for_nobody_and_covers_for_no_guess() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    for _ in 0..12 {
        assert_eq!(code(&attempt(&world, "", (1, 1), 1).await), 0);
    }
    for _ in 0..10 {
        assert_eq!(code(&attempt(&world, "", (1, 7), STRANGER).await), 40401);
    }
    assert_eq!(code(&attempt(&world, "", (1, 1), 1).await), 42901);
    world.stop().await;
}

#[tokio::test]
async fn wrong_codes_count_for_who_tries_them_and_not_for_the_phone_that_may_be_anothers() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    send(&world, &phone(1)).await.unwrap();
    let wrong =
        format!("{:06}", (world.outside.last_code().parse::<u32>().unwrap() + 1) % 1_000_000);
    for _ in 0..10 {
        assert_eq!(code(&bind_by_text(&world, 1, &wrong).await), 40015);
    }
    assert_eq!(code(&bind_by_text(&world, 1, &wrong).await), 42901);
    assert_eq!(code(&attempt(&world, "", (2, 1), 1).await), 0, "its owner binds");
    world.stop().await;
}

#[tokio::test]
async fn what_wechat_takes_for_no_code_counts_for_nobody() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    for _ in 0..11 {
        let message = pb::BindWorkerRequest {
            mp_code: "demo-1".to_owned(),
            phone_code: "used".to_owned(),
            id_no: id_no(1),
            ..Default::default()
        };
        let bad = told(world.client.clone().bind_worker(world.public(message)).await);
        assert_eq!(code(&bad), 40001);
    }
    assert_eq!(code(&attempt(&world, "", (1, 1), 1).await), 0);
    world.stop().await;
}
