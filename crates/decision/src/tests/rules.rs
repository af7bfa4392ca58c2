use chrono::TimeDelta;
use types::{InstantWindow, Mend, ReasonCode, SiteId, SiteZone};

use super::{
    AREA, ELSEWHERE, SITE, ask, bound, date, enter, facts, good_ticket, local, reasons, span,
    ticket_id, unidentified, uuid,
};
use crate::{
    Controller, DailyTicket, Decision, Detail, Direction, DoorKnowledge, Facts, Identity, Person,
    Senses, Training, decide,
};

#[test]
fn a_worker_for_whom_everything_holds_may_enter_until_the_window_ends() {
    let decision = enter(&facts(vec![good_ticket(1)]), local(7, 0));
    assert_eq!(
        decision,
        Decision {
            allow: true,
            reason: None,
            detail: Detail::Well,
            failing: Vec::new(),
            until: Some(local(20, 0)),
            because: vec![ticket_id(1)],
        }
    );
}

#[test]
fn a_failed_controller_is_a_device_error() {
    let mut facts = facts(vec![good_ticket(1)]);
    facts.door.controller = Controller::Failed;
    let decision = enter(&facts, local(7, 0));
    assert_eq!(
        (decision.reason, decision.detail),
        (Some(ReasonCode::DeviceError), Detail::ControllerFailed)
    );
    assert_eq!(decision.failing[0].mend, Mend::USE_OTHER_DOOR);
}

#[test]
fn a_controller_nothing_is_known_of_lets_nobody_in() {
    let mut facts = facts(vec![good_ticket(1)]);
    facts.door.controller = Controller::Unknown;
    assert_eq!(ask(&facts, local(7, 0)).reason, Some(ReasonCode::DeviceError));
}

#[test]
fn an_unknown_face_is_in_no_ticket_even_if_tickets_are_told() {
    let mut facts = facts(vec![good_ticket(1)]);
    facts.person = Person::UnknownFace;
    let decision = ask(&facts, local(7, 0));
    assert_eq!(
        (decision.reason, decision.detail),
        (Some(ReasonCode::NotInTicket), Detail::UnknownFace)
    );
    assert_eq!(decision.failing[0].mend, Mend::REGISTER_FACE);
    assert_eq!(decision.because, []);
}

#[test]
fn a_worker_without_a_ticket_is_in_no_ticket_and_hears_of_the_missing_binding_too() {
    let mut facts = facts(Vec::new());
    assert_eq!(ask(&facts, local(7, 0)).detail, Detail::NoTicket);
    facts.person = unidentified();
    assert_eq!(
        reasons(&ask(&facts, local(7, 0))),
        [ReasonCode::NotInTicket, ReasonCode::IdentityNotBound]
    );
}

#[test]
fn a_cancelled_ticket_does_not_count() {
    let cancelled = DailyTicket { cancelled: true, ..good_ticket(1) };
    assert_eq!(ask(&facts(vec![cancelled]), local(7, 0)).reason, Some(ReasonCode::NotInTicket));
}

#[test]
fn a_ticket_of_another_site_does_not_count() {
    let foreign = DailyTicket { site: SiteId::from_uuid(uuid(99)), ..good_ticket(1) };
    assert_eq!(ask(&facts(vec![foreign]), local(7, 0)).reason, Some(ReasonCode::NotInTicket));
}

#[test]
fn a_ticket_of_another_day_does_not_count() {
    let facts = facts(vec![good_ticket(1)]);
    assert_eq!(ask(&facts, local(-1, 0)).reason, Some(ReasonCode::NotInTicket));
    assert_eq!(ask(&facts, local(0, 0)).reason, Some(ReasonCode::TrainingIncomplete));
    assert_eq!(ask(&facts, local(23, 58)).reason, Some(ReasonCode::OutOfTimeWindow));
    assert_eq!(ask(&facts, local(23, 59)).reason, Some(ReasonCode::NotInTicket));
    assert_eq!(ask(&facts, local(24 + 7, 0)).reason, Some(ReasonCode::NotInTicket));
}

#[test]
fn a_ticket_told_in_two_ways_does_not_count_and_one_told_twice_alike_counts_once() {
    let other_way = DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) };
    let decision = enter(&facts(vec![good_ticket(1), other_way]), local(7, 0));
    assert_eq!(decision.reason, Some(ReasonCode::NotInTicket));
    let decision = enter(&facts(vec![good_ticket(1), good_ticket(1)]), local(7, 0));
    assert_eq!(decision.because, [ticket_id(1)]);
}

#[test]
fn a_ticket_for_another_area_names_the_areas_it_is_for() {
    let elsewhere = DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) };
    let decision = ask(&facts(vec![elsewhere]), local(7, 0));
    assert_eq!(decision.reason, Some(ReasonCode::AreaNotAllowed));
    assert_eq!(decision.detail, Detail::OtherArea { allowed: vec![ELSEWHERE] });
    assert_eq!(decision.failing[0].mend, Mend::ISSUE_TICKET_FOR_AREA);
    assert_eq!(decision.because, [ticket_id(1)]);
}

#[test]
fn who_is_not_bound_is_refused_unless_identified_otherwise_today() {
    let mut facts = facts(vec![good_ticket(1)]);
    facts.person = unidentified();
    let decision = ask(&facts, local(7, 0));
    assert_eq!(
        (decision.reason, decision.detail),
        (Some(ReasonCode::IdentityNotBound), Detail::NotBound)
    );
    assert_eq!(decision.failing[0].mend, Mend::BIND);

    let Person::Worker { worker_id, .. } = bound() else { unreachable!() };
    facts.person = Person::Worker { worker_id, identity: Identity::ConfirmedToday };
    assert!(ask(&facts, local(7, 0)).allow);
}

fn trained(training: Training) -> Facts {
    facts(vec![DailyTicket { training, ..good_ticket(1) }])
}

#[test]
fn an_untrained_worker_is_sent_to_the_training() {
    let decision = ask(&trained(Training::default()), local(7, 0));
    assert_eq!(decision.reason, Some(ReasonCode::TrainingIncomplete));
    assert_eq!(decision.detail, Detail::NotTrained { deadline_at: local(7, 30) });
    assert_eq!(decision.failing[0].mend, Mend::FINISH_TRAINING);
}

#[test]
fn an_untrained_worker_after_the_deadline_is_told_that_training_alone_will_not_do() {
    let facts = trained(Training::default());
    assert_eq!(ask(&facts, local(7, 30)).failing[0].mend, Mend::FINISH_TRAINING);
    assert_eq!(ask(&facts, local(7, 31)).failing[0].mend, Mend::FINISH_TRAINING_LATE);
}

#[test]
fn training_at_the_deadline_is_in_time_and_after_it_is_not() {
    let at_deadline = Training { completed_at: Some(local(7, 30)), ..Training::default() };
    assert!(ask(&trained(at_deadline), local(8, 0)).allow);

    let completed_at = local(7, 30) + TimeDelta::microseconds(1);
    let late = Training { completed_at: Some(completed_at), ..Training::default() };
    let decision = ask(&trained(late), local(8, 0));
    assert_eq!(decision.reason, Some(ReasonCode::TrainingIncomplete));
    assert_eq!(decision.detail, Detail::FinishedLate { completed_at, deadline_at: local(7, 30) });
    assert_eq!(decision.failing[0].mend, Mend::RELEASE);
}

#[test]
fn a_release_lets_in_who_finished_late() {
    let released = Training { completed_at: Some(local(7, 45)), released: true, given: false };
    assert!(ask(&trained(released), local(8, 0)).allow);
}

#[test]
fn a_tightened_deadline_takes_nothing_back_that_was_given() {
    let given = Training { completed_at: Some(local(7, 15)), released: false, given: true };
    let mut facts = trained(given);
    facts.tickets[0].deadline_at = local(7, 0);
    assert!(ask(&facts, local(8, 0)).allow);
}

#[test]
fn a_release_or_a_gift_without_a_finished_training_is_a_contradiction_and_refuses() {
    let never = Training { completed_at: None, released: true, given: true };
    assert_eq!(ask(&trained(never), local(8, 0)).reason, Some(ReasonCode::TrainingIncomplete));
}

#[test]
fn a_training_completed_later_than_the_instant_asked_about_does_not_count_yet() {
    let facts = facts(vec![good_ticket(1)]);
    assert_eq!(ask(&facts, local(6, 29)).reason, Some(ReasonCode::TrainingIncomplete));
    assert!(ask(&facts, local(6, 30)).allow);
}

#[test]
fn the_window_opens_at_its_start_and_is_closed_at_its_end() {
    let mut facts = facts(vec![good_ticket(1)]);
    facts.tickets[0].training.completed_at = Some(local(5, 0));
    let instant = TimeDelta::microseconds(1);

    let early = ask(&facts, local(6, 0) - instant);
    assert_eq!(early.reason, Some(ReasonCode::OutOfTimeWindow));
    assert_eq!(early.detail, Detail::TooEarly { opens_at: local(6, 0) });
    assert_eq!(early.failing[0].mend, Mend::COME_IN_WINDOW);
    assert!(ask(&facts, local(6, 0)).allow);
    assert!(ask(&facts, local(20, 0) - instant).allow);
    let late = ask(&facts, local(20, 0));
    assert_eq!(late.detail, Detail::TooLate { closed_at: local(20, 0) });
    assert_eq!(late.failing[0].mend, Mend::EXTEND_WINDOW);
}

#[test]
fn an_empty_window_never_opens() {
    let never = InstantWindow { start: local(9, 0), end: local(8, 0) };
    let facts = facts(vec![DailyTicket { window: never, ..good_ticket(1) }]);
    for hour in 7..10 {
        assert_eq!(ask(&facts, local(hour, 0)).detail, Detail::TooLate { closed_at: local(8, 0) });
    }
}

#[test]
fn a_door_that_goes_by_what_it_holds_waits_for_proof_and_one_that_asks_does_not() {
    let facts = facts(vec![DailyTicket { grant_proved: false, ..good_ticket(1) }]);
    let decision = enter(&facts, local(7, 0));
    assert_eq!(
        (decision.reason, decision.detail),
        (Some(ReasonCode::SyncPending), Detail::DoorDoesNotKnow)
    );
    assert_eq!(decision.failing[0].mend, Mend::WAIT_FOR_SYNC);
    assert_eq!(decision.because, [ticket_id(1)]);
    assert!(ask(&facts, local(7, 0)).allow);
}

#[test]
fn all_that_fails_is_listed_in_the_order_of_the_codes_and_sync_only_when_all_else_is_well() {
    let mut facts = facts(vec![DailyTicket {
        areas: vec![ELSEWHERE],
        training: Training::default(),
        grant_proved: false,
        ..good_ticket(1)
    }]);
    facts.person = unidentified();
    facts.door.controller = Controller::Failed;
    let decision = enter(&facts, local(5, 0));
    assert_eq!(
        reasons(&decision),
        [
            ReasonCode::DeviceError,
            ReasonCode::AreaNotAllowed,
            ReasonCode::IdentityNotBound,
            ReasonCode::TrainingIncomplete,
            ReasonCode::OutOfTimeWindow,
        ]
    );
    assert_eq!(decision.reason, Some(ReasonCode::DeviceError));
}

#[test]
fn a_ticket_lives_from_the_start_of_its_date_to_2359_or_to_the_end_of_its_window() {
    let zone = SiteZone::default();
    let day = DailyTicket::live_span(date(), span("06:00", "20:00"), zone);
    assert_eq!((day.start, day.end), (local(0, 0), local(23, 59)));
    let night = DailyTicket::live_span(date(), span("20:00", "06:00"), zone);
    assert_eq!((night.start, night.end), (local(0, 0), local(30, 0)));
    let till_midnight = DailyTicket::live_span(date(), span("20:00", "24:00"), zone);
    assert_eq!(till_midnight.end, local(24, 0));
}

#[test]
fn leaving_is_allowed_to_everybody_even_by_a_failed_controller() {
    let mut facts = facts(Vec::new());
    facts.person = Person::UnknownFace;
    facts.door.controller = Controller::Failed;
    for senses in [Senses::Both, Senses::InOnly] {
        facts.door.senses = senses;
        let decision = decide(&facts, local(3, 0), Direction::Out, DoorKnowledge::Required);
        assert_eq!((decision.allow, decision.detail), (true, Detail::Leaving));
    }
}

#[test]
fn a_device_that_knows_no_direction_is_controlled_both_ways() {
    let mut facts = facts(Vec::new());
    facts.door.senses = Senses::None;
    let decision = decide(&facts, local(7, 0), Direction::Out, DoorKnowledge::Required);
    assert_eq!(decision.reason, Some(ReasonCode::NotInTicket));
    facts.tickets = vec![good_ticket(1)];
    assert!(decide(&facts, local(7, 0), Direction::Out, DoorKnowledge::Required).allow);
}

#[test]
fn an_emergency_opening_lets_everybody_pass_until_it_ends() {
    let mut facts = facts(Vec::new());
    facts.person = Person::UnknownFace;
    facts.door.senses = Senses::None;
    facts.emergency_open_until = Some(local(8, 0));
    let decision = enter(&facts, local(7, 59));
    assert_eq!((decision.allow, decision.detail), (true, Detail::EmergencyOpen));
    assert_eq!((decision.until, decision.because), (Some(local(8, 0)), Vec::new()));
    assert!(!enter(&facts, local(8, 0)).allow);
}

#[test]
fn a_decision_reads_back_as_it_was_written() {
    let facts = facts(vec![
        DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) },
        DailyTicket {
            areas: vec![AREA, ELSEWHERE],
            site: SITE,
            training: Training::default(),
            ..good_ticket(2)
        },
    ]);
    let decision = enter(&facts, local(21, 0));
    let written = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&written).unwrap(), decision);
    assert!(
        written.contains(r#""detail":{"kind":"not_trained","deadline_at":"2026-03-01T23:30:00Z"}"#),
        "{written}"
    );
    assert!(
        written.contains(r#""mend":{"who":"Worker","what":"finish_training_late"}"#),
        "{written}"
    );
    let written = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&written).unwrap(), facts);
}
