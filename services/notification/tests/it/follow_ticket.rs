//! What waits to be sent goes by its ticket.

use chrono::TimeDelta;
use events::testing::delivery;
use notification::consumers::{AnnounceTicket, FollowTickets};
use notification::domain::Status;
use proto::notification::v1::{NotificationSkipped, RetryNotificationRequest};
use proto::ticket::v1::{Ticket, TicketAmended, TicketCancelled};
use service::Refusal;
use types::{AreaId, ErrorCode, VideoId, WorkerId};

use crate::wechat_fake::Mood;
use crate::world::{World, fate, published};

/// Cancels every day of a ticket.
async fn cancel(world: &World, ticket: &Ticket) -> Ticket {
    let ticket = closed(ticket);
    follow(world, &ticket).await;
    ticket
}

/// The ticket's next version, with no day open.
fn closed(ticket: &Ticket) -> Ticket {
    let mut ticket = Ticket { status: "CANCELLED".to_owned(), ..next(ticket) };
    for day in &mut ticket.daily_tickets {
        day.status = String::from("CANCELLED");
    }
    ticket
}

fn next(ticket: &Ticket) -> Ticket {
    Ticket { version: ticket.version + 1, ..ticket.clone() }
}

/// Tells what a ticket is now.
async fn follow(world: &World, ticket: &Ticket) {
    let told = Some(ticket.clone());
    let fact = if ticket.status == "CANCELLED" {
        delivery(&TicketCancelled { ticket: told, ..TicketCancelled::default() })
    } else {
        delivery(&TicketAmended { ticket: told, ..TicketAmended::default() })
    };
    world.tell(&FollowTickets, &fact).await;
}

/// A published ticket whose notice WeChat could not take yet.
async fn waiting(world: &World, worker: WorkerId) -> Ticket {
    let ticket = world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(-1));
    world.send().await;
    world.wechat.is(Mood::Ok);
    assert_eq!(world.fate().await, fate(Status::Queued, "", 1));
    ticket
}

/// Nothing is sent, however long is waited, and no consent is spent.
async fn assert_silent(world: &World, worker: WorkerId) {
    world.wait(TimeDelta::hours(3));
    world.send().await;
    assert_eq!((world.wechat.delivered().len(), world.balance(worker).await), (0, 1));
}

async fn retry(world: &World) -> Result<(), Refusal> {
    let admin = world.harness.sysadmin(&[world.site]);
    let message = RetryNotificationRequest { notification_id: world.only().await.notification_id };
    let answer = world.client().retry_notification(world.harness.request(&admin, message)).await;
    answer.map(|_| ()).map_err(|status| Refusal::from_status(&status))
}

/// A retry by hand is refused: the notice is `status`, and its ticket has nothing to tell for `reason`.
async fn assert_not_retried(world: &World, status: &str, reason: &str) {
    let refusal = retry(world).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StateConflict);
    let data = ["from", "to", "reason"].map(|key| refusal.data[key].as_str().unwrap());
    assert_eq!(data, [status, "QUEUED", reason]);
}

#[tokio::test]
async fn a_notice_of_a_cancelled_ticket_is_withdrawn_and_nothing_spent() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = waiting(&world, worker).await;
    cancel(&world, &ticket).await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "DAY_CLOSED", 1));
    let told: Vec<NotificationSkipped> = world.facts().await;
    assert_eq!(told[0].notification, Some(world.only().await));
    assert_silent(&world, worker).await;
}

#[tokio::test]
async fn who_is_taken_off_a_ticket_is_not_told_of_it_and_who_stays_is() {
    let world = World::new().await;
    let (leaves, stays) = (world.consenting(1).await, world.consenting(1).await);
    let ticket = world.publish(&[leaves, stays]).await;
    follow(&world, &Ticket { worker_ids: vec![stays.to_string()], ..next(&ticket) }).await;
    let notices = world.notices().await;
    let left = notices.iter().find(|notice| notice.worker_id == leaves.to_string()).unwrap();
    assert_eq!((left.status.as_str(), left.reason.as_str()), ("SKIPPED", "NOT_IN_TICKET"));
    world.send().await;
    let delivered = world.wechat.delivered();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0]["touser"], format!("openid-{stays}"));
    assert_eq!(world.balance(leaves).await, 1);
}

#[tokio::test]
async fn who_is_named_again_before_they_were_told_is_told_once() {
    let world = World::new().await;
    let worker = world.consenting(2).await;
    let ticket = waiting(&world, worker).await;
    let without = Ticket { worker_ids: vec![], ..next(&ticket) };
    follow(&world, &without).await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "NOT_IN_TICKET", 1));
    let again = Ticket { worker_ids: vec![worker.to_string()], ..next(&without) };
    follow(&world, &again).await;
    world.send().await;
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
    follow(&world, &Ticket { worker_ids: vec![], ..next(&again) }).await;
    follow(&world, &Ticket { version: again.version + 2, ..again }).await;
    assert_eq!((world.send().await, world.wechat.delivered().len()), (0, 1));
}

#[tokio::test]
async fn once_its_day_is_closed_a_notice_is_about_the_next_open_one() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = waiting(&world, worker).await;
    let mut ticket = next(&ticket);
    assert_eq!(world.only().await.daily_ticket_id, ticket.daily_tickets[2].daily_ticket_id);
    ticket.daily_tickets[2].status = String::from("EXPIRED");
    follow(&world, &ticket).await;
    let tomorrow = &ticket.daily_tickets[0].daily_ticket_id;
    assert_eq!(&world.only().await.daily_ticket_id, tomorrow);
    world.wait(TimeDelta::minutes(1));
    world.send().await;
    let message = &world.wechat.delivered()[0];
    assert_eq!(message["page"], format!("pages/task/index?daily_ticket_id={tomorrow}"));
    assert_eq!(message["data"]["date2"]["value"], "2026年3月3日");
}

#[tokio::test]
async fn a_notice_says_what_its_ticket_says_when_it_is_sent() {
    let world = World::new().await;
    world.name_area("A区", 1).await;
    let worker = world.consenting(1).await;
    let ticket = waiting(&world, worker).await;
    let mut ticket = Ticket {
        title: "四层模板安装".to_owned(),
        area_ids: vec![AreaId::new().to_string()],
        video_ids: vec![VideoId::new().to_string(), VideoId::new().to_string()],
        ..next(&ticket)
    };
    for day in &mut ticket.daily_tickets {
        day.deadline_at = Some(proto::timestamp("2026-03-02T01:15:00Z".parse().unwrap()));
    }
    follow(&world, &ticket).await;
    world.wait(TimeDelta::minutes(1));
    world.send().await;
    let message = &world.wechat.delivered()[0];
    let values = ["thing1", "thing3", "time4", "thing5"]
        .map(|key| message["data"][key]["value"].as_str().unwrap());
    assert_eq!(values, ["四层模板安装", "见任务详情", "09:15", "请观看2个视频并完成人脸核验"]);
}

#[tokio::test]
async fn facts_told_again_and_out_of_order_withdraw_once_and_for_good() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = waiting(&world, worker).await;
    let amended = next(&ticket);
    let cancelled = cancel(&world, &amended).await;
    for late in [&amended, &cancelled, &ticket] {
        follow(&world, late).await;
        assert_eq!(world.fate().await, fate(Status::Skipped, "DAY_CLOSED", 1));
    }
    assert_eq!((world.only().await.version, world.told("NotificationSkipped").await), (4, 1));
    assert_silent(&world, worker).await;
}

#[tokio::test]
async fn a_publication_that_comes_after_the_cancellation_tells_nobody() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = world.ticket(&[worker]);
    cancel(&world, &ticket).await;
    world.tell(&AnnounceTicket, &published(&ticket)).await;
    assert_eq!(world.send().await, 1);
    assert_eq!(world.fate().await, fate(Status::Skipped, "DAY_CLOSED", 0));
    assert_eq!(world.told("NotificationSkipped").await, 1);
    assert_silent(&world, worker).await;
}

#[tokio::test]
async fn whom_an_amendment_added_is_told_though_the_ticket_before_it_is_known_alone() {
    let world = World::new().await;
    let (first, added) = (world.worker().await, world.consenting(1).await);
    let ticket = world.publish(&[first]).await;
    let both = vec![first.to_string(), added.to_string()];
    let ticket = Ticket { worker_ids: both, ..next(&ticket) };
    let (amended_by, told) = ("account:1".to_owned(), Some(ticket));
    let amended = TicketAmended { ticket: told, amended_by, ..TicketAmended::default() };
    world.tell(&AnnounceTicket, &delivery(&amended)).await;
    world.send().await;
    assert_eq!(world.wechat.delivered()[0]["touser"], format!("openid-{added}"));
}

#[tokio::test]
async fn what_was_cancelled_while_it_was_being_sent_is_not_tried_again() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = world.publish(&[worker]).await;
    let claimed = world.claim().await;
    cancel(&world, &ticket).await;
    world.wechat.is(Mood::Refuse(-1));
    world.app.send(claimed.ready).await;
    world.wechat.is(Mood::Ok);
    assert_silent(&world, worker).await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "DAY_CLOSED", 1));
}

#[tokio::test]
async fn what_was_withdrawn_is_not_retried_by_hand_but_waits_once_there_is_something_to_tell() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = waiting(&world, worker).await;
    let without = Ticket { worker_ids: vec![], ..next(&ticket) };
    follow(&world, &without).await;
    assert_not_retried(&world, "SKIPPED", "NOT_IN_TICKET").await;
    let again = Ticket { worker_ids: vec![worker.to_string()], ..next(&without) };
    follow(&world, &again).await;
    assert_eq!(world.fate().await, fate(Status::Queued, "", 0));
    cancel(&world, &again).await;
    assert_not_retried(&world, "SKIPPED", "DAY_CLOSED").await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "DAY_CLOSED", 0));
    assert_eq!(world.told("CommandAudited").await, 1, "the consent's");
    assert_silent(&world, worker).await;
}

#[tokio::test]
async fn what_failed_is_not_retried_by_hand_once_its_ticket_has_nothing_to_tell() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(47003));
    world.send().await;
    let without = Ticket { worker_ids: vec![], ..next(&ticket) };
    follow(&world, &without).await;
    assert_not_retried(&world, "FAILED", "NOT_IN_TICKET").await;
    cancel(&world, &without).await;
    assert_not_retried(&world, "FAILED", "DAY_CLOSED").await;
    // What failed stays what it was.
    assert_eq!(world.fate().await, fate(Status::Failed, "REFUSED", 1));
    assert_eq!(world.told("CommandAudited").await, 1);
}

#[tokio::test]
async fn what_is_retried_by_hand_says_what_its_ticket_now_says() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    let ticket = world.publish(&[worker]).await;
    world.wechat.is(Mood::Refuse(47003));
    world.send().await;
    world.wechat.is(Mood::Ok);
    follow(&world, &Ticket { title: "四层模板安装".to_owned(), ..next(&ticket) }).await;
    retry(&world).await.unwrap();
    world.send().await;
    assert_eq!(world.wechat.delivered()[0]["data"]["thing1"]["value"], "四层模板安装");
}
