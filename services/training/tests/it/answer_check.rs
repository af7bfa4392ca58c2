use futures::future::join_all;
use proto::training::v1::{AnswerCheckResponse, TrainingFailed};
use training::face::{Unavailable, Verdict};
use types::ErrorCode;

use crate::phone::{Answer, Phone, face_token};
use crate::world::{World, code, day, refused};

#[tokio::test]
async fn a_passed_check_lets_the_counting_go_on() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    let answer = phone.answer(&check).await.unwrap().into_inner();
    assert_eq!((answer.status.as_str(), answer.valid_watch_sec), ("IN_LEARNING", 10));
    assert_eq!(phone.play().await.valid_watch_sec, 20);
    assert_eq!(world.audited().await.last().unwrap(), "training_session.answer_check");
}

#[tokio::test]
async fn someone_elses_face_fails_the_session() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    world.verdict(Ok(Verdict::Failed));
    assert_eq!(code(phone.answer(&check).await), ErrorCode::FaceVerifyFailed);
    let failed = world.facts::<TrainingFailed>().await;
    assert_eq!(
        failed.iter().map(|fact| fact.reason.as_str()).collect::<Vec<_>>(),
        ["CHECK_FAILED"]
    );
    let refusal = refused(phone.finish().await);
    assert_eq!(
        (refusal.code, &refusal.data["reason"]),
        (ErrorCode::StateConflict, &"CHECK_FAILED".into())
    );
}

#[tokio::test]
async fn a_verification_broken_off_leaves_the_check_open() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    for verdict in [Verdict::Cancelled, Verdict::Pending] {
        world.verdict(Ok(verdict));
        assert_eq!(code(phone.answer(&check).await), ErrorCode::FaceVerifyFailed);
    }
    let token = face_token(&world, &phone.caller, day, Some(&check)).await.unwrap().into_inner();
    world.verdict(Err(Unavailable));
    assert_eq!(code(phone.answer_with(&check, &token).await), ErrorCode::UpstreamUnavailable);
    world.verdict(Ok(Verdict::Passed));
    assert!(phone.answer_with(&check, &token).await.is_ok());
}

#[tokio::test]
async fn a_start_token_or_a_used_one_answers_no_check() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let for_start = face_token(&world, &phone.caller, day, None).await.unwrap().into_inner();
    let check = phone.play_to_check().await;
    assert_eq!(code(phone.answer_with(&check, &for_start).await), ErrorCode::FaceVerifyFailed);
    let token = face_token(&world, &phone.caller, day, Some(&check)).await.unwrap().into_inner();
    phone.answer_with(&check, &token).await.unwrap();
    // The check is over; its token is good for nothing else.
    assert_eq!(code(phone.answer_with(&check, &token).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn a_check_drawn_anew_is_not_answered_by_the_old_ones_face() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let first = phone.play_to_check().await;
    let token = face_token(&world, &phone.caller, day, Some(&first)).await.unwrap().into_inner();
    world.wait(60);
    let second = phone.report("PLAYING", 40, 0).await.unwrap().into_inner().check.unwrap().check_id;
    assert_ne!(first, second);
    assert_eq!(code(phone.answer_with(&first, &token).await), ErrorCode::StateConflict);
    assert_eq!(code(phone.answer_with(&second, &token).await), ErrorCode::FaceVerifyFailed);
    assert!(phone.answer(&second).await.is_ok());
}

/// Each is told that the check is over, that the token is used or, where it counted, that the face is someone else's.
fn assert_all_refused(answers: Vec<Answer<AnswerCheckResponse>>) {
    for refused in answers.into_iter().map(code) {
        assert!(matches!(refused, ErrorCode::StateConflict | ErrorCode::FaceVerifyFailed));
    }
}

async fn answered(world: &World) -> usize {
    let answered = |action: &&String| *action == "training_session.answer_check";
    world.audited().await.iter().filter(answered).count()
}

#[tokio::test]
async fn fifty_answers_at_once_pass_a_check_once() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    let token = face_token(&world, &phone.caller, day, Some(&check)).await.unwrap().into_inner();
    let answers = join_all((0..50).map(|_| phone.answer_with(&check, &token))).await;
    let (passed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((passed.len(), answered(&world).await), (1, 1));
    assert_all_refused(refused);
    assert_eq!(phone.play().await.valid_watch_sec, 20);
}

#[tokio::test]
async fn fifty_answers_at_once_with_someone_elses_face_fail_the_session_once() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let check = phone.play_to_check().await;
    let token = face_token(&world, &phone.caller, day, Some(&check)).await.unwrap().into_inner();
    world.verdict(Ok(Verdict::Failed));
    assert_all_refused(join_all((0..50).map(|_| phone.answer_with(&check, &token))).await);
    assert_eq!((world.facts::<TrainingFailed>().await.len(), answered(&world).await), (1, 1));
}
