//! Looking ahead.

use types::{Mend, ReasonCode};

use super::{facts, good_ticket, local};
use crate::{Controller, DailyTicket, Training, outlook};

#[test]
fn looking_ahead_names_who_is_untrained_and_can_still_train_in_time() {
    let untrained =
        DailyTicket { training: Training::default(), grant_proved: false, ..good_ticket(1) };
    let facts = facts(vec![untrained]);
    let evening_before = local(-4, 0);
    let decision = outlook(&facts, evening_before, local(8, 0));
    assert_eq!(decision.reason, Some(ReasonCode::TrainingIncomplete));
    assert_eq!(decision.failing[0].mend, Mend::FINISH_TRAINING);
    assert_eq!(
        outlook(&facts, local(7, 45), local(8, 0)).failing[0].mend,
        Mend::FINISH_TRAINING_LATE
    );
}

#[test]
fn looking_ahead_asks_what_the_door_holds_but_not_whether_it_works_just_now() {
    let mut trained = good_ticket(1);
    trained.training.completed_at = Some(local(-5, 0));
    let mut facts = facts(vec![trained]);
    facts.door.controller = Controller::Failed;
    assert!(outlook(&facts, local(-4, 0), local(6, 0)).allow);
    facts.tickets[0].grant_proved = false;
    assert_eq!(outlook(&facts, local(-4, 0), local(6, 0)).reason, Some(ReasonCode::SyncPending));
}

#[test]
fn looking_ahead_believes_no_training_from_the_future() {
    let facts = facts(vec![good_ticket(1)]);
    assert_eq!(
        outlook(&facts, local(6, 0), local(8, 0)).reason,
        Some(ReasonCode::TrainingIncomplete)
    );
    assert!(outlook(&facts, local(6, 30), local(8, 0)).allow);
}

#[test]
fn looking_ahead_sees_an_emergency_opening_that_lasts_till_then() {
    let mut facts = facts(Vec::new());
    facts.emergency_open_until = Some(local(9, 0));
    assert!(outlook(&facts, local(7, 0), local(8, 0)).allow);
    assert!(!outlook(&facts, local(7, 0), local(9, 0)).allow);
}
