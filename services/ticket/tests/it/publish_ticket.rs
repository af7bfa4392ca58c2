use chrono::TimeDelta;
use proto::ticket::v1::{AmendTicketRequest, CreateTicketRequest, TicketPublished};
use types::{ContractorId, ErrorCode, SiteId, TicketId, WorkerId};

use crate::world::{World, code, days, names};

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
    world.harness.shell.clock.advance(TimeDelta::hours(1));
    // Nor is anybody asked.
    world.peers.lock().unwrap().away = true;
    world.publish(&world.admin, &id).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
}

#[tokio::test]
async fn what_a_draft_names_is_judged_anew_as_when_a_ticket_is_made() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let gone = [world.area.to_string(), world.workers[1].to_string(), world.video.to_string()];
    {
        let mut known = world.peers.lock().unwrap();
        known.unknown.extend(gone);
        known.contractor_on_site = false;
        known.settings.max_span_days = 2;
    }
    let refusal = world.publish(&world.admin, &id).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ValidationFailed);
    let wanted = ["contractor_id", "end_date", "area_ids[0]", "worker_ids[1]", "video_ids[0]"];
    assert_eq!(names(&refusal), wanted);
    assert_eq!(world.ticket(&id).await.status, "DRAFT");
    assert_eq!(world.facts().await, ["CommandAudited"]);
}

#[tokio::test]
async fn a_draft_with_dates_of_the_past_is_published_once_they_are_amended() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.harness.shell.clock.advance(TimeDelta::days(1));
    let refusal = world.publish(&world.admin, &id).await.unwrap_err();
    assert_eq!((refusal.code, names(&refusal)), (ErrorCode::ValidationFailed, vec!["start_date"]));
    let today = AmendTicketRequest {
        start_date: Some("2026-03-03".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.admin, today).await.unwrap();
    world.publish(&world.admin, &id).await.unwrap();
    assert_eq!(days(&world.ticket(&id).await), ["IN_PROGRESS", "PUBLISHED"]);

    let late = CreateTicketRequest { start_date: "2026-03-03".to_owned(), ..world.draft() };
    let late = world.created(late).await;
    world.harness.shell.clock.advance(TimeDelta::days(9));
    let refusal = world.publish(&world.admin, &late).await.unwrap_err();
    assert_eq!(names(&refusal), ["start_date", "end_date"]);
}

#[tokio::test]
async fn publishing_tells_what_to_know_by_now() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let (worker, read_at) = (world.workers[0].to_string(), world.harness.now());
    {
        let mut known = world.peers.lock().unwrap();
        known.ending.push((worker.clone(), "2026-03-03".to_owned()));
        known.roster_synced_at = Some(read_at);
    }
    let published = world.publish(&world.admin, &id).await.unwrap();
    let warning = &published.warnings[0];
    assert_eq!((warning.code.as_str(), &warning.worker_id), ("ENGAGEMENT_ENDS", &worker));
    assert_eq!(proto::instant(published.roster_synced_at.as_ref()), Some(read_at));
    let shown = world.get(&world.admin, &id).await.unwrap();
    assert_eq!(shown.warnings, published.warnings, "and is kept");
}

#[tokio::test]
async fn without_the_owners_answer_a_draft_stays_one() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    world.peers.lock().unwrap().away = true;
    assert_eq!(code(world.publish(&world.admin, &id).await), ErrorCode::UpstreamUnavailable);
    assert_eq!(world.ticket(&id).await.status, "DRAFT");
    // What is known to be wrong can be mended meanwhile.
    world.harness.shell.clock.advance(TimeDelta::days(1));
    let refusal = world.publish(&world.admin, &id).await.unwrap_err();
    assert_eq!(names(&refusal), ["start_date"]);
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
    assert_eq!(names(&refusal), ["ticket_id"]);
}
