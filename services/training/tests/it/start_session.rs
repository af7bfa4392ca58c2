use proto::training::v1::{StartSessionRequest, TrainingFailed, TrainingStarted};
use types::{ErrorCode, SiteId, VideoId, WorkerId};

use crate::phone::{Phone, face_token, start, start_under};
use crate::world::{World, code, day};

#[tokio::test]
async fn a_session_starts_at_the_beginning_with_a_signed_address() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let session = start(&world, day, video).await.unwrap().into_inner();
    assert_eq!((session.resume_at_sec, session.duration_sec), (0, 40));
    assert!(session.play_url.starts_with(&format!("/api/media/videos/{video}?expires=")));
    let started = world.facts::<TrainingStarted>().await;
    assert_eq!(started.len(), 1);
    assert_eq!(
        (started[0].session_id.as_str(), started[0].version),
        (session.session_id.as_str(), 1)
    );
    assert_eq!(
        world.audited().await,
        ["video.add", "face_verification.start", "training_session.start"]
    );
}

#[tokio::test]
async fn neither_token_is_kept_as_it_was_shown() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let session = start(&world, day, video).await.unwrap().into_inner();
    let kept: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT s.token_hash, f.token_hash FROM training.sessions s CROSS JOIN training.face_verifications f",
    )
    .fetch_all(&world.harness.database.admin())
    .await
    .unwrap();
    assert_eq!(kept.len(), 1);
    assert!(
        kept[0].0.len() == 32
            && kept[0].0 != session.session_token.as_bytes()
            && kept[0].1.len() == 32
    );
}

#[tokio::test]
async fn the_second_phone_ends_the_first_and_both_can_see_why() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut first = Phone::start(&world, day, video).await;
    first.play().await;
    let second = Phone::start(&world, day, video).await;
    assert_ne!(first.session.session_id, second.session.session_id);
    assert_eq!(
        second.session.resume_at_sec, 0,
        "what was watched in a replaced session does not count"
    );
    world.wait(10);
    assert_eq!(code(first.report("PLAYING", 20, 0).await), ErrorCode::SessionReplaced);
    assert_eq!(code(first.finish().await), ErrorCode::SessionReplaced);
    let failed = world.facts::<TrainingFailed>().await;
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].session_id.clone(), failed[0].reason.as_str()),
        (first.session.session_id, "REPLACED")
    );
    assert_eq!(second.report("PLAYING", 10, 0).await.unwrap().into_inner().valid_watch_sec, 8);
}

#[tokio::test]
async fn a_session_on_another_site_is_ended_too() {
    let mut world = World::new().await;
    let (_, first_day, video) = day(&world).await;
    let first_site = world.site;
    let session = start(&world, first_day, video).await.unwrap().into_inner();
    world.site = SiteId::new();
    let (_, second_day, video) = day(&world).await;
    start(&world, second_day, video).await.unwrap();
    let failed = world.facts::<TrainingFailed>().await;
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0].session_id, &failed[0].site_id),
        (&session.session_id, &first_site.to_string())
    );
}

#[tokio::test]
async fn fifty_phones_at_once_leave_one_live_session() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let message = StartSessionRequest {
            worker_id: world.worker.to_string(),
            daily_ticket_id: day.to_string(),
            video_id: video.to_string(),
            face_verify_token: face_token(&world, &worker, day, None).await.unwrap().into_inner(),
            device: String::new(),
        };
        let (mut client, request) = (world.client(), world.request(&worker, message));
        starts.spawn(async move { client.start_session(request).await });
    }
    let (started, refused): (Vec<_>, Vec<_>) =
        starts.join_all().await.into_iter().partition(Result::is_ok);
    assert!(!started.is_empty());
    // Who was overtaken twice is told so, and nothing of theirs is kept.
    for answer in refused {
        assert_eq!(code(answer), ErrorCode::VersionConflict);
    }
    assert_eq!(world.facts::<TrainingStarted>().await.len(), started.len());
    let ended = world.facts::<TrainingFailed>().await;
    assert!(ended.iter().all(|fact| fact.reason == "REPLACED"));
    assert_eq!(ended.len(), started.len() - 1);
    let live: i64 =
        sqlx::query_scalar("SELECT count(*) FROM training.sessions WHERE status = 'IN_LEARNING'")
            .fetch_one(&world.harness.database.admin())
            .await
            .unwrap();
    assert_eq!(live, 1);
}

#[tokio::test]
async fn the_table_itself_refuses_a_second_live_session_of_a_person() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    start(&world, day, video).await.unwrap();
    let copied = sqlx::query(
        "INSERT INTO training.sessions SELECT (jsonb_populate_record(s, jsonb_build_object('session_id', gen_random_uuid()))).*
         FROM training.sessions s",
    )
    .execute(&world.harness.database.admin())
    .await;
    let constraint =
        copied.unwrap_err().as_database_error().and_then(|err| err.constraint()).map(str::to_owned);
    assert_eq!(constraint.as_deref(), Some("sessions_one_live_a_person"));
}

#[tokio::test]
async fn an_expired_session_is_resumed_with_its_seconds_and_a_new_token() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    phone.answer(&check).await.unwrap();
    world.wait(30 * 60);
    assert_eq!(code(phone.report("PLAYING", 20, 0).await), ErrorCode::SessionTokenInvalid);
    let mut resumed = Phone::start(&world, day, video).await;
    assert_eq!(resumed.session.session_id, phone.session.session_id);
    assert_eq!(resumed.session.resume_at_sec, 10);
    assert_eq!(code(phone.report("PLAYING", 20, 0).await), ErrorCode::SessionTokenInvalid);
    while resumed.position < 40 {
        resumed.play().await;
    }
    assert_eq!(resumed.finish().await.unwrap().into_inner().result, "COMPLETED");
}

#[tokio::test]
async fn nothing_is_resumed_for_another_day() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.play().await;
    world.wait(30 * 60);
    let other_day = world.publish(&world.ticket(&[video])).await;
    let other = Phone::start(&world, other_day, video).await;
    assert_ne!(other.session.session_id, phone.session.session_id);
    assert_eq!(other.session.resume_at_sec, 0);
    assert!(
        world.facts::<TrainingFailed>().await.is_empty(),
        "the expired one may still be resumed"
    );
}

#[tokio::test]
async fn a_day_that_is_not_in_progress_takes_no_training() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    world.wait(15 * 3600);
    assert_eq!(code(start(&world, day, video).await), ErrorCode::StateConflict);
    world.wait(-15 * 3600);
    world.cancel(&ticket).await;
    assert_eq!(code(start(&world, day, video).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn a_video_or_worker_that_is_not_on_the_ticket_is_not_found() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    assert_eq!(code(start(&world, day, VideoId::new()).await), ErrorCode::NotFound);
    let stranger = world.harness.worker(world.worker, SiteId::new());
    assert_eq!(code(face_token(&world, &stranger, day, None).await), ErrorCode::NotFound);
    let worker = world.harness.worker(world.worker, world.site);
    let message = StartSessionRequest {
        worker_id: WorkerId::new().to_string(),
        daily_ticket_id: day.to_string(),
        video_id: video.to_string(),
        face_verify_token: "x".to_owned(),
        device: String::new(),
    };
    assert_eq!(
        code(world.client().start_session(world.request(&worker, message)).await),
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn what_is_complete_is_not_started_again() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    phone.finish().await.unwrap();
    assert_eq!(code(start(&world, day, video).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_starts_one_session_with_one_token() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let face = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    let calls = (0..50).map(|_| start_under(&world, &worker, Some("k-1"), (day, video), &face));
    let answers = futures::future::join_all(calls).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().into_inner()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.facts::<TrainingStarted>().await.len(), 1);
    let started = |action: &&String| *action == "training_session.start";
    assert_eq!(world.audited().await.iter().filter(started).count(), 1);
    let session = answers[0].clone();
    let mut phone = Phone { world: &world, caller: worker, day, session, position: 0 };
    assert_eq!(phone.play().await.valid_watch_sec, 8);
}

#[tokio::test]
async fn what_is_kept_under_a_key_opens_nothing_and_is_for_the_same_body_alone() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let face = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    let of = (day, video);
    let session = start_under(&world, &worker, Some("k-1"), of, &face).await.unwrap().into_inner();
    let again = start_under(&world, &worker, Some("k-1"), of, &face).await.unwrap().into_inner();
    assert_eq!(again, session, "as if the answer had not been lost");
    let kept: Vec<Vec<u8>> = sqlx::query_scalar("SELECT answer FROM training.idempotency_keys")
        .fetch_all(&world.harness.database.admin())
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    let holds = |text: &str| kept[0].windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds(&session.session_id));
    assert!(!holds(&session.session_token) && !holds("signature") && !holds(&face));

    let again = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    let reused = start_under(&world, &worker, Some("k-1"), of, &again).await;
    assert_eq!(code(reused), ErrorCode::IdempotencyKeyReused);
    let without = start_under(&world, &worker, None, of, &face).await;
    assert_eq!(code(without), ErrorCode::FaceVerifyFailed);
}

#[tokio::test]
async fn a_key_gives_no_session_back_that_was_resumed_with_another_face_check() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let worker = world.harness.worker(world.worker, world.site);
    let face = face_token(&world, &worker, day, None).await.unwrap().into_inner();
    let of = (day, video);
    let first = start_under(&world, &worker, Some("k-1"), of, &face).await.unwrap().into_inner();
    world.wait(30 * 60);
    let mut resumed = Phone::start(&world, day, video).await;
    assert_eq!(resumed.session.session_id, first.session_id);
    let late = start_under(&world, &worker, Some("k-1"), of, &face).await;
    assert_eq!(code(late), ErrorCode::SessionTokenInvalid);
    assert_eq!(resumed.play().await.valid_watch_sec, 8);
}
