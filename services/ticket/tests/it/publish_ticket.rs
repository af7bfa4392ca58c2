use proto::ticket::v1::TicketPublished;
use types::{ContractorId, ErrorCode, SiteId, TicketId, WorkerId};

use crate::world::{World, code, days};

#[tokio::test]
async fn publishing_a_draft_tells_the_whole_ticket_at_its_new_version() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.publish(&world.admin, &id).await.unwrap();
    let published: TicketPublished = world.fact("TicketPublished").await;
    let ticket = world.ticket(&id).await;
    assert_eq!(published.ticket.as_ref(), Some(&ticket));
    assert_eq!((ticket.version, ticket.status.as_str()), (2, "ACTIVE"));
    assert_eq!(days(&ticket), ["IN_PROGRESS", "PUBLISHED", "PUBLISHED"]);
    let facts = world.facts().await;
    assert_eq!(facts, ["CommandAudited", "TicketPublished", "CommandAudited"]);
}

#[tokio::test]
async fn publishing_twice_changes_nothing() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.publish(&world.admin, &id).await.unwrap();
    let before = (world.ticket(&id).await, world.facts().await);
    world.harness.shell.clock.advance(chrono::TimeDelta::hours(1));
    world.publish(&world.admin, &id).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
}

#[tokio::test]
async fn a_cancelled_ticket_is_not_published() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.cancel(&world.admin, &id, "rain").await.unwrap();
    let refusal = world.publish(&world.admin, &id).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StateConflict);
    assert_eq!(
        (&refusal.data["from"], &refusal.data["to"]),
        (&"CANCELLED".into(), &"ACTIVE".into())
    );
}

#[tokio::test]
async fn a_ticket_outside_ones_reach_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    let nowhere = world.harness.sysadmin(&[]);
    for caller in [another, elsewhere, nowhere] {
        assert_eq!(code(world.publish(&caller, &id).await), ErrorCode::NotFound);
    }
    let unknown = TicketId::new().to_string();
    assert_eq!(code(world.publish(&world.admin, &unknown).await), ErrorCode::NotFound);
    assert_eq!(world.ticket(&id).await.status, "DRAFT");
}

#[tokio::test]
async fn only_who_has_the_permission_publishes() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let worker = world.harness.worker(WorkerId::new(), world.site);
    assert_eq!(code(world.publish(&worker, &id).await), ErrorCode::PermissionDenied);
    let nobody = auth::Caller::anonymous();
    assert_eq!(code(world.publish(&nobody, &id).await), ErrorCode::NotSignedIn);
    let sysadmin = world.harness.sysadmin(&[world.site]);
    assert!(world.publish(&sysadmin, &id).await.is_ok());
}

#[tokio::test]
async fn what_is_no_identifier_is_a_bad_field() {
    let world = World::new().await;
    let refusal = world.publish(&world.admin, "t_1001").await.unwrap_err();
    assert_eq!(crate::world::names(&refusal), ["ticket_id"]);
}
