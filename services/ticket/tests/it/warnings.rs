use proto::ticket::v1::{AddWorkersRequest, AmendTicketRequest, CreateTicketRequest, Ids, Warning};
use types::{AreaId, ContractorId, WorkerId};

use crate::world::World;

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code.as_str()).collect()
}

/// The same job in another area.
fn elsewhere(world: &World) -> CreateTicketRequest {
    CreateTicketRequest { area_ids: vec![AreaId::new().to_string()], ..world.three_days() }
}

#[tokio::test]
async fn a_worker_on_another_ticket_for_another_area_is_told_each_day() {
    let world = World::new().await;
    let other = world.created(elsewhere(&world)).await;
    let one_day = CreateTicketRequest {
        end_date: "2026-03-02".to_owned(),
        worker_ids: vec![world.workers[0].to_string()],
        ..world.three_days()
    };
    let made = world.create(&world.admin, one_day).await.unwrap();
    assert_eq!(codes(&made.warnings), ["OVERLAPPING_TICKET"]);
    let warning = &made.warnings[0];
    assert_eq!((warning.ticket_id.as_str(), warning.date.as_str()), (other.as_str(), "2026-03-02"));
    assert_eq!(warning.worker_id, world.workers[0].to_string());
    // It stops nobody, is told as long as it is so, and on both.
    let shown = world.get(&world.admin, &made.ticket_id).await.unwrap();
    assert_eq!(shown.warnings, made.warnings);
    let on_other = world.get(&world.admin, &other).await.unwrap();
    assert_eq!(on_other.warnings[0].ticket_id, made.ticket_id);
    world.cancel(&world.admin, &other, "rain").await.unwrap();
    assert!(world.get(&world.admin, &made.ticket_id).await.unwrap().warnings.is_empty());
}

#[tokio::test]
async fn the_same_areas_or_other_days_are_no_overlap() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    let same_area = world.create(&world.admin, world.three_days()).await.unwrap();
    assert!(same_area.warnings.is_empty());
    let later = CreateTicketRequest {
        start_date: "2026-03-05".to_owned(),
        end_date: "2026-03-05".to_owned(),
        ..elsewhere(&world)
    };
    assert!(world.create(&world.admin, later).await.unwrap().warnings.is_empty());
}

#[tokio::test]
async fn of_more_overlaps_than_are_told_those_of_the_first_dates_are() {
    let world = World::new().await;
    let worker_ids: Vec<String> = (0..240).map(|_| WorkerId::new().to_string()).collect();
    let other = CreateTicketRequest { worker_ids: worker_ids.clone(), ..elsewhere(&world) };
    world.created(other).await;
    let ours = CreateTicketRequest { worker_ids, ..world.three_days() };
    let made = world.create(&world.admin, ours).await.unwrap();
    let on = |date| made.warnings.iter().filter(|warning| warning.date == date).count();
    assert_eq!(made.warnings.len(), 500);
    assert_eq!([on("2026-03-02"), on("2026-03-03"), on("2026-03-04")], [240, 240, 20]);
}

#[tokio::test]
async fn last_nights_shift_overlaps_the_morning_after() {
    let world = World::new().await;
    let night = CreateTicketRequest {
        access_start_time: "22:00".to_owned(),
        access_end_time: "07:00".to_owned(),
        end_date: "2026-03-02".to_owned(),
        ..elsewhere(&world)
    };
    world.created(night).await;
    let morning = CreateTicketRequest {
        start_date: "2026-03-03".to_owned(),
        end_date: "2026-03-03".to_owned(),
        worker_ids: vec![world.workers[0].to_string()],
        ..world.three_days()
    };
    let made = world.create(&world.admin, morning).await.unwrap();
    assert_eq!(codes(&made.warnings), ["OVERLAPPING_TICKET"]);
}

#[tokio::test]
async fn anothers_ticket_is_not_named() {
    let world = World::new().await;
    let contractor = ContractorId::new();
    let another = world.harness.contractor_admin(world.site, contractor);
    let theirs = CreateTicketRequest { contractor_id: contractor.to_string(), ..elsewhere(&world) };
    world.create(&another, theirs).await.unwrap();
    let made = world.create(&world.admin, world.three_days()).await.unwrap();
    assert_eq!(made.warnings.len(), 6);
    assert!(made.warnings.iter().all(|warning| warning.ticket_id.is_empty()));
    let seen = world.get(&world.sysadmin(), &made.ticket_id).await.unwrap();
    assert!(seen.warnings.iter().all(|warning| !warning.ticket_id.is_empty()));
}

#[tokio::test]
async fn who_is_unbound_and_whose_engagement_ends_is_told() {
    let world = World::new().await;
    let [unbound, ending] = world.workers.map(|worker| worker.to_string());
    {
        let mut known = world.peers.lock().unwrap();
        known.unbound.insert(unbound.clone());
        known.ending.push((ending.clone(), "2026-03-03".to_owned()));
    }
    let made = world.create(&world.admin, world.three_days()).await.unwrap();
    assert_eq!(codes(&made.warnings), ["WORKER_UNBOUND", "ENGAGEMENT_ENDS"]);
    assert_eq!(made.warnings[0].worker_id, unbound);
    let ends = (made.warnings[1].worker_id.as_str(), made.warnings[1].date.as_str());
    assert_eq!(ends, (ending.as_str(), "2026-03-03"));
    let shown = world.get(&world.admin, &made.ticket_id).await.unwrap();
    assert_eq!(shown.warnings, made.warnings);
    // A shorter ticket is over before.
    let shorter = AmendTicketRequest {
        end_date: Some("2026-03-03".to_owned()),
        ..world.amendment(&made.ticket_id).await
    };
    let amended = world.amend(&world.sysadmin(), shorter).await.unwrap();
    assert_eq!(codes(&amended.effects.unwrap().warnings), ["WORKER_UNBOUND"]);
}

#[tokio::test]
async fn videos_longer_than_the_time_there_is_are_told() {
    let world = World::new().await;
    // Today there is an hour and a half, from 00:05 to 07:30 on the other days.
    world.peers.lock().unwrap().duration_sec = 5_401;
    let made = world.create(&world.admin, world.three_days()).await.unwrap();
    assert_eq!(codes(&made.warnings), ["NO_TIME_TO_TRAIN"]);
    let warning = &made.warnings[0];
    assert_eq!(
        (warning.date.as_str(), warning.needed_sec, warning.left_sec),
        ("2026-03-02", 5_401, 5_400)
    );
    let later = AmendTicketRequest {
        training_deadline_time: Some("10:00".to_owned()),
        ..world.amendment(&made.ticket_id).await
    };
    let amended = world.amend(&world.admin, later).await.unwrap();
    assert!(amended.effects.unwrap().warnings.is_empty());
}

#[tokio::test]
async fn a_change_for_which_the_roster_was_asked_about_workers_says_how_old_it_is() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let read_at = world.harness.now();
    world.peers.lock().unwrap().roster_synced_at = Some(read_at);
    let nothing = world.amendment(&id).await;
    let area = Ids { ids: vec![AreaId::new().to_string()] };
    for (amendment, age) in [
        (AmendTicketRequest { remark: Some("x".to_owned()), ..nothing.clone() }, None),
        (AmendTicketRequest { area_ids: Some(area), ..nothing.clone() }, None),
        (AmendTicketRequest { end_date: Some("2026-03-05".to_owned()), ..nothing }, Some(read_at)),
    ] {
        for preview in [true, false] {
            let revision = world.ticket(&id).await.revision;
            let amendment = AmendTicketRequest { preview, revision, ..amendment.clone() };
            let amended = world.amend(&world.sysadmin(), amendment).await.unwrap();
            assert_eq!(proto::instant(amended.roster_synced_at.as_ref()), age);
        }
    }
    let more = AddWorkersRequest {
        ticket_id: id,
        worker_ids: vec![WorkerId::new().to_string()],
        reason: "more hands".to_owned(),
        preview: true,
    };
    for (preview, age) in [(true, Some(read_at)), (false, Some(read_at)), (false, None)] {
        let message = AddWorkersRequest { preview, ..more.clone() };
        let request = world.harness.request(&world.admin, message);
        let added = world.client().add_workers(request).await.unwrap().into_inner();
        assert_eq!(proto::instant(added.roster_synced_at.as_ref()), age, "once named, not asked");
    }
}
