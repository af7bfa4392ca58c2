use proto::common::v1::{CommandAudited, PageRequest};
use proto::ticket::v1::{CreateTicketRequest, ExportTicketRequest};
use proto::training::v1::TrainingCompleted;
use ticket::consumers::FollowTraining;
use types::{ContractorId, ErrorCode, SiteId, TicketId, WorkerId};

use crate::world::{World, code, names};

fn whole(ticket_id: &str) -> ExportTicketRequest {
    ExportTicketRequest { ticket_id: ticket_id.to_owned(), page: None }
}

#[tokio::test]
async fn each_worker_stands_with_each_day_in_the_ticket_s_order() {
    let world = World::new().await;
    let unbound = world.workers[1].to_string();
    world.peers.lock().unwrap().unbound.insert(unbound);
    let id = world.created(world.three_days()).await;
    let ticket = world.ticket(&id).await;
    let completed_at = Some(proto::timestamp(world.harness.now()));
    let completed = TrainingCompleted {
        site_id: world.site.to_string(),
        daily_ticket_id: ticket.daily_tickets[1].daily_ticket_id.clone(),
        worker_id: world.workers[0].to_string(),
        completed_at,
        version: 1,
        ..TrainingCompleted::default()
    };
    let delivery = events::testing::delivery(&completed);
    events::deliver(&world.store, &FollowTraining, &delivery).await.unwrap();

    let export = world.export(&world.admin, whole(&id)).await.unwrap();
    assert_eq!((export.ticket.as_ref(), export.total), (Some(&ticket), 2));
    let workers: Vec<&str> = export.workers.iter().map(|each| each.worker_id.as_str()).collect();
    assert_eq!(workers, ticket.worker_ids);
    assert_eq!(export.workers.iter().map(|each| each.bound).collect::<Vec<_>>(), [true, false]);
    let statuses: Vec<&str> =
        export.workers[0].days.iter().map(|day| day.training_status.as_str()).collect();
    assert_eq!(statuses, ["NOT_STARTED", "COMPLETED", "NOT_STARTED"]);
    assert_eq!(export.workers[0].days[1].completed_at, completed_at);
    assert!(export.workers[1].days.iter().all(|day| day.training_status == "NOT_STARTED"));
    let days: Vec<&str> =
        ticket.daily_tickets.iter().map(|it| it.daily_ticket_id.as_str()).collect();
    for worker in &export.workers {
        let named: Vec<&str> = worker.days.iter().map(|day| day.daily_ticket_id.as_str()).collect();
        assert_eq!(named, days);
    }
}

#[tokio::test]
async fn an_export_of_many_pages_leaves_one_record() {
    let world = World::new().await;
    let workers: Vec<String> = (0..5).map(|_| WorkerId::new().to_string()).collect();
    let message = CreateTicketRequest { worker_ids: workers.clone(), ..world.three_days() };
    let id = world.created(message).await;
    let before = world.facts().await.len();
    let mut seen = Vec::new();
    for page in 1..=3 {
        let page = Some(PageRequest { page, page_size: 2 });
        let part =
            world.export(&world.admin, ExportTicketRequest { page, ..whole(&id) }).await.unwrap();
        assert_eq!(part.total, 5);
        seen.extend(part.workers.into_iter().map(|each| each.worker_id));
    }
    assert_eq!(seen, workers);
    assert_eq!(world.facts().await[before..], ["CommandAudited"]);
    let record: CommandAudited = world.fact("CommandAudited").await;
    assert_eq!((record.action.as_str(), record.target_id.as_str()), ("ticket.export", id.as_str()));
    assert_eq!(record.actor, world.admin.subject.to_string());
    let after: serde_json::Value = serde_json::from_str(&record.after).unwrap();
    assert_eq!(after, serde_json::json!({"days": 3, "workers": 5}));
}

#[tokio::test]
async fn what_lies_outside_ones_reach_is_not_exported_and_leaves_no_record() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let before = world.facts().await.len();
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    for caller in [&another, &elsewhere] {
        assert_eq!(code(world.export(caller, whole(&id)).await), ErrorCode::NotFound);
    }
    let unknown = whole(&TicketId::new().to_string());
    assert_eq!(code(world.export(&world.admin, unknown).await), ErrorCode::NotFound);
    let worker = world.harness.worker(world.workers[0], world.site);
    assert_eq!(code(world.export(&worker, whole(&id)).await), ErrorCode::PermissionDenied);
    assert_eq!(world.facts().await.len(), before);
    let bad =
        ExportTicketRequest { page: Some(PageRequest { page: 1, page_size: 201 }), ..whole("x") };
    assert_eq!(
        names(&world.export(&world.admin, bad).await.unwrap_err()),
        ["ticket_id", "page_size"]
    );
}
