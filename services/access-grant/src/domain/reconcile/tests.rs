use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use types::{
    AccessGroupId, AreaId, ContractorId, DailyTicketId, FaceId, InstantWindow, SiteId, SiteZone,
    TicketId, WorkerId,
};

use super::{Change, DoorNames, Effect, reconcile};
use crate::domain::{Day, DayState, Grant, RevokeReason, State, Training};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap() + TimeDelta::minutes(minute)
}

fn day(worker: WorkerId, areas: &[AreaId]) -> Day {
    Day {
        id: DailyTicketId::new(),
        ticket: TicketId::new(),
        site: SiteId::new(),
        contractor: ContractorId::new(),
        zone: SiteZone::default(),
        state: DayState::Open,
        window: InstantWindow { start: at(0), end: at(600) },
        deadline_at: at(30),
        areas: areas.iter().copied().collect(),
        workers: BTreeSet::from([worker]),
    }
}

fn training(worker: WorkerId, minute: i64) -> Training {
    Training {
        worker,
        completed_at: at(minute),
        in_time: minute <= 30,
        released: false,
        reopened: false,
    }
}

fn names(worker: WorkerId, areas: &[AreaId]) -> DoorNames {
    let group = AccessGroupId::parse("acg_01").unwrap();
    DoorNames {
        faces: [(worker, FaceId::parse("face-1").unwrap())].into(),
        groups: areas.iter().map(|area| (*area, group.clone())).collect(),
    }
}

/// What is held after the changes.
fn apply(held: Vec<Grant>, changes: Vec<Change>) -> Vec<Grant> {
    let mut all: Vec<Grant> = held;
    for change in changes {
        all.retain(|grant| grant.id != change.grant.id);
        all.push(change.grant);
    }
    all
}

#[test]
fn each_area_gets_one_grant_and_running_again_changes_nothing() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new(), AreaId::new()]);
    let (day, names) = (day(worker, &areas), names(worker, &areas));
    let changes = reconcile(&day, &[training(worker, 10)], Vec::new(), &names, at(11));
    assert_eq!(
        changes.iter().map(|change| change.effect).collect::<Vec<_>>(),
        [Effect::Created; 2]
    );
    let held = apply(Vec::new(), changes);
    assert!(reconcile(&day, &[training(worker, 10)], held, &names, at(12)).is_empty());
}

#[test]
fn who_finished_late_gets_nothing_until_released_or_the_deadline_moves() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (mut day, names) = (day(worker, &areas), names(worker, &areas));
    let late = training(worker, 31);
    assert!(reconcile(&day, &[late], Vec::new(), &names, at(32)).is_empty());
    let released = Training { released: true, ..late };
    assert_eq!(reconcile(&day, &[released], Vec::new(), &names, at(32)).len(), 1);
    day.deadline_at = at(31);
    assert_eq!(reconcile(&day, &[late], Vec::new(), &names, at(32)).len(), 1);
}

#[test]
fn a_reopened_training_takes_back_what_it_gave_until_it_is_complete_again() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (day, names) = (day(worker, &areas), names(worker, &areas));
    let given = reconcile(&day, &[training(worker, 10)], Vec::new(), &names, at(11));
    let held = apply(Vec::new(), given);
    let reopened = Training { reopened: true, ..training(worker, 10) };
    let taken = reconcile(&day, &[reopened], held.clone(), &names, at(12));
    let State::Revoked { reason, .. } = taken[0].grant.state else { panic!("still held") };
    assert_eq!(reason, RevokeReason::TrainingReopened);
    let held = apply(held, taken);
    assert!(reconcile(&day, &[reopened], held.clone(), &names, at(13)).is_empty());
    let back = reconcile(&day, &[training(worker, 20)], held, &names, at(20));
    assert!(back[0].grant.is_live());
}

#[test]
fn a_tightened_deadline_takes_nothing_back() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (mut day, names) = (day(worker, &areas), names(worker, &areas));
    let in_time = training(worker, 20);
    day.deadline_at = at(5);
    let held = apply(Vec::new(), reconcile(&day, &[in_time], Vec::new(), &names, at(21)));
    assert_eq!(held.len(), 1, "judged by the deadline of then");
    let widened_by_then = Training { in_time: false, ..in_time };
    assert!(reconcile(&day, &[widened_by_then], held, &names, at(22)).is_empty());
}

#[test]
fn every_way_off_the_day_has_its_reason() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (open, names) = (day(worker, &areas), names(worker, &areas));
    let trainings = [training(worker, 10)];
    let held = apply(Vec::new(), reconcile(&open, &trainings, Vec::new(), &names, at(11)));
    let cancelled = Day { state: DayState::Cancelled, ..open.clone() };
    let expired = Day { state: DayState::Expired, ..open.clone() };
    let removed = Day { workers: BTreeSet::new(), ..open.clone() };
    let moved = Day { areas: BTreeSet::new(), ..open.clone() };
    for (day, expected) in [
        (&cancelled, RevokeReason::Cancelled),
        (&expired, RevokeReason::Expired),
        (&removed, RevokeReason::Removed),
        (&moved, RevokeReason::AreaChanged),
    ] {
        let changes = reconcile(day, &trainings, held.clone(), &names, at(12));
        assert_eq!(changes.len(), 1);
        assert!(
            matches!(changes[0].grant.state, State::Revoked { reason, .. } if reason == expected)
        );
    }
    let back = apply(held.clone(), reconcile(&removed, &trainings, held, &names, at(12)));
    let changes = reconcile(&open, &trainings, back, &names, at(13));
    assert_eq!(
        (changes.len(), changes[0].effect),
        (1, Effect::Changed),
        "the same grant lives again"
    );
}

#[test]
fn a_face_or_a_group_that_comes_or_changes_goes_to_the_door() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (day, known) = (day(worker, &areas), names(worker, &areas));
    let trainings = [training(worker, 10)];
    let held =
        apply(Vec::new(), reconcile(&day, &trainings, Vec::new(), &DoorNames::default(), at(11)));
    assert_eq!(held[0].due_at, None);
    let held = apply(held.clone(), reconcile(&day, &trainings, held, &known, at(12)));
    assert_eq!(held[0].due_at, Some(at(12)));
    let mut moved = known.clone();
    moved.groups.insert(areas[0], AccessGroupId::parse("acg_02").unwrap());
    let changes = reconcile(&day, &trainings, held.clone(), &moved, at(13));
    assert_eq!(changes[0].left, AccessGroupId::parse("acg_01").ok());
    assert!(
        reconcile(&day, &trainings, held, &DoorNames::default(), at(13)).is_empty(),
        "what is forgotten stays"
    );
}

#[test]
fn a_window_that_is_over_opens_nothing_new() {
    let (worker, areas) = (WorkerId::new(), [AreaId::new()]);
    let (day, names) = (day(worker, &areas), names(worker, &areas));
    assert!(reconcile(&day, &[training(worker, 10)], Vec::new(), &names, at(600)).is_empty());
}
