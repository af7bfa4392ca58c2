#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use chrono::TimeDelta;
use futures::future::join_all;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;

use crate::outside::{id_no, phone};
use crate::world::{World, bad_fields, code, told};

pub(crate) async fn send(world: &World, phone: &str) -> Result<pb::SendSmsCodeResponse, Refusal> {
    let message = pb::SendSmsCodeRequest { phone: phone.to_owned(), ..Default::default() };
    told(world.client.clone().send_sms_code(world.public(message)).await)
}

pub(crate) async fn bind(
    world: &World,
    number: u32,
    sms_code: &str,
) -> Result<pb::BindWorkerResponse, Refusal> {
    let message = pb::BindWorkerRequest {
        mp_code: "demo-a".to_owned(),
        phone: phone(number),
        sms_code: sms_code.to_owned(),
        id_no: id_no(number),
        ..Default::default()
    };
    told(world.client.clone().bind_worker(world.public(message)).await)
}

/// A code that was not sent.
fn another(sent: &str) -> String {
    format!("{:06}", (sent.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[tokio::test]
async fn one_text_goes_to_a_phone_a_minute() {
    let world = World::new().await;
    let system = world.harness.shell.system.clone();
    let first = phone(1);
    let (one, two) = tokio::join!(send(&world, &first), send(&world, &first));
    assert_eq!([code(&one), code(&two)].iter().sum::<u32>(), 42901, "one of them went");
    assert_eq!(world.outside.texts().len(), 1);
    let sent = one.or(two).unwrap();
    assert_eq!(
        proto::instant(sent.expires_at.as_ref()),
        Some(system.now() + TimeDelta::minutes(5))
    );

    system.advance(TimeDelta::seconds(59));
    let refused = send(&world, &format!("+86 {}", phone(1))).await.unwrap_err();
    assert_eq!((refused.code.number(), &refused.data["retry_after_sec"]), (42901, &json!(1)));
    assert!(send(&world, &phone(2)).await.is_ok(), "another phone has its own minute");
    system.advance(TimeDelta::seconds(1));
    assert!(send(&world, &phone(1)).await.is_ok());
    let text = world.outside.texts().pop().unwrap();
    assert_eq!(text["PhoneNumberSet"], json!([format!("+86{}", phone(1))]));
    assert_eq!(text["TemplateParamSet"][1], "5");
    world.stop().await;
}

#[tokio::test]
async fn a_text_that_did_not_go_may_be_asked_for_again_at_once() {
    let world = World::new().await;
    world.outside.answer_texts_with("FailedOperation.InsufficientBalanceInSmsPackage");
    let refused = send(&world, &phone(1)).await.unwrap_err();
    assert_eq!((refused.code.number(), &refused.data["upstream"]), (50301, &json!("sms")));
    world.outside.answer_texts_with("Ok");
    assert!(send(&world, &phone(1)).await.is_ok());

    world.outside.answer_texts_with("drop");
    assert_eq!(code(&send(&world, &phone(2)).await), 50301);
    assert_eq!(code(&send(&world, &phone(2)).await), 42901, "it may be on its way");
    world.outside.answer_texts_with("LimitExceeded.PhoneNumberOneHourLimit");
    assert_eq!(send(&world, &phone(3)).await.unwrap_err().data["retry_after_sec"], 3600);
    world.outside.answer_texts_with("InvalidParameterValue.IncorrectPhoneNumber");
    assert_eq!(bad_fields(send(&world, &phone(4)).await), ["phone"]);
    assert_eq!(bad_fields(send(&world, "12345").await), ["phone"]);
    world.stop().await;
}

#[tokio::test]
async fn a_phone_gets_ten_texts_a_day() {
    let world = World::new().await;
    let system = world.harness.shell.system.clone();
    for _ in 0..10 {
        assert!(send(&world, &phone(1)).await.is_ok());
        system.advance(TimeDelta::minutes(1));
    }
    world.outside.answer_texts_with("FailedOperation.InsufficientBalanceInSmsPackage");
    let refused = send(&world, &phone(1)).await.unwrap_err();
    let wait = 24 * 3600 - 600;
    assert_eq!((refused.code.number(), &refused.data["retry_after_sec"]), (42901, &json!(wait)));
    assert_eq!(code(&send(&world, &phone(2)).await), 50301);
    world.outside.answer_texts_with("Ok");
    system.advance(TimeDelta::seconds(wait));
    assert!(send(&world, &phone(1)).await.is_ok());
    assert_eq!(world.outside.texts().len(), 11);
    world.stop().await;
}

#[tokio::test]
async fn one_wechat_user_has_ten_texts_a_day_sent_to_whatever_phones() {
    let world = World::new().await;
    let send = async |user: u32, number: u32| {
        let message = pb::SendSmsCodeRequest {
            phone: phone(number),
            wechat_user_id: format!("00000000-0000-4000-8000-{user:012}"),
        };
        code(&told(world.client.clone().send_sms_code(world.public(message)).await))
    };
    world.outside.answer_texts_with("InvalidParameterValue.IncorrectPhoneNumber");
    assert_eq!(send(1, 99).await, 40001, "and a text that did not go does not count");
    world.outside.answer_texts_with("Ok");
    for number in 0..10 {
        assert_eq!(send(1, number).await, 0);
    }
    assert_eq!((send(1, 10).await, send(2, 10).await), (42901, 0));
    world.harness.shell.system.advance(TimeDelta::days(1));
    assert_eq!(send(1, 10).await, 0);
    let message = pb::SendSmsCodeRequest { phone: phone(1), wechat_user_id: "me".to_owned() };
    let unread = told(world.client.clone().send_sms_code(world.public(message)).await);
    assert_eq!(bad_fields(unread), ["wechat_user_id"]);
    world.stop().await;
}

#[tokio::test]
async fn one_address_has_three_hundred_texts_an_hour_sent() {
    let world = World::new().await;
    let send = async |address: &str, number: u32| {
        let message = pb::SendSmsCodeRequest { phone: phone(number), ..Default::default() };
        code(&told(world.client.clone().send_sms_code(world.public_from(address, message)).await))
    };
    for ten in 0..30 {
        let at_once = (ten * 10..ten * 10 + 10).map(|number| send("203.0.113.1", number));
        assert_eq!(join_all(at_once).await, [0; 10]);
    }
    assert_eq!(send("203.0.113.1", 300).await, 42901);
    assert_eq!(send("203.0.113.2", 300).await, 0);
    world.stop().await;
}

#[tokio::test]
async fn a_code_binds_once() {
    let world = World::new().await;
    world.staffed(1..=2).await;
    send(&world, &phone(1)).await.unwrap();
    let sent = world.outside.last_code();
    assert_eq!(code(&bind(&world, 2, &sent).await), 40015, "it is the code of another phone");
    assert!(bind(&world, 1, &sent).await.is_ok());
    assert_eq!(code(&bind(&world, 1, &sent).await), 40015);
    world.stop().await;
}

#[tokio::test]
async fn of_two_who_use_a_code_at_once_one_is_bound() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    send(&world, &phone(1)).await.unwrap();
    let sent = world.outside.last_code();
    let call = async |who: &str| {
        let message = pb::BindWorkerRequest {
            mp_code: format!("demo-{who}"),
            phone: phone(1),
            sms_code: sent.clone(),
            id_no: id_no(1),
            ..Default::default()
        };
        code(&told(world.client.clone().bind_worker(world.public(message)).await))
    };
    let (one, two) = tokio::join!(call("a"), call("b"));
    assert_eq!([one, two].iter().sum::<u32>(), 40015);
    assert_eq!(world.facts::<pb::WorkerBound>().await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn after_five_wrong_tries_the_right_code_is_wrong_too() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    send(&world, &phone(1)).await.unwrap();
    let sent = world.outside.last_code();
    let wrong = another(&sent);
    let tries = (0..4).map(|_| bind(&world, 1, &wrong));
    for answer in join_all(tries).await {
        assert_eq!(code(&answer), 40015);
    }
    assert_eq!(code(&bind(&world, 1, &wrong).await), 40015);
    assert_eq!(code(&bind(&world, 1, &sent).await), 40015);
    world.harness.shell.system.advance(TimeDelta::seconds(60));
    send(&world, &phone(1)).await.unwrap();
    assert!(
        bind(&world, 1, &world.outside.last_code()).await.is_ok(),
        "a new code has its own tries"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_code_ends_after_five_minutes() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    send(&world, &phone(1)).await.unwrap();
    world.harness.shell.system.advance(TimeDelta::minutes(5));
    assert_eq!(code(&bind(&world, 1, &world.outside.last_code()).await), 40015);
    world.stop().await;
}

#[tokio::test]
async fn a_mistyped_identity_number_does_not_cost_the_code() {
    let world = World::new().await;
    world.staffed(1..=1).await;
    send(&world, &phone(1)).await.unwrap();
    let sent = world.outside.last_code();
    let message = pb::BindWorkerRequest {
        mp_code: "demo-a".to_owned(),
        phone: phone(1),
        sms_code: sent.clone(),
        id_no: id_no(99),
        ..Default::default()
    };
    let stranger = told(world.client.clone().bind_worker(world.public(message)).await);
    assert_eq!(code(&stranger), 40401);
    assert!(bind(&world, 1, &sent).await.is_ok());
    world.stop().await;
}
