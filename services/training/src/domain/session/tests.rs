mod checks;

use chrono::{DateTime, TimeDelta, Utc};
use types::{CheckId, DailyTicketId, SessionId, SiteId, VideoId, WorkerId};

use super::*;

const MINUTE: u32 = 60;

fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap()
}

/// A worker's phone and the clock beside it.
struct Phone {
    session: Session,
    now: DateTime<Utc>,
}

impl Phone {
    /// A video whose checks fall due as early as they can: of ten minutes at 180 and every 180 seconds.
    fn with_video(duration_sec: u32) -> Self {
        let start = Start {
            id: SessionId::new(),
            site: SiteId::new(),
            daily_ticket: DailyTicketId::new(),
            worker: WorkerId::new(),
            video: VideoId::new(),
            duration_sec,
            pacing: Pacing::default(),
        };
        Self {
            session: Session::start(start, &mut |range| *range.start(), morning()),
            now: morning(),
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn report(
        &mut self,
        event: Event,
        position_sec: u32,
        seq: Option<u64>,
    ) -> Result<Reported, Refused> {
        self.session.report(Report { position_sec, event, seq }, CheckId::new(), self.now)
    }

    /// Plays honestly, reporting every ten seconds, until `to` or until a check is open.
    fn play_until(&mut self, to: u32) {
        while self.session.position_sec < to && self.check().is_none() {
            let next = (self.session.position_sec + 10).min(to);
            self.wait(i64::from(next - self.session.position_sec));
            assert_eq!(self.report(Event::Playing, next, None), Ok(Reported::Taken));
        }
    }

    fn check(&self) -> Option<CheckId> {
        self.session.asked().map(|(id, _)| id)
    }

    fn pass_check(&mut self) {
        let check = self.check().unwrap();
        assert_eq!(
            self.session.answer_check(check, Outcome::Passed, self.now),
            Ok(Answered::Passed)
        );
    }

    fn counted(&self) -> u32 {
        self.session.watched.count()
    }
}

#[test]
fn an_honest_watching_completes_with_its_check_passed() {
    let mut phone = Phone::with_video(40);
    phone.play_until(40);
    assert_eq!((phone.counted(), phone.session.state.as_str()), (8, "WAITING_VERIFY"));
    phone.pass_check();
    // The two seconds between the moment and the report that met it count now.
    assert_eq!(phone.counted(), 10);
    phone.play_until(40);
    assert_eq!(phone.session.finish(phone.now), Ok(Finished::Now { at: phone.now }));
    assert_eq!((phone.session.checks.passed, phone.session.checks.failed), (1, 0));
}

#[test]
fn finishing_twice_says_the_same() {
    let mut phone = Phone::with_video(40);
    phone.play_until(40);
    phone.pass_check();
    phone.play_until(40);
    let at = phone.now;
    assert_eq!(phone.session.finish(at), Ok(Finished::Now { at }));
    phone.wait(3600);
    assert_eq!(phone.session.finish(phone.now), Ok(Finished::Already { at }));
}

#[test]
fn finishing_directly_is_refused() {
    let mut phone = Phone::with_video(40);
    phone.wait(3);
    assert_eq!(
        phone.session.finish(phone.now),
        Err(Refused::Incomplete { required_sec: 38, valid_sec: 0 })
    );
}

#[test]
fn a_replayed_report_changes_nothing() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(10);
    assert_eq!(phone.report(Event::Playing, 10, Some(1)), Ok(Reported::Taken));
    let before = phone.session.clone();
    phone.wait(10);
    for _ in 0..5 {
        assert_eq!(phone.report(Event::Playing, 10, Some(1)), Ok(Reported::Repeated));
    }
    assert_eq!(phone.session, before);
}

#[test]
fn a_replayed_report_without_a_number_gains_nothing() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.play_until(20);
    for _ in 0..50 {
        phone.wait(10);
        assert_eq!(phone.report(Event::Playing, 20, None), Ok(Reported::Taken));
    }
    assert_eq!(phone.counted(), 20);
}

#[test]
fn reordered_reports_gain_nothing() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(20);
    assert_eq!(phone.report(Event::Playing, 20, Some(2)), Ok(Reported::Taken));
    assert_eq!(phone.report(Event::Playing, 10, Some(1)), Ok(Reported::Repeated));
    assert_eq!((phone.counted(), phone.session.position_sec), (20, 20));
}

#[test]
fn invented_reports_count_no_faster_than_the_clock() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(10);
    assert_eq!(phone.report(Event::Playing, 599, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 12);
    assert_eq!(phone.report(Event::Ended, u32::MAX, None), Ok(Reported::Taken));
    assert_eq!((phone.counted(), phone.session.position_sec), (12, 600));
    assert!(matches!(phone.session.finish(phone.now), Err(Refused::Incomplete { .. })));
}

#[test]
fn sixteen_times_the_speed_does_not_complete() {
    let mut phone = Phone::with_video(10 * MINUTE);
    while phone.session.position_sec < 600 {
        phone.wait(10);
        let next = phone.session.position_sec + 160;
        assert_eq!(phone.report(Event::Playing, next, None), Ok(Reported::Taken));
    }
    assert!(phone.counted() <= 42, "{}", phone.counted());
    assert!(phone.session.skipped_sec > 500);
    assert!(matches!(phone.session.finish(phone.now), Err(Refused::Incomplete { .. })));
}

#[test]
fn many_small_reports_gain_no_more_jitter_than_one() {
    let mut phone = Phone::with_video(10 * MINUTE);
    for position in 1..=100 {
        phone.now += TimeDelta::milliseconds(100);
        assert_eq!(phone.report(Event::Playing, position, None), Ok(Reported::Taken));
    }
    assert!(phone.counted() <= 12, "{}", phone.counted());
}

#[test]
fn a_report_that_comes_late_loses_nothing_within_the_jitter() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(12);
    assert_eq!(phone.report(Event::Playing, 10, None), Ok(Reported::Taken));
    phone.wait(8);
    assert_eq!(phone.report(Event::Playing, 20, None), Ok(Reported::Taken));
    assert_eq!((phone.counted(), phone.session.skipped_sec), (20, 0));
}

#[test]
fn a_pause_saves_up_no_time() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.wait(10);
    assert_eq!(phone.report(Event::Paused, 0, None), Ok(Reported::Taken));
    for _ in 0..30 {
        phone.wait(10);
        assert_eq!(phone.report(Event::Paused, 0, None), Ok(Reported::Taken));
    }
    phone.wait(10);
    assert_eq!(phone.report(Event::Playing, 300, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 12);
}

#[test]
fn a_paused_player_that_moves_counts_nothing() {
    let mut phone = Phone::with_video(10 * MINUTE);
    for position in [10, 20, 30] {
        phone.wait(10);
        assert_eq!(phone.report(Event::Paused, position, None), Ok(Reported::Taken));
    }
    assert_eq!(phone.counted(), 0);
}

#[test]
fn what_was_played_until_a_pause_counts() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.play_until(10);
    phone.wait(5);
    assert_eq!(phone.report(Event::Paused, 15, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 15);
}

#[test]
fn jumping_to_the_end_does_not_count_and_is_recorded() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.play_until(10);
    phone.wait(1);
    assert_eq!(phone.report(Event::Seeked, 590, None), Ok(Reported::Taken));
    phone.wait(10);
    assert_eq!(phone.report(Event::Ended, 600, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 20);
    assert!(
        phone.session.seeks == 1 && phone.session.skipped_sec >= 570,
        "{}",
        phone.session.skipped_sec
    );
    assert!(matches!(phone.session.finish(phone.now), Err(Refused::Incomplete { .. })));
}

#[test]
fn seeks_of_five_percent_in_sum_are_let_pass_and_more_are_not() {
    for (skip, completes) in [(2, true), (3, false)] {
        let mut phone = Phone::with_video(40);
        phone.play_until(10);
        phone.pass_check();
        assert_eq!(phone.report(Event::Seeked, 10 + skip, None), Ok(Reported::Taken));
        phone.play_until(40);
        assert_eq!(phone.session.finish(phone.now).is_ok(), completes, "{skip}");
    }
}

#[test]
fn what_was_skipped_may_be_made_good() {
    let mut phone = Phone::with_video(40);
    phone.play_until(10);
    phone.pass_check();
    for (position, event) in [(30, Event::Seeked), (40, Event::Ended), (10, Event::Seeked)] {
        phone.wait(10);
        assert_eq!(phone.report(event, position, None), Ok(Reported::Taken));
    }
    phone.play_until(40);
    assert_eq!(phone.counted(), 40);
    assert!(phone.session.finish(phone.now).is_ok());
}

#[test]
fn watching_the_first_minute_ten_times_is_one_minute() {
    let mut phone = Phone::with_video(10 * MINUTE);
    for _ in 0..10 {
        phone.play_until(60);
        assert_eq!(phone.report(Event::Seeked, 0, None), Ok(Reported::Taken));
    }
    assert_eq!(phone.counted(), 60);
}

#[test]
fn all_seconds_without_the_end_are_not_enough() {
    let mut phone = Phone::with_video(10 * MINUTE);
    for _ in 0..3 {
        phone.play_until(10 * MINUTE);
        phone.pass_check();
    }
    phone.play_until(10 * MINUTE);
    assert_eq!(phone.report(Event::Seeked, 100, None), Ok(Reported::Taken));
    assert_eq!(
        phone.session.finish(phone.now),
        Err(Refused::Incomplete { required_sec: 570, valid_sec: 600 })
    );
}

#[test]
fn an_idle_session_expires_and_resumes_where_it_was() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.play_until(100);
    phone.wait(30 * 60);
    assert_eq!(phone.report(Event::Playing, 110, None), Err(Refused::Expired));
    assert!(phone.session.expire(phone.now));
    phone.session.resume(phone.now);
    assert_eq!((phone.session.position_sec, phone.counted()), (100, 100));
    phone.play_until(120);
    assert_eq!(phone.counted(), 120);
}

#[test]
fn a_replaced_session_takes_no_more() {
    let mut phone = Phone::with_video(40);
    phone.play_until(5);
    phone.session.end(Reason::Replaced, phone.now);
    assert_eq!(phone.report(Event::Playing, 6, None), Err(Refused::Failed(Reason::Replaced)));
    assert!(!phone.session.expire(phone.now + IDLE));
}

#[test]
fn a_session_that_ended_ends_only_once() {
    let mut phone = Phone::with_video(40);
    phone.session.end(Reason::DayClosed, phone.now);
    phone.session.end(Reason::Replaced, phone.now);
    assert_eq!(phone.session.state, State::Failed { reason: Reason::DayClosed, at: phone.now });
}

#[test]
fn a_clock_that_is_set_back_counts_nothing() {
    let mut phone = Phone::with_video(10 * MINUTE);
    phone.play_until(20);
    phone.wait(-3600);
    assert_eq!(phone.report(Event::Playing, 500, None), Ok(Reported::Taken));
    assert_eq!(phone.counted(), 22);
}

proptest::proptest! {
    /// Whatever a client invents, the clock and the checks bound what counts.
    #[test]
    fn no_sequence_of_reports_beats_the_clock_or_a_check(
        reports in proptest::collection::vec((0_i64..40, 0_usize..4, 0_u32..700, proptest::bool::ANY), 1..80),
    ) {
        let mut phone = Phone::with_video(10 * MINUTE);
        let events = [Event::Playing, Event::Paused, Event::Seeked, Event::Ended];
        for (seconds, event, position, answers) in reports {
            phone.wait(seconds);
            if phone.report(events[event], position, None) != Ok(Reported::Taken) {
                break;
            }
            if let (Some(check), true) = (phone.check(), answers) {
                proptest::prop_assert!(phone.session.answer_check(check, Outcome::Passed, phone.now).is_ok());
            }
            let elapsed = (phone.now - morning()).num_seconds();
            proptest::prop_assert!(i64::from(phone.counted()) <= elapsed + 2);
            let passed = phone.session.checks.passed;
            proptest::prop_assert!(phone.counted() <= 180 * (passed + 1) + 12);
        }
    }
}
