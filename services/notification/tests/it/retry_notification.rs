use auth::Caller;
use chrono::TimeDelta;
use futures::future::join_all;
use notification::domain::Status;
use proto::notification::v1::{Notification, RetryNotificationRequest};
use service::Refusal;
use types::{ContractorId, ErrorCode, NotificationId, SiteId};

use crate::wechat_fake::Mood;
use crate::world::{World, fate};

async fn retry(world: &World, caller: &Caller, id: &str) -> Result<Notification, Refusal> {
    let message = RetryNotificationRequest { notification_id: id.to_owned() };
    let answer = world.client().retry_notification(world.harness.request(caller, message)).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner().notification.unwrap()),
        Err(status) => Err(Refusal::from_status(&status)),
    }
}

async fn skipped(world: &World) -> String {
    let worker = world.worker().await;
    world.publish(&[worker]).await;
    world.send().await;
    world.only().await.notification_id
}

#[tokio::test]
async fn a_skipped_notice_is_sent_by_hand_once_the_worker_agreed() {
    let world = World::new().await;
    let id = skipped(&world).await;
    let worker = world.only().await.worker_id.parse().unwrap();
    world.consent(worker, 1).await;
    let admin = world.harness.contractor_admin(world.site, world.contractor);
    let queued = retry(&world, &admin, &id).await.unwrap();
    assert_eq!((queued.status.as_str(), queued.version), ("QUEUED", 3));
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
    assert_eq!(world.wechat.delivered().len(), 1);
}

#[tokio::test]
async fn an_unknown_notice_is_sent_again_only_by_hand() {
    let world = World::new().await;
    let worker = world.consenting(2).await;
    world.publish(&[worker]).await;
    world.wechat.is(Mood::Hang);
    world.send().await;
    world.wechat.is(Mood::Ok);
    let admin = world.harness.sysadmin(&[world.site]);
    retry(&world, &admin, &world.only().await.notification_id).await.unwrap();
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
}

#[tokio::test]
async fn what_is_queued_or_sent_is_not_retried() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let id = world.only().await.notification_id;
    for from in ["QUEUED", "SENT"] {
        let refusal = retry(&world, &admin, &id).await.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::StateConflict);
        assert_eq!((&refusal.data["from"], &refusal.data["to"]), (&from.into(), &"QUEUED".into()));
        world.send().await;
    }
    assert_eq!(world.wechat.calls(), 1);
}

#[tokio::test]
async fn it_is_retried_by_hand_three_times_a_day_and_each_time_is_recorded() {
    let world = World::new().await;
    let id = skipped(&world).await;
    let admin = world.harness.sysadmin(&[world.site]);
    for _ in 0..3 {
        retry(&world, &admin, &id).await.unwrap();
        world.send().await;
    }
    let refusal = retry(&world, &admin, &id).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::TooManyRequests);
    assert_eq!(world.told("CommandAudited").await, 3);
    // It is 08:00 on the site.
    world.wait(TimeDelta::hours(16));
    retry(&world, &admin, &id).await.unwrap();
}

#[tokio::test]
async fn of_fifty_retries_at_once_one_counts() {
    let world = World::new().await;
    let id = skipped(&world).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let answers = join_all((0..50).map(|_| retry(&world, &admin, &id))).await;
    let refused: Vec<ErrorCode> =
        answers.into_iter().filter_map(Result::err).map(|refusal| refusal.code).collect();
    assert_eq!(refused.len(), 49);
    for code in refused {
        assert!(matches!(code, ErrorCode::VersionConflict | ErrorCode::StateConflict), "{code:?}");
    }
    assert_eq!(world.only().await.version, 3);
    assert_eq!(world.told("CommandAudited").await, 1);
}

#[tokio::test]
async fn another_sites_or_contractors_notice_is_not_found() {
    let world = World::new().await;
    let id = skipped(&world).await;
    let nobodys = NotificationId::new().to_string();
    for (caller, id) in [
        (world.harness.sysadmin(&[SiteId::new()]), &id),
        (world.harness.contractor_admin(world.site, ContractorId::new()), &id),
        (world.harness.sysadmin(&[world.site]), &nobodys),
    ] {
        let refusal = retry(&world, &caller, id).await.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotFound);
    }
}
