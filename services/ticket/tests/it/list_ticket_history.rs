use proto::common::v1::PageRequest;
use proto::ticket::v1::{
    AmendTicketRequest, CreateTicketRequest, Ids, ListTicketHistoryRequest, TicketEdit,
};
use types::WorkerId;

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
    assert_eq!(answer.site_id, world.site.to_string());
}

async fn page_of_fifty(world: &World, ticket_id: &str) -> Vec<TicketEdit> {
    let page = Some(PageRequest { page: 1, page_size: 50 });
    let message = ListTicketHistoryRequest { ticket_id: ticket_id.to_owned(), page };
    let request = world.harness.request(&world.admin, message);
    world.client().list_ticket_history(request).await.unwrap().into_inner().edits
}

#[tokio::test]
async fn an_edit_of_a_long_list_tells_who_left_and_who_came() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let [first, gone] = world.workers.map(|worker| worker.to_string());
    let came = WorkerId::new().to_string();
    let worker_ids = Some(Ids { ids: vec![first, came.clone()] });
    let amendment = AmendTicketRequest { worker_ids, ..world.amendment(&id).await };
    let effects = world.amend(&world.sysadmin(), amendment).await.unwrap().effects.unwrap();
    let edit = page_of_fifty(&world, &id).await.remove(0);
    let (before, after) =
        (format!(r#"{{"worker_ids":["{gone}"]}}"#), format!(r#"{{"worker_ids":["{came}"]}}"#));
    assert_eq!((&edit.before, &edit.after), (&before, &after));
    assert_eq!((&effects.before, &effects.after), (&before, &after));
}

#[tokio::test]
async fn a_page_of_a_large_ticket_s_edits_fits_into_a_message() {
    let world = World::new().await;
    let workers: Vec<String> = (0..2_000).map(|_| WorkerId::new().to_string()).collect();
    let id = world
        .created(CreateTicketRequest {
            worker_ids: workers.clone(),
            end_date: "2026-03-02".to_owned(),
            ..world.three_days()
        })
        .await;
    for worker in &workers[..30] {
        world.remove_worker(&world.sysadmin(), &id, worker).await.unwrap();
    }
    let edits = page_of_fifty(&world, &id).await;
    assert_eq!(edits.len(), 31);
    assert!(edits[30].after.contains(&workers[1_999]), "whom it named at first");

    // As edits were written before, with both lists whole.
    sqlx::query(
        "UPDATE ticket.ticket_edits e
         SET before = jsonb_build_object('worker_ids', w.ids)::text,
             after = jsonb_build_object('worker_ids', w.ids - 7)::text
         FROM (SELECT jsonb_agg(worker_id ORDER BY position) AS ids FROM ticket.ticket_workers) AS w
         WHERE e.action = 'AMENDED'",
    )
    .execute(&world.harness.database.admin())
    .await
    .unwrap();
    let edits = page_of_fifty(&world, &id).await;
    assert_eq!(edits[0].before, format!(r#"{{"worker_ids":["{}"]}}"#, workers[37]));
    assert_eq!(edits[0].after, r#"{"worker_ids":[]}"#);
}
