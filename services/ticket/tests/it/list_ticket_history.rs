use proto::common::v1::PageRequest;
use proto::ticket::v1::{AmendTicketRequest, ListTicketHistoryRequest};

use crate::world::World;

#[tokio::test]
async fn every_edit_is_kept_with_who_when_why_and_what() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.publish(&world.admin, &id).await.unwrap();
    let amendment = AmendTicketRequest {
        remark: Some("注意防火".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.sysadmin(), amendment).await.unwrap();
    let day = world.ticket(&id).await.daily_tickets[2].daily_ticket_id.clone();
    world.cancel_day(&world.admin, &day, false).await.unwrap();
    world.harness.shell.clock.advance(chrono::TimeDelta::days(1));
    world.run_lifecycle().await;
    world.cancel(&world.admin, &id, "wind").await.unwrap();

    let history = world.history(&world.admin, &id).await.unwrap();
    let lines: Vec<(u64, &str, &str)> = history
        .iter()
        .map(|edit| (edit.revision, edit.action.as_str(), edit.reason.as_str()))
        .collect();
    let wanted = [
        (5, "CANCELLED", "wind"),
        (4, "DAY_CANCELLED", "rain"),
        (3, "AMENDED", "暴雨"),
        (2, "PUBLISHED", ""),
        (1, "CREATED", ""),
    ];
    assert_eq!(lines, wanted);
    let amended = &history[2];
    assert_eq!(
        (amended.before.as_str(), amended.after.as_str()),
        (r#"{"remark":""}"#, r#"{"remark":"注意防火"}"#)
    );
    assert_ne!(amended.edited_by, world.admin.subject.to_string());
    assert_eq!(amended.edited_at, history[3].edited_at);
    assert!(history[0].edited_at.unwrap().seconds > amended.edited_at.unwrap().seconds);
    let (first, created) = (&history[4].before, &history[4].after);
    assert!(first.is_empty() && created.contains("1#楼钢筋绑扎"), "{created}");
    assert_eq!(world.ticket(&id).await.revision, 5);
}

#[tokio::test]
async fn it_is_read_by_pages() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    for remark in ["a", "b", "c"] {
        let amendment =
            AmendTicketRequest { remark: Some(remark.to_owned()), ..world.amendment(&id).await };
        world.amend(&world.admin, amendment).await.unwrap();
    }
    let page = Some(PageRequest { page: 2, page_size: 3 });
    let message = ListTicketHistoryRequest { ticket_id: id, page };
    let request = world.harness.request(&world.admin, message);
    let answer = world.client().list_ticket_history(request).await.unwrap().into_inner();
    assert_eq!((answer.total, answer.edits.len()), (4, 1));
    assert_eq!(answer.edits[0].action, "CREATED");
}
