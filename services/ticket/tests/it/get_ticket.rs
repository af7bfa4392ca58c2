use auth::Caller;
use types::{ContractorId, DailyTicketId, ErrorCode, SiteId, TicketId};

use crate::world::{World, code};

#[tokio::test]
async fn nobody_has_begun_to_learn_on_a_new_ticket() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let view = world.get(&world.admin, &id).await.unwrap();
    assert_eq!(view.days.len(), 3);
    for day in &view.days {
        let training = day.training.unwrap();
        assert_eq!((training.required, training.not_started), (2, 2));
        assert_eq!(day.access, Some(proto::ticket::v1::AccessCounts::default()));
    }
}

#[tokio::test]
async fn a_day_shows_each_of_its_workers_in_the_tickets_order() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let ticket = world.ticket(&id).await;
    let day = &ticket.daily_tickets[1];
    let view = world.daily(&world.admin, &day.daily_ticket_id).await.unwrap();
    assert_eq!(view.daily_ticket.as_ref(), Some(day));
    assert_eq!(view.ticket, Some(ticket.clone()));
    let workers: Vec<&str> = view.workers.iter().map(|each| each.worker_id.as_str()).collect();
    assert_eq!(workers, ticket.worker_ids);
    let first = &view.workers[0];
    assert_eq!(first.training_status, "NOT_STARTED");
    assert!(first.bound && !first.notified && !first.read && !first.authorized);
}

#[tokio::test]
async fn what_lies_outside_ones_reach_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    for caller in [&another, &elsewhere] {
        assert_eq!(code(world.get(caller, &id).await), ErrorCode::NotFound);
        assert_eq!(code(world.daily(caller, &day).await), ErrorCode::NotFound);
    }
    let unknown = TicketId::new().to_string();
    assert_eq!(code(world.get(&world.admin, &unknown).await), ErrorCode::NotFound);
    let unknown = DailyTicketId::new().to_string();
    assert_eq!(code(world.daily(&world.admin, &unknown).await), ErrorCode::NotFound);
}

#[tokio::test]
async fn a_service_sees_any_day_and_no_whole_ticket() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    let service = Caller::service("gateway");
    assert!(world.daily(&service, &day).await.is_ok());
    assert_eq!(code(world.get(&service, &id).await), ErrorCode::PermissionDenied);
}
