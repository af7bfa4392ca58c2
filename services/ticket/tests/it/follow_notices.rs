use events::{Outcome, deliver};
use proto::notification::v1::{Notification, NotificationSent, TaskRead};
use ticket::consumers::FollowNotices;

use crate::world::World;

#[tokio::test]
async fn a_sent_notice_and_an_opened_task_show_in_any_order_and_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    let worker = world.workers[1];
    let sent = NotificationSent {
        notification: Some(Notification {
            site_id: world.site.to_string(),
            daily_ticket_id: day.clone(),
            worker_id: worker.to_string(),
            status: "SENT".to_owned(),
            version: 2,
            ..Notification::default()
        }),
    };
    let read = TaskRead {
        site_id: world.site.to_string(),
        daily_ticket_id: day.clone(),
        worker_id: worker.to_string(),
        ..TaskRead::default()
    };
    let read = events::testing::delivery(&read);
    let sent = events::testing::delivery(&sent);
    let shown = async || {
        let view = world.daily(&world.admin, &day).await.unwrap();
        let flags = |each: &proto::ticket::v1::WorkerProgress| (each.notified, each.read);
        view.workers.iter().map(flags).collect::<Vec<_>>()
    };

    assert_eq!(deliver(&world.store, &FollowNotices, &read).await, Ok(Outcome::Handled));
    assert_eq!(shown().await, [(false, false), (false, true)]);
    assert_eq!(deliver(&world.store, &FollowNotices, &sent).await, Ok(Outcome::Handled));
    assert_eq!(deliver(&world.store, &FollowNotices, &sent).await, Ok(Outcome::Repeated));
    assert_eq!(shown().await, [(false, false), (true, true)]);
}
