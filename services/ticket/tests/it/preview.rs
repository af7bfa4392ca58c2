//! A preview changes nothing and says what the command then says.

use chrono::TimeDelta;
use events::Handler;
use proto::access_grant::v1::LateGrantReleased;
use proto::ticket::v1::{AmendTicketRequest, CreateTicketRequest, Effects, Ids};
use proto::training::v1::{TrainingCompleted, TrainingReopened, VideoCompleted};
use ticket::consumers::{FollowAccess, FollowTraining};
use types::{AreaId, ErrorCode, VideoId, WorkerId};

use crate::world::World;

type Change = Box<dyn Fn(AmendTicketRequest) -> AmendTicketRequest>;

/// The first worker has trained for today, in time.
async fn trained(world: &World, ticket_id: &str) {
    let day = world.ticket(ticket_id).await.daily_tickets[0].daily_ticket_id.clone();
    let fact = TrainingCompleted {
        site_id: world.site.to_string(),
        daily_ticket_id: day,
        worker_id: world.workers[0].to_string(),
        completed_at: Some(proto::timestamp(world.harness.now())),
        in_time: true,
        version: 1,
        ..TrainingCompleted::default()
    };
    let delivery = events::testing::delivery(&fact);
    events::deliver(&world.store, &FollowTraining, &delivery).await.unwrap();
}

/// Previews the amendment, sees that nothing changed, gives it, and answers what both said.
async fn both(world: &World, amendment: AmendTicketRequest) -> Effects {
    let (id, caller) = (amendment.ticket_id.clone(), world.sysadmin());
    let before = (world.ticket(&id).await, world.facts().await);
    let preview = AmendTicketRequest { preview: true, ..amendment.clone() };
    let previewed = world.amend(&caller, preview).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
    let done = world.amend(&caller, amendment).await.unwrap();
    assert_eq!(previewed, done);
    assert_eq!(world.ticket(&id).await.revision, done.revision);
    let effects = done.effects.unwrap();
    assert_eq!(effects.site_id, world.site.to_string());
    effects
}

#[tokio::test]
async fn every_amendment_does_what_its_preview_said() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    trained(&world, &id).await;
    world.peers.lock().unwrap().duration_sec = 36_000;
    let text = |text: &str| Some(text.to_owned());
    let ids = |ids: &[String]| Some(Ids { ids: ids.to_vec() });
    let [first, second] = world.workers.map(|worker| worker.to_string());
    let (third, area) = (WorkerId::new().to_string(), AreaId::new().to_string());
    world.peers.lock().unwrap().unbound.insert(third.clone());
    let (old_area, video) = (world.area.to_string(), world.video.to_string());
    let changes: Vec<Change> = vec![
        Box::new(move |it| AmendTicketRequest { remark: text("注意防火"), ..it }),
        Box::new(move |it| AmendTicketRequest {
            access_start_time: text("20:00"),
            access_end_time: text("04:00"),
            ..it
        }),
        Box::new(move |it| AmendTicketRequest { training_deadline_time: text("09:00"), ..it }),
        {
            let third = third.clone();
            let (first, second) = (first.clone(), second.clone());
            Box::new(move |it| AmendTicketRequest {
                worker_ids: ids(&[first.clone(), second.clone(), third.clone()]),
                ..it
            })
        },
        {
            let area = area.clone();
            Box::new(move |it| AmendTicketRequest {
                area_ids: ids(&[old_area.clone(), area.clone()]),
                ..it
            })
        },
        Box::new(move |it| AmendTicketRequest { end_date: text("2026-03-06"), ..it }),
        Box::new(move |it| AmendTicketRequest {
            video_ids: ids(&[video.clone(), VideoId::new().to_string()]),
            ..it
        }),
        Box::new(move |it| AmendTicketRequest {
            end_date: text("2026-03-03"),
            worker_ids: ids(&[first.clone(), third.clone()]),
            area_ids: ids(std::slice::from_ref(&area)),
            ..it
        }),
        Box::new(move |it| AmendTicketRequest {
            end_date: text("2026-03-04"),
            access_start_time: text("06:00"),
            access_end_time: text("20:00"),
            ..it
        }),
    ];
    let mut told = Vec::new();
    for change in changes {
        let effects = both(&world, change(world.amendment(&id).await)).await;
        let codes: Vec<&str> = effects.warnings.iter().map(|it| it.code.as_str()).collect();
        assert!(effects.must_train_again.len() <= 1);
        told.push((
            (effects.gains, effects.loses, effects.window_changed),
            effects.must_train_again.len(),
            effects.days.iter().map(|day| day.change.clone()).collect::<Vec<_>>().join(" "),
            codes.contains(&"WORKER_UNBOUND"),
            codes.contains(&"DAY_STAYS_CANCELLED"),
        ));
    }
    let wanted = [
        ((0, 0, 0), 0, "", false, false),
        ((0, 0, 6), 0, "MOVED MOVED MOVED", false, false),
        ((0, 0, 0), 0, "MOVED MOVED MOVED", false, false),
        ((3, 0, 0), 0, "", true, false),
        ((9, 0, 0), 0, "", true, false),
        // Two more days, three workers, two areas.
        ((12, 0, 0), 0, "ADDED ADDED", true, false),
        // The one who has trained today is out of both areas until the new video is watched.
        ((0, 2, 0), 1, "", true, false),
        // Of five days, three workers and two areas there are left two, two and one. Training has not told of it yet.
        ((0, 26, 0), 0, "CANCELLED CANCELLED CANCELLED", true, false),
        ((0, 0, 4), 0, "MOVED MOVED", true, true),
    ];
    for (told, (counts, again, days, unbound, stays)) in told.iter().zip(wanted) {
        let wanted = (counts, again, days.to_owned(), unbound, stays);
        assert_eq!(*told, wanted);
    }
}

#[tokio::test]
async fn a_cancellation_does_what_its_preview_said() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let before = (world.ticket(&id).await, world.facts().await);
    let previewed = world.cancelling(&world.admin, &id, "rain", true).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
    assert_eq!(world.cancelling(&world.admin, &id, "rain", false).await.unwrap(), previewed);
    assert_eq!((previewed.loses, previewed.access.len()), (6, 6));
    assert!(previewed.access.iter().all(|effect| effect.change == "LOSES"));
    assert!(previewed.access.iter().all(|effect| effect.from.is_some() && effect.to.is_none()));
    // There is nothing left to lose.
    assert_eq!(world.cancelling(&world.admin, &id, "rain", true).await.unwrap().loses, 0);
}

#[tokio::test]
async fn a_cancelled_day_does_what_its_preview_said() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[1].daily_ticket_id.clone();
    let before = (world.ticket(&id).await, world.facts().await);
    let previewed = world.cancel_day(&world.admin, &day, true).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
    assert_eq!(world.cancel_day(&world.admin, &day, false).await.unwrap(), previewed);
    assert_eq!((previewed.loses, previewed.days.len()), (2, 1));
    assert_eq!(previewed.days[0].change, "CANCELLED");
}

#[tokio::test]
async fn a_worker_added_and_taken_off_is_what_the_previews_said() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let worker = WorkerId::new().to_string();
    world.peers.lock().unwrap().unbound.insert(worker.clone());
    let (caller, named) = (world.sysadmin(), [worker.clone()]);
    let before = (world.ticket(&id).await, world.facts().await);
    let previewed = world.adding(&caller, &id, &named, true).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
    assert_eq!(world.adding(&caller, &id, &named, false).await.unwrap(), previewed);
    assert_eq!((previewed.gains, unbound(&previewed)), (3, vec![worker.clone()]));

    let before = (world.ticket(&id).await, world.facts().await);
    let previewed = world.removing(&caller, &id, &worker, true).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
    assert_eq!(world.removing(&caller, &id, &worker, false).await.unwrap(), previewed);
    assert_eq!((previewed.loses, unbound(&previewed)), (3, Vec::new()));
    assert_eq!(world.ticket(&id).await.worker_ids.len(), 2);
}

/// Whom it warns of as unbound.
fn unbound(effects: &Effects) -> Vec<String> {
    let warnings = effects.warnings.iter().filter(|warning| warning.code == "WORKER_UNBOUND");
    warnings.map(|warning| warning.worker_id.clone()).collect()
}

#[tokio::test]
async fn who_was_bound_since_is_unbound_no_more_and_of_who_left_that_is_not_said() {
    let world = World::new().await;
    let [bound, left] = world.workers.map(|worker| worker.to_string());
    world.peers.lock().unwrap().unbound.extend([bound, left.clone()]);
    let id = world.created(world.three_days()).await;
    {
        let mut known = world.peers.lock().unwrap();
        known.unbound.clear();
        known.unknown.insert(left.clone());
    }
    let longer = AmendTicketRequest {
        end_date: Some("2026-03-05".to_owned()),
        ..world.amendment(&id).await
    };
    assert_eq!(unbound(&both(&world, longer).await), [left]);
}

#[tokio::test]
async fn a_preview_is_refused_as_its_command_is() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let title = AmendTicketRequest {
        title: Some("2#楼".to_owned()),
        preview: true,
        ..world.amendment(&id).await
    };
    let refused = world.amend(&world.admin, title.clone()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PermissionDenied);
    let stale = AmendTicketRequest { revision: 9, ..title };
    let refused = world.amend(&world.sysadmin(), stale).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::VersionConflict);
}

async fn take<E: proto::Event>(world: &World, handler: &dyn Handler, event: E) {
    let delivery = events::testing::delivery(&event);
    events::deliver(&world.store, handler, &delivery).await.unwrap();
}

#[tokio::test]
async fn a_video_that_comes_back_asks_nothing_of_who_watched_it() {
    let world = World::new().await;
    let (stays, goes) = (world.video.to_string(), VideoId::new().to_string());
    let message =
        CreateTicketRequest { video_ids: vec![stays.clone(), goes.clone()], ..world.three_days() };
    let id = world.created(message).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    for video_id in [&stays, &goes] {
        let watched = VideoCompleted {
            site_id: world.site.to_string(),
            daily_ticket_id: day.clone(),
            worker_id: world.workers[0].to_string(),
            video_id: video_id.clone(),
            version: 1,
            completed_at: Some(proto::timestamp(world.harness.now())),
            ..VideoCompleted::default()
        };
        take(&world, &FollowTraining, watched).await;
    }
    trained(&world, &id).await;
    let with = async |videos: &[&String]| {
        let ids = videos.iter().map(|id| (*id).clone()).collect();
        AmendTicketRequest { video_ids: Some(Ids { ids }), ..world.amendment(&id).await }
    };
    assert!(both(&world, with(&[&stays]).await).await.must_train_again.is_empty());
    let back = both(&world, with(&[&stays, &goes]).await).await;
    assert_eq!((back.must_train_again.len(), back.missing_video_ids.len(), back.loses), (0, 0, 0));
    let new = VideoId::new().to_string();
    let more = both(&world, with(&[&stays, &goes, &new]).await).await;
    assert_eq!(more.missing_video_ids, [new]);
}

#[tokio::test]
async fn who_watched_by_the_deadline_all_that_is_still_asked_for_gains_the_day() {
    let world = World::new().await;
    let (early, late) = (world.video.to_string(), VideoId::new().to_string());
    let message =
        CreateTicketRequest { video_ids: vec![early.clone(), late.clone()], ..world.three_days() };
    let id = world.created(message).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    // 08:00, the first of them half an hour later than the other.
    for (worker, video, minutes) in [(0, &early, -60), (1, &late, -60), (1, &early, -15)] {
        let watched = VideoCompleted {
            site_id: world.site.to_string(),
            daily_ticket_id: day.clone(),
            worker_id: world.workers[worker].to_string(),
            video_id: video.clone(),
            version: 1,
            completed_at: Some(proto::timestamp(world.harness.now() + TimeDelta::minutes(minutes))),
            ..VideoCompleted::default()
        };
        take(&world, &FollowTraining, watched).await;
    }
    let deadline = AmendTicketRequest {
        training_deadline_time: Some("07:20".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.sysadmin(), deadline).await.unwrap();
    let ids = vec![early];
    let shorter = AmendTicketRequest { video_ids: Some(Ids { ids }), ..world.amendment(&id).await };
    let effects = both(&world, shorter).await;
    let gains: Vec<_> = effects.access.iter().map(|effect| effect.worker_id.clone()).collect();
    assert_eq!(gains, [world.workers[0].to_string()]);
}

#[tokio::test]
async fn who_was_let_in_by_hand_gains_it_back_with_their_place_until_the_day_is_reopened() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    let (site_id, worker_id) = (world.site.to_string(), world.workers[0].to_string());
    // 10:00, half an hour too late.
    world.harness.shell.clock.advance(TimeDelta::hours(2));
    let late = async |version| {
        let finished = TrainingCompleted {
            site_id: site_id.clone(),
            daily_ticket_id: day.clone(),
            worker_id: worker_id.clone(),
            completed_at: Some(proto::timestamp(world.harness.now())),
            in_time: false,
            version,
            ..TrainingCompleted::default()
        };
        take(&world, &FollowTraining, finished).await;
    };
    let workers = |workers: &[WorkerId]| workers.iter().map(ToString::to_string).collect();
    let rest = Some(Ids { ids: workers(&world.workers[1..]) });
    let all = Some(Ids { ids: workers(&world.workers) });
    // What the worker gains who comes back on the ticket.
    let back = async || {
        let without = AmendTicketRequest { worker_ids: rest.clone(), ..world.amendment(&id).await };
        both(&world, without).await;
        let with = AmendTicketRequest { worker_ids: all.clone(), ..world.amendment(&id).await };
        both(&world, with).await.gains
    };
    let watched = VideoCompleted {
        site_id: site_id.clone(),
        daily_ticket_id: day.clone(),
        worker_id: worker_id.clone(),
        video_id: world.video.to_string(),
        version: 1,
        completed_at: Some(proto::timestamp(world.harness.now())),
        ..VideoCompleted::default()
    };
    take(&world, &FollowTraining, watched).await;
    late(2).await;
    assert_eq!(back().await, 2, "not today");

    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    let released = LateGrantReleased {
        site_id: site_id.clone(),
        daily_ticket_id: day.clone(),
        worker_id: worker_id.clone(),
        released_at: Some(proto::timestamp(world.harness.now())),
        ..LateGrantReleased::default()
    };
    take(&world, &FollowAccess, released).await;
    assert_eq!(back().await, 3);

    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    let reopened = TrainingReopened {
        site_id: site_id.clone(),
        daily_ticket_id: day.clone(),
        worker_id: worker_id.clone(),
        reopened_at: Some(proto::timestamp(world.harness.now())),
        version: 3,
        ..TrainingReopened::default()
    };
    take(&world, &FollowTraining, reopened).await;
    late(4).await;
    assert_eq!(back().await, 2, "that release was of what had been watched then");
}
