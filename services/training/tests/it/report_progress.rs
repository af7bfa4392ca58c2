use proto::directory::v1::SiteSettings;
use proto::training::v1::{ReportProgressRequest, TrainingFailed};
use types::{ErrorCode, WorkerId};

use crate::phone::Phone;
use crate::world::{World, code, day, refused};

#[tokio::test]
async fn a_report_answers_where_the_session_is() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    world.wait(5);
    let progress = phone.report("PLAYING", 5, 1).await.unwrap().into_inner();
    assert_eq!(
        (progress.valid_watch_sec, progress.required_sec, progress.status.as_str()),
        (5, 38, "IN_LEARNING")
    );
    assert!(progress.check.is_none());
}

#[tokio::test]
async fn a_replayed_report_answers_the_same_and_changes_nothing() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    world.wait(5);
    let first = phone.report("PLAYING", 5, 7).await.unwrap().into_inner();
    world.wait(2);
    for seq in [7, 3] {
        assert_eq!(phone.report("PLAYING", 7, seq).await.unwrap().into_inner(), first);
    }
    assert_eq!(phone.report("PLAYING", 7, 8).await.unwrap().into_inner().valid_watch_sec, 7);
}

#[tokio::test]
async fn reports_at_the_same_moment_lose_nothing_and_gain_nothing() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    world.wait(6);
    let reports = futures_of(&phone).await;
    assert!(reports.iter().any(|taken| *taken));
    assert_eq!(phone.report("PLAYING", 6, 0).await.unwrap().into_inner().valid_watch_sec, 6);
}

#[tokio::test]
async fn of_two_who_read_the_same_version_one_writes() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let session = Phone::start(&world, day, video).await.session.session_id.parse().unwrap();
    let scope = || service::Scope::Site(world.site);
    let mut tx = world.store.begin(scope()).await.unwrap();
    let read = training::store::sessions::get(&mut tx, session).await.unwrap().unwrap().session;
    training::store::sessions::save(&mut tx, &read).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.store.begin(scope()).await.unwrap();
    let second = training::store::sessions::save(&mut tx, &read).await;
    assert!(matches!(second, Err(training::store::Error::Conflict)));
}

/// Two reports of the same moment, sent together.
async fn futures_of(phone: &Phone<'_>) -> [bool; 2] {
    let (one, two) = tokio::join!(phone.report("PLAYING", 6, 1), phone.report("PLAYING", 6, 2));
    [one.is_ok(), two.is_ok()]
}

#[tokio::test]
async fn a_client_that_lies_about_the_duration_gains_nothing() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    world.wait(1);
    let message = ReportProgressRequest {
        session_id: phone.session.session_id.clone(),
        session_token: phone.session.session_token.clone(),
        current_sec: 1,
        duration_sec: 1,
        event: "ENDED".to_owned(),
        seq: 1,
    };
    let progress = world
        .client()
        .report_progress(world.request(&phone.caller, message))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((progress.valid_watch_sec, progress.required_sec), (1, 38));
    let refusal = refused(phone.finish().await);
    assert_eq!(refusal.code, ErrorCode::TrainingIncomplete);
    assert_eq!(
        (&refusal.data["required_sec"], &refusal.data["valid_watch_sec"]),
        (&38.into(), &1.into())
    );
}

#[tokio::test]
async fn a_wrong_token_and_another_workers_session_are_refused() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    let own = std::mem::replace(&mut phone.session.session_token, "invented".to_owned());
    assert_eq!(code(phone.report("PLAYING", 1, 0).await), ErrorCode::SessionTokenInvalid);
    phone.session.session_token = own;
    phone.caller = world.harness.worker(WorkerId::new(), world.site);
    assert_eq!(code(phone.report("PLAYING", 1, 0).await), ErrorCode::NotFound);
    assert_eq!(code(phone.finish().await), ErrorCode::NotFound);
}

#[tokio::test]
async fn an_ignored_check_fails_the_session_and_says_why() {
    let world = World::new().await;
    world.settings(1, SiteSettings { check_answer_seconds: 15, ..SiteSettings::default() }).await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.play_to_check().await;
    assert_eq!(code(phone.finish().await), ErrorCode::CheckRequired);
    assert_eq!(phone.play().await.status, "WAITING_VERIFY");
    assert_eq!(phone.play().await.status, "FAILED");
    let failed = world.facts::<TrainingFailed>().await;
    assert_eq!(
        failed.iter().map(|fact| fact.reason.as_str()).collect::<Vec<_>>(),
        ["CHECK_NOT_ANSWERED"]
    );
    let refusal = refused(phone.report("PLAYING", 40, 0).await);
    assert_eq!(
        (refusal.code, &refusal.data["reason"]),
        (ErrorCode::StateConflict, &"CHECK_NOT_ANSWERED".into())
    );
    // It may be started again, from nothing.
    assert_eq!(Phone::start(&world, day, video).await.session.resume_at_sec, 0);
}

#[tokio::test]
async fn a_report_after_the_day_ended_is_refused_even_before_the_fact_of_it() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    ticket.version += 1;
    ticket.daily_tickets[0].expires_at =
        Some(proto::timestamp(world.now() + chrono::TimeDelta::seconds(5)));
    world.amend(&ticket).await;
    world.wait(5);
    assert_eq!(code(phone.report("PLAYING", 5, 0).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn bad_fields_are_named_at_once() {
    let world = World::new().await;
    let worker = world.harness.worker(world.worker, world.site);
    let message =
        ReportProgressRequest { event: "DANCING".to_owned(), ..ReportProgressRequest::default() };
    let refusal = refused(world.client().report_progress(world.request(&worker, message)).await);
    let fields: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["session_id", "session_token", "event"]);
}
