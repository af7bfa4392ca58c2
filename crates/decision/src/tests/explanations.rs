use types::ReasonCode;

use super::{ELSEWHERE, facts, good_ticket, local, ticket_id};
use crate::{
    Controller, DailyTicket, Detail, Direction, DoorVerdict, Explanation, Facts, Person, Senses,
    Source, Training, explain,
};

/// The door refused, naming nothing.
fn silent(facts: &Facts, direction: Direction) -> Explanation {
    explain(facts, local(8, 0), DoorVerdict { direction, reported: None })
}

fn computed(facts: &Facts, direction: Direction) -> (ReasonCode, Detail) {
    let explanation = silent(facts, direction);
    assert_eq!(explanation.source, Source::Computed);
    assert!(!explanation.computed.allow);
    assert_eq!(explanation.computed.reason, Some(explanation.reason));
    (explanation.reason, explanation.computed.detail)
}

#[test]
fn a_known_code_the_door_gave_is_its_answer_and_ours_stands_beside_it() {
    let verdict =
        DoorVerdict { direction: Direction::In, reported: Some(ReasonCode::AreaNotAllowed) };
    let explanation = explain(&facts(Vec::new()), local(8, 0), verdict);
    assert_eq!(
        (explanation.reason, explanation.source),
        (ReasonCode::AreaNotAllowed, Source::Reported)
    );
    assert_eq!(explanation.computed.reason, Some(ReasonCode::NotInTicket));
}

#[test]
fn a_refusal_is_explained_by_the_first_rule_that_did_not_hold() {
    let untrained = DailyTicket { training: Training::default(), ..good_ticket(1) };
    let reason = computed(&facts(vec![untrained]), Direction::In).0;
    assert_eq!(reason, ReasonCode::TrainingIncomplete);
}

#[test]
fn a_refusal_of_who_may_pass_is_pending_when_the_door_was_not_proved_to_know() {
    let unproved = DailyTicket { grant_proved: false, ..good_ticket(1) };
    let explanation = computed(&facts(vec![unproved]), Direction::In);
    assert_eq!(explanation, (ReasonCode::SyncPending, Detail::DoorDoesNotKnow));
}

#[test]
fn a_refusal_of_who_may_pass_is_a_device_error_when_the_door_was_proved_to_know() {
    let unproved = DailyTicket { grant_proved: false, ..good_ticket(1) };
    let facts = facts(vec![unproved, good_ticket(2)]);
    assert_eq!(
        computed(&facts, Direction::In),
        (ReasonCode::DeviceError, Detail::DoorRefusedProvedGrant)
    );
    assert_eq!(silent(&facts, Direction::In).computed.because, [ticket_id(2)]);
}

#[test]
fn a_proved_grant_explains_nothing_when_a_rule_fails() {
    let elsewhere = DailyTicket { areas: vec![ELSEWHERE], ..good_ticket(1) };
    assert_eq!(computed(&facts(vec![elsewhere]), Direction::In).0, ReasonCode::AreaNotAllowed);
    let cancelled = DailyTicket { cancelled: true, ..good_ticket(1) };
    assert_eq!(computed(&facts(vec![cancelled]), Direction::In).0, ReasonCode::NotInTicket);
}

#[test]
fn a_failed_controller_explains_every_refusal() {
    let mut facts = facts(Vec::new());
    facts.door.controller = Controller::Failed;
    assert_eq!(
        computed(&facts, Direction::In),
        (ReasonCode::DeviceError, Detail::ControllerFailed)
    );
    assert_eq!(
        computed(&facts, Direction::Out),
        (ReasonCode::DeviceError, Detail::ControllerFailed)
    );
}

#[test]
fn a_door_that_refuses_is_at_work_so_not_knowing_of_it_explains_nothing() {
    let mut facts = facts(Vec::new());
    facts.door.controller = Controller::Unknown;
    assert_eq!(computed(&facts, Direction::In).0, ReasonCode::NotInTicket);
}

#[test]
fn a_door_that_keeps_someone_inside_is_at_fault() {
    let mut facts = facts(Vec::new());
    assert_eq!(
        computed(&facts, Direction::Out),
        (ReasonCode::DeviceError, Detail::DoorRefusedLeaving)
    );
    facts.door.senses = Senses::None;
    assert_eq!(computed(&facts, Direction::Out), (ReasonCode::NotInTicket, Detail::NoTicket));
}

#[test]
fn a_refusal_in_an_emergency_means_the_door_has_not_heard_of_it_unless_it_held_a_grant_anyway() {
    let mut facts = facts(Vec::new());
    facts.person = Person::UnknownFace;
    facts.emergency_open_until = Some(local(9, 0));
    assert_eq!(computed(&facts, Direction::In), (ReasonCode::SyncPending, Detail::DoorDoesNotKnow));

    let mut facts = super::facts(vec![good_ticket(1)]);
    facts.emergency_open_until = Some(local(9, 0));
    assert_eq!(
        computed(&facts, Direction::In),
        (ReasonCode::DeviceError, Detail::DoorRefusedProvedGrant)
    );
}
