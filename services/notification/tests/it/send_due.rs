use chrono::TimeDelta;
use notification::domain::Status;
use proto::notification::v1::{NotificationFailed, NotificationSent, NotificationSkipped};
use service::telemetry::{self, Telemetry};
use tokio::net::TcpListener;
use tracing::Instrument;

use crate::wechat_fake::{Mood, Wechat};
use crate::world::{TEMPLATE, World, app, fate};

#[tokio::test]
async fn a_notice_is_sent_with_its_values_and_spends_one_consent() {
    let world = World::new().await;
    world.name_area("A区", 1).await;
    let worker = world.consenting(2).await;
    let ticket = world.publish(&[worker]).await;
    assert_eq!(world.send().await, 1);
    let message = &world.wechat.delivered()[0];
    assert_eq!(message["touser"], format!("openid-{worker}"));
    assert_eq!(message["template_id"], TEMPLATE);
    let today = &ticket.daily_tickets[2].daily_ticket_id;
    assert_eq!(message["page"], format!("pages/task/index?daily_ticket_id={today}"));
    let values = ["thing1", "date2", "thing3", "time4", "thing5"]
        .map(|key| message["data"][key]["value"].as_str().unwrap());
    assert_eq!(
        values,
        ["三层模板安装", "2026年3月2日", "A区", "07:30", "请观看1个视频并完成人脸核验"]
    );
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
    assert_eq!(world.balance(worker).await, 1);
    let sent: Vec<NotificationSent> = world.facts().await;
    assert_eq!(sent[0].notification, Some(world.only().await));
    assert!(sent[0].notification.as_ref().unwrap().sent_at.is_some());
    assert_eq!(world.send().await, 0);
    assert_eq!(world.wechat.calls(), 1);
}

#[tokio::test]
async fn without_consent_nobody_is_called() {
    let world = World::new().await;
    let worker = world.worker().await;
    world.publish(&[worker]).await;
    assert_eq!(world.send().await, 1);
    assert_eq!(world.fate().await, fate(Status::Skipped, "NO_BALANCE", 0));
    assert_eq!((world.wechat.calls(), *world.directory.asked.lock().unwrap()), (0, 0));
    let skipped: Vec<NotificationSkipped> = world.facts().await;
    assert_eq!(skipped[0].notification, Some(world.only().await));
}

#[tokio::test]
async fn one_consent_sends_one_of_two_notices() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    world.publish(&[worker]).await;
    world.send().await;
    let mut fates: Vec<String> =
        world.notices().await.into_iter().map(|notice| notice.status).collect();
    fates.sort();
    assert_eq!(fates, ["SENT", "SKIPPED"]);
    assert_eq!((world.wechat.delivered().len(), world.balance(worker).await), (1, 0));
}

#[tokio::test]
async fn what_wechat_counts_is_believed_before_what_we_count() {
    let world = World::new().await;
    let worker = world.consenting(3).await;
    world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(43101));
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "NO_BALANCE", 1));
    assert_eq!(world.balance(worker).await, 0);
}

#[tokio::test]
async fn a_refused_message_has_failed_for_good_and_its_consent_is_given_back() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(47003));
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Failed, "REFUSED", 1));
    let failed: Vec<NotificationFailed> = world.facts().await;
    assert_eq!(failed[0].notification, Some(world.only().await));
    world.wait(TimeDelta::days(1));
    assert_eq!((world.send().await, world.wechat.calls()), (0, 1));
    assert_eq!(world.balance(worker).await, 1);
}

#[tokio::test]
async fn while_wechat_is_not_there_it_is_tried_again_later_and_later_until_it_is() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    let address = Wechat::absent().await;
    let cut_off = app(&world.harness, &world.store, address);
    for (attempt, minutes) in [(1, 1), (2, 5), (3, 30)] {
        assert_eq!(cut_off.send_due().await.unwrap(), 1);
        assert_eq!(world.fate().await, fate(Status::Queued, "", attempt));
        assert_eq!(world.balance(worker).await, 1);
        world.wait(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        assert_eq!(cut_off.send_due().await.unwrap(), 0);
        world.wait(TimeDelta::seconds(1));
    }
    let back = Wechat::at(&world.harness, TcpListener::bind(address).await.unwrap());
    assert_eq!(cut_off.send_due().await.unwrap(), 1);
    assert_eq!(world.fate().await, fate(Status::Sent, "", 4));
    assert_eq!((back.delivered().len(), world.balance(worker).await), (1, 0));
}

#[tokio::test]
async fn after_five_attempts_it_has_failed() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(-1));
    for _ in 0..5 {
        assert_eq!(world.send().await, 1);
        world.wait(TimeDelta::hours(2));
    }
    assert_eq!(world.send().await, 0);
    assert_eq!(world.fate().await, fate(Status::Failed, "PROVIDER_ERROR", 5));
    assert_eq!((world.wechat.calls(), world.balance(worker).await), (5, 1));
}

#[tokio::test]
async fn a_message_whose_answer_never_came_is_unknown_and_not_sent_again() {
    let world = World::new().await;
    let worker = world.consenting(2).await;
    world.publish(&[worker]).await;
    world.wechat.is(Mood::Hang);
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Unknown, "OUTCOME_UNKNOWN", 1));
    let told: Vec<NotificationFailed> = world.facts().await;
    assert_eq!(told[0].notification, Some(world.only().await));
    world.wechat.is(Mood::Ok);
    world.wait(TimeDelta::days(1));
    world.harness.shell.system.advance(TimeDelta::days(1));
    assert_eq!(world.send().await, 0);
    // It may have been taken, so its consent counts as spent.
    assert_eq!((world.wechat.delivered().len(), world.balance(worker).await), (1, 1));
}

#[tokio::test]
async fn a_notice_whose_sender_died_is_unknown_once_its_lease_is_over_and_not_sent_again() {
    let world = World::new().await;
    let worker = world.consenting(2).await;
    world.publish(&[worker]).await;
    drop(world.claim().await);
    assert_eq!(world.send().await, 0);
    assert_eq!(world.fate().await, fate(Status::Queued, "", 1));
    // A lease is system time: the site's clock may be set.
    world.wait(TimeDelta::days(1));
    assert_eq!(world.send().await, 0);
    world.harness.shell.system.advance(TimeDelta::seconds(91));
    assert_eq!(world.send().await, 1);
    assert_eq!(world.fate().await, fate(Status::Unknown, "OUTCOME_UNKNOWN", 1));
    assert_eq!(world.send().await, 0);
    assert_eq!((world.wechat.calls(), world.balance(worker).await), (0, 1));
}

#[tokio::test]
async fn a_sender_that_slept_past_its_lease_calls_nobody_and_changes_nothing() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    let claimed = world.claim().await;
    world.harness.shell.system.advance(TimeDelta::seconds(91));
    assert_eq!(world.send().await, 1);
    world.app.send(claimed.ready).await;
    assert_eq!(world.fate().await, fate(Status::Unknown, "OUTCOME_UNKNOWN", 1));
    assert_eq!((world.wechat.calls(), world.balance(worker).await), (0, 0));
}

#[tokio::test]
async fn two_senders_at_once_send_each_notice_once() {
    let world = World::new().await;
    let mut workers = Vec::new();
    for _ in 0..30 {
        workers.push(world.consenting(1).await);
    }
    world.publish(&workers).await;
    let other =
        app(&world.harness, &world.harness.store("notification").await, world.wechat.address);
    let drain = async |app: &notification::app::App| while app.send_due().await.unwrap() > 0 {};
    tokio::join!(drain(&world.app), drain(&other));
    let mut reached: Vec<String> = world
        .wechat
        .delivered()
        .iter()
        .map(|message| message["touser"].as_str().unwrap().to_owned())
        .collect();
    reached.sort();
    let mut wanted: Vec<String> = workers.iter().map(|worker| format!("openid-{worker}")).collect();
    wanted.sort();
    assert_eq!(reached, wanted);
    assert_eq!(world.told("NotificationSent").await, 30);
}

#[tokio::test]
async fn openids_are_asked_for_in_one_batch() {
    let world = World::new().await;
    let workers = [world.consenting(1).await, world.consenting(1).await, world.consenting(1).await];
    world.publish(&workers).await;
    assert_eq!(world.send().await, 3);
    assert_eq!(*world.directory.asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn who_was_unbound_meanwhile_is_skipped_and_the_consent_given_back() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    world.directory.unbound.lock().unwrap().push(worker.to_string());
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "NOT_BOUND", 0));
    assert_eq!((world.wechat.calls(), world.balance(worker).await), (0, 1));
}

#[tokio::test]
async fn while_directory_is_away_notices_wait_and_no_attempt_counts() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    *world.directory.away.lock().unwrap() = true;
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Queued, "", 0));
    assert_eq!((world.send().await, world.balance(worker).await), (0, 1));
    *world.directory.away.lock().unwrap() = false;
    world.wait(TimeDelta::minutes(1));
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
}

#[tokio::test]
async fn a_message_is_sent_in_the_trace_of_its_ticket() {
    Telemetry::install(None, "info").unwrap();
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let publishing = tracing::info_span!("publishing");
    let trace = async {
        world.publish(&[worker]).await;
        telemetry::current_trace_id().unwrap()
    };
    let trace = trace.instrument(publishing).await;
    world.send().await;
    let traceparents = world.wechat.traceparents.lock().unwrap().clone();
    assert_eq!(traceparents.len(), 1);
    assert_eq!(traceparents[0].split('-').nth(1), Some(trace.as_str()));
}
