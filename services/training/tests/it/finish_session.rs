use chrono::TimeDelta;
use proto::training::v1::{FinishSessionRequest, TrainingCompleted, VideoCompleted};
use types::{ErrorCode, VideoId};

use crate::phone::Phone;
use crate::world::{World, code, day};

#[tokio::test]
async fn the_last_video_completes_the_day_once() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    let finished = phone.finish().await.unwrap().into_inner();
    assert_eq!(
        (finished.result.as_str(), finished.day_complete, finished.in_time),
        ("COMPLETED", true, true)
    );
    assert_eq!(phone.finish().await.unwrap().into_inner(), finished);
    let videos = world.facts::<VideoCompleted>().await;
    assert_eq!(videos.len(), 1);
    assert!(videos[0].valid_watch_sec >= 38);
    let completed = world.facts::<TrainingCompleted>().await;
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].deadline_at, ticket.daily_tickets[0].deadline_at);
    assert_eq!(
        (completed[0].worker_id.clone(), completed[0].in_time),
        (world.worker.to_string(), true)
    );
    assert!(completed[0].version > videos[0].version);
    assert_eq!(world.audited().await.last().unwrap(), "training_session.finish");
}

#[tokio::test]
async fn fifty_finishes_at_once_complete_once() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    let mut finishes = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let message = FinishSessionRequest {
            session_id: phone.session.session_id.clone(),
            session_token: phone.session.session_token.clone(),
            worker_id: String::new(),
        };
        let (mut client, request) = (world.client(), world.request(&phone.caller, message));
        finishes.spawn(async move { client.finish_session(request).await.unwrap().into_inner() });
    }
    let answers = finishes.join_all().await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(world.facts::<VideoCompleted>().await.len(), 1);
    assert_eq!(world.facts::<TrainingCompleted>().await.len(), 1);
    let ended = |action: &&String| *action == "training_session.finish";
    assert_eq!(world.audited().await.iter().filter(ended).count(), 1);
}

#[tokio::test]
async fn all_videos_are_needed_or_any_as_the_ticket_says() {
    for (rule, complete_after_one) in [("ALL", false), ("ANY", true)] {
        let world = World::new().await;
        let one: VideoId = world.add_video().await.video_id.parse().unwrap();
        let two: VideoId = world.add_video().await.video_id.parse().unwrap();
        let mut ticket = world.ticket(&[one, two]);
        ticket.video_rule = rule.to_owned();
        let day = world.publish(&ticket).await;
        for (video, complete) in [(one, complete_after_one), (two, true)] {
            let mut phone = Phone::start(&world, day, video).await;
            phone.watch().await;
            assert_eq!(phone.finish().await.unwrap().into_inner().day_complete, complete, "{rule}");
        }
        assert_eq!(world.facts::<TrainingCompleted>().await.len(), 1, "{rule}");
    }
}

#[tokio::test]
async fn completing_after_the_deadline_now_in_force_is_recorded_as_late() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    ticket.version += 1;
    let tightened = world.now() - TimeDelta::seconds(1);
    ticket.daily_tickets[0].deadline_at = Some(proto::timestamp(tightened));
    world.amend(&ticket).await;
    let finished = phone.finish().await.unwrap().into_inner();
    assert_eq!((finished.day_complete, finished.in_time), (true, false));
    let completed = world.facts::<TrainingCompleted>().await;
    assert_eq!(
        (completed[0].in_time, completed[0].deadline_at),
        (false, Some(proto::timestamp(tightened)))
    );
}

#[tokio::test]
async fn a_direct_finish_is_incomplete_and_the_token_may_be_left_out() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.session.session_token.clear();
    assert_eq!(code(phone.finish().await), ErrorCode::TrainingIncomplete);
    phone.session.session_token = "invented".to_owned();
    assert_eq!(code(phone.finish().await), ErrorCode::SessionTokenInvalid);
}
