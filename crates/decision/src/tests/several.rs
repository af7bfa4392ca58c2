//! Several daily tickets of one person.

use chrono::TimeDelta;
use types::{InstantWindow, ReasonCode};

use super::{
    ELSEWHERE, ask, enter, facts, good_ticket, local, night_ticket, reasons, span, ticket_id,
};
use crate::{DailyTicket, Detail, Training};

#[test]
fn of_several_tickets_the_one_that_fails_latest_answers() {
    let elsewhere = DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) };
    let untrained = DailyTicket { training: Training::default(), ..good_ticket(2) };
    let too_late = DailyTicket { window: span("06:00", "06:45"), ..good_ticket(3) };
    let decision = ask(&facts(vec![elsewhere.clone(), untrained.clone()]), local(7, 0));
    assert_eq!(
        (decision.reason, decision.because),
        (Some(ReasonCode::TrainingIncomplete), vec![ticket_id(2)])
    );
    let decision = ask(&facts(vec![too_late, elsewhere, untrained]), local(7, 0));
    assert_eq!(
        (decision.reason, decision.because),
        (Some(ReasonCode::OutOfTimeWindow), vec![ticket_id(3)])
    );
}

#[test]
fn of_two_tickets_that_fail_alike_the_one_with_less_to_mend_answers_then_the_one_that_opens_soonest()
 {
    let untrained = DailyTicket { training: Training::default(), ..good_ticket(1) };
    let untrained_and_late = DailyTicket {
        window: span("06:00", "06:45"),
        ..DailyTicket { id: ticket_id(2), ..untrained.clone() }
    };
    let decision = ask(&facts(vec![untrained_and_late, untrained]), local(7, 0));
    assert_eq!(reasons(&decision), [ReasonCode::TrainingIncomplete]);

    let over = DailyTicket { window: span("06:00", "06:45"), ..good_ticket(1) };
    let at_noon = DailyTicket { window: span("12:00", "13:00"), ..good_ticket(2) };
    let at_nine = DailyTicket { window: span("09:00", "13:00"), ..good_ticket(3) };
    let decision = ask(&facts(vec![over, at_noon, at_nine]), local(7, 0));
    assert_eq!(decision.detail, Detail::TooEarly { opens_at: local(9, 0) });
}

#[test]
fn one_ticket_s_area_does_not_join_another_s_training() {
    let trained_elsewhere = DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) };
    let untrained_here = DailyTicket { training: Training::default(), ..good_ticket(2) };
    assert!(!ask(&facts(vec![trained_elsewhere, untrained_here]), local(7, 0)).allow);
}

#[test]
fn several_tickets_that_allow_are_all_named_and_the_longest_counts() {
    let short = DailyTicket { window: span("06:00", "12:00"), ..good_ticket(2) };
    let decision = enter(&facts(vec![short.clone(), good_ticket(1)]), local(7, 0));
    assert_eq!(
        (decision.until, decision.because),
        (Some(local(20, 0)), vec![ticket_id(1), ticket_id(2)])
    );

    let unproved = DailyTicket { grant_proved: false, ..good_ticket(1) };
    let decision = enter(&facts(vec![short, unproved]), local(7, 0));
    assert_eq!((decision.until, decision.because), (Some(local(12, 0)), vec![ticket_id(2)]));
}

#[test]
fn last_night_s_shift_is_one_of_today_s_until_its_end() {
    let facts = facts(vec![night_ticket(1)]);
    assert!(ask(&facts, local(20, 0)).allow);
    assert!(ask(&facts, local(24 + 3, 0)).allow);
    assert_eq!(ask(&facts, local(24 + 6, 0)).reason, Some(ReasonCode::NotInTicket));
    assert_eq!(ask(&facts, local(19, 30)).detail, Detail::TooEarly { opens_at: local(20, 0) });
}

#[test]
fn last_night_s_shift_lets_in_beside_a_ticket_of_the_new_day_that_is_not_open_yet() {
    let next = |window: InstantWindow| InstantWindow {
        start: window.start + TimeDelta::days(1),
        end: window.end + TimeDelta::days(1),
    };
    let day = good_ticket(2);
    let tomorrow = DailyTicket {
        live: next(day.live),
        window: next(day.window),
        training: Training::default(),
        ..day
    };
    let decision = ask(&facts(vec![tomorrow, night_ticket(1)]), local(24 + 3, 0));
    assert_eq!((decision.allow, decision.because), (true, vec![ticket_id(1)]));
}
