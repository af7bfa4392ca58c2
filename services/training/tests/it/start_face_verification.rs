use chrono::TimeDelta;
use training::face::{Unavailable, Verdict};
use types::{CheckId, DailyTicketId, ErrorCode, WorkerId};

use crate::phone::{Phone, face_token, start, start_with};
use crate::world::{World, code, day, refused};

#[tokio::test]
async fn a_token_starts_one_session() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let token = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    assert!(start_with(&world, &worker, day, video, &token).await.is_ok());
    let refusal = refused(start_with(&world, &worker, day, video, &token).await);
    assert_eq!(
        (refusal.code, &refusal.data["reason"]),
        (ErrorCode::FaceVerifyFailed, &"TOKEN_USED".into())
    );
}

#[tokio::test]
async fn fifty_starts_with_one_token_give_one_session() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let token = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let message = proto::training::v1::StartSessionRequest {
            worker_id: world.worker.to_string(),
            daily_ticket_id: day.to_string(),
            video_id: video.to_string(),
            face_verify_token: token.clone(),
            device: String::new(),
        };
        let (mut client, request) = (world.client(), world.request(&worker, message));
        starts.spawn(async move { client.start_session(request).await.is_ok() });
    }
    let started = starts.join_all().await.into_iter().filter(|started| *started).count();
    assert_eq!(started, 1);
}

#[tokio::test]
async fn an_expired_token_starts_nothing() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let token = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    world.harness.shell.system.advance(TimeDelta::minutes(10));
    let refusal = refused(start_with(&world, &worker, day, video, &token).await);
    assert_eq!(
        (refusal.code, &refusal.data["reason"]),
        (ErrorCode::FaceVerifyFailed, &"TOKEN_EXPIRED".into())
    );
}

#[tokio::test]
async fn a_foreign_an_invented_and_another_purposes_token_start_nothing() {
    let world = World::new().await;
    let video = world.add_video().await.video_id.parse().unwrap();
    let colleague = world.harness.worker(WorkerId::new(), world.site);
    let mut ticket = world.ticket(&[video]);
    ticket.worker_ids.push(colleague.worker_id().unwrap().to_string());
    let day = world.publish(&ticket).await;
    let other_day = world.publish(&world.ticket(&[video])).await;
    let worker = world.harness.worker(world.worker, world.site);
    let theirs = face_token(&world, &colleague, day, None).await.unwrap().into_inner();
    let yesterdays = face_token(&world, &worker, other_day, None).await.unwrap().into_inner();
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    let for_check = face_token(&world, &worker, day, Some(&check)).await.unwrap().into_inner();
    for token in [theirs.as_str(), &yesterdays, &for_check, "invented"] {
        let refusal = refused(start_with(&world, &worker, day, video, token).await);
        assert_eq!(
            (refusal.code, &refusal.data["reason"]),
            (ErrorCode::FaceVerifyFailed, &"TOKEN_INVALID".into())
        );
    }
}

#[tokio::test]
async fn a_face_that_did_not_pass_starts_nothing() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    for (verdict, reason) in [
        (Verdict::Failed, "FAILED"),
        (Verdict::Cancelled, "CANCELLED"),
        (Verdict::Pending, "PENDING"),
    ] {
        world.verdict(Ok(verdict));
        let refusal = refused(start(&world, day, video).await);
        assert_eq!(
            (refusal.code, &refusal.data["reason"]),
            (ErrorCode::FaceVerifyFailed, &reason.into())
        );
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_so() {
    let world = World::new().await;
    let (_, day, _) = day(&world).await;
    world.verdict(Err(Unavailable));
    let worker = world.harness.worker(world.worker, world.site);
    let refusal = refused(face_token(&world, &worker, day, None).await);
    assert_eq!(
        (refusal.code, &refusal.data["system"]),
        (ErrorCode::UpstreamUnavailable, &"face".into())
    );
}

#[tokio::test]
async fn nobody_verifies_for_a_day_they_are_not_named_on_or_a_check_nobody_asks() {
    let world = World::new().await;
    let (_, day, _) = day(&world).await;
    let stranger = world.harness.worker(WorkerId::new(), world.site);
    assert_eq!(code(face_token(&world, &stranger, day, None).await), ErrorCode::NotFound);
    let worker = world.harness.worker(world.worker, world.site);
    assert_eq!(
        code(face_token(&world, &worker, DailyTicketId::new(), None).await),
        ErrorCode::NotFound
    );
    let invented = CheckId::new().to_string();
    assert_eq!(
        code(face_token(&world, &worker, day, Some(&invented)).await),
        ErrorCode::StateConflict
    );
}
