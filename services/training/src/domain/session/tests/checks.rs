use super::*;

#[test]
fn a_long_video_asks_again_and_again() {
    let mut phone = Phone::with_video(10 * MINUTE);
    for _ in 0..3 {
        phone.play_until(10 * MINUTE);
        phone.pass_check();
    }
    phone.play_until(10 * MINUTE);
    assert_eq!(phone.session.finish(phone.now), Ok(Finished::Now { at: phone.now }));
}

#[test]
fn a_blocked_check_stops_the_counting() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    for position in [20, 30, 40] {
        phone.wait(10);
        assert_eq!(phone.report(Event::Playing, position, None), Ok(Reported::Taken));
    }
    assert_eq!(phone.counted(), 8);
    assert_eq!(phone.session.finish(phone.now), Err(Refused::CheckRequired));
}

#[test]
fn a_report_held_back_counts_no_further_than_the_check() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(600);
    assert_eq!(phone.report(Event::Playing, 600, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 180);
    phone.pass_check();
    assert_eq!(phone.counted(), 192);
}

#[test]
fn an_ignored_check_fails_the_session() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    for _ in 0..6 {
        phone.wait(10);
        assert_eq!(phone.report(Event::Paused, 10, None), Ok(Reported::Taken));
    }
    phone.wait(10);
    assert_eq!(
        phone.report(Event::Paused, 10, None),
        Ok(Reported::Failed(Reason::CheckNotAnswered))
    );
    assert_eq!(
        phone.report(Event::Playing, 20, None),
        Err(Refused::Failed(Reason::CheckNotAnswered))
    );
    assert_eq!(phone.session.finish(phone.now), Err(Refused::Failed(Reason::CheckNotAnswered)));
}

#[test]
fn an_answer_that_comes_too_late_fails_the_session() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    let check = phone.check().unwrap();
    for _ in 0..2 {
        phone.wait(25);
        assert_eq!(phone.report(Event::Paused, 10, None), Ok(Reported::Taken));
    }
    phone.wait(11);
    let answered = phone.session.answer_check(check, Outcome::Passed, phone.now);
    assert_eq!(answered, Ok(Answered::Failed(Reason::CheckNotAnswered)));
}

#[test]
fn silence_stops_the_time_to_answer_and_draws_the_check_anew() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    let first = phone.check().unwrap();
    phone.wait(300);
    assert_eq!(phone.report(Event::Playing, 40, None), Ok(Reported::Taken));
    let second = phone.check().unwrap();
    assert_ne!(first, second);
    assert_eq!(phone.session.asked(), Some((second, phone.now + TimeDelta::seconds(60))));
    assert_eq!(phone.counted(), 8);
    assert_eq!(
        phone.session.answer_check(first, Outcome::Passed, phone.now),
        Err(Refused::NoSuchCheck)
    );
    phone.pass_check();
}

#[test]
fn a_phone_that_shows_the_camera_meanwhile_may_be_silent() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    phone.wait(90);
    phone.pass_check();
    assert_eq!(phone.counted(), 10);
    // Nothing was played while the camera was open.
    assert_eq!(phone.report(Event::Playing, 40, None), Ok(Reported::Taken));
    assert!(phone.counted() <= 12);
}

#[test]
fn a_foreign_face_fails_the_session() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    let check = phone.check().unwrap();
    let answered = phone.session.answer_check(check, Outcome::Failed, phone.now);
    assert_eq!(answered, Ok(Answered::Failed(Reason::CheckFailed)));
    assert_eq!(phone.session.checks.failed, 1);
    assert_eq!(
        phone.session.answer_check(check, Outcome::Passed, phone.now),
        Err(Refused::Failed(Reason::CheckFailed))
    );
}

#[test]
fn a_check_that_was_never_asked_cannot_be_answered() {
    let mut phone = Phone::with_video(40);
    phone.play_until(5);
    let answered = phone.session.answer_check(CheckId::new(), Outcome::Passed, phone.now);
    assert_eq!(answered, Err(Refused::NoSuchCheck));
    assert_eq!(phone.session.checks.passed, 0);
}

#[test]
fn a_check_is_not_escaped_by_expiring() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    phone.wait(30 * 60);
    assert!(phone.session.expire(phone.now));
    phone.session.resume(phone.now);
    assert_eq!(phone.session.finish(phone.now), Err(Refused::CheckRequired));
    phone.wait(10);
    assert_eq!(phone.report(Event::Playing, 20, None), Ok(Reported::Taken));
    assert!(phone.check().is_some());
    assert_eq!(phone.counted(), 8);
}
