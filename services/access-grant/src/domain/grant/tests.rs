use chrono::{DateTime, TimeDelta, Utc};
use types::{
    AccessGroupId, AreaId, ContractorId, DailyTicketId, FaceId, GrantId, InstantWindow, SiteId,
    SiteZone, TicketId, WorkerId,
};

use super::{Aim, Grant, RevokeReason, Sight, State, Step};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap() + TimeDelta::minutes(minute)
}

fn aim() -> Aim {
    Aim {
        window: InstantWindow { start: at(0), end: at(600) },
        zone: SiteZone::default(),
        face: FaceId::parse("face-1").ok(),
        group: AccessGroupId::parse("acg_01").ok(),
    }
}

fn grant() -> Grant {
    Grant {
        id: GrantId::new(),
        site: SiteId::new(),
        contractor: ContractorId::new(),
        ticket: TicketId::new(),
        day: DailyTicketId::new(),
        worker: WorkerId::new(),
        area: AreaId::new(),
        aim: aim(),
        revision: 1,
        state: State::Pending,
        created_at: at(0),
        sent_at: None,
        proved_at: None,
        attempts: 0,
        last_error: None,
        due_at: Some(at(0)),
        traceparent: None,
        version: 1,
    }
}

fn unknown() -> Sight {
    Sight::Unknown { error: "TIMEOUT".to_owned() }
}

fn missing() -> Sight {
    Sight::Missing { why: None }
}

#[test]
fn only_what_was_seen_is_synced() {
    let mut grant = grant();
    grant.sent(at(1));
    assert_eq!(grant.state, State::Pending);
    assert_eq!(grant.saw(Sight::Right, at(1)), Step::Synced);
    assert_eq!((grant.state, grant.proved_at, grant.due_at), (State::Synced, Some(at(1)), None));
    assert_eq!(grant.saw(Sight::Right, at(2)), Step::Nothing);
    assert_eq!(grant.proved_at, Some(at(2)));
}

#[test]
fn a_failure_is_told_once_and_retried_for_ever() {
    let mut grant = grant();
    assert_eq!(grant.saw(unknown(), at(0)), Step::Failed);
    assert_eq!(grant.due_at, Some(at(0) + TimeDelta::seconds(5)));
    assert_eq!(grant.saw(missing(), at(1)), Step::Nothing);
    assert_eq!((grant.attempts, grant.last_error.as_deref()), (2, Some("NOT_AT_DOOR")));
    for _ in 0..50 {
        grant.saw(unknown(), at(2));
    }
    assert_eq!(grant.due_at, Some(at(7)));
    assert_eq!(grant.saw(Sight::Right, at(8)), Step::Synced);
    assert_eq!((grant.attempts, grant.last_error), (0, None));
}

#[test]
fn a_silent_door_does_not_refute_what_it_was_seen_to_hold() {
    let mut grant = grant();
    grant.saw(Sight::Right, at(1));
    assert!(grant.resync(at(2)));
    assert_eq!(grant.saw(unknown(), at(2)), Step::Nothing);
    assert_eq!(grant.state, State::Synced);
    assert_eq!(grant.saw(missing(), at(3)), Step::Failed);
}

#[test]
fn a_resync_asked_for_again_before_the_push_changes_nothing() {
    let mut grant = grant();
    assert!(!grant.resync(at(1)), "its first push is still to come");
    grant.saw(missing(), at(1));
    assert!(grant.resync(at(2)));
    assert_eq!((grant.state, grant.due_at), (State::Pending, Some(at(2))));
    let queued = grant.clone();
    assert!(!grant.resync(at(3)));
    assert_eq!(grant, queued);
}

#[test]
fn a_revocation_ends_only_when_the_door_was_seen_without_it() {
    let mut grant = grant();
    grant.saw(Sight::Right, at(1));
    assert!(grant.revoke(RevokeReason::Cancelled, at(2)));
    assert!(!grant.revoke(RevokeReason::Expired, at(3)), "it stays as it ended");
    assert_eq!(grant.due_at, Some(at(2)));
    grant.saw(unknown(), at(3));
    grant.saw(Sight::Right, at(4));
    assert_eq!(grant.last_error.as_deref(), Some("STILL_AT_DOOR"));
    assert_eq!(grant.saw(missing(), at(5)), Step::Withdrawn);
    let ended =
        State::Revoked { reason: RevokeReason::Cancelled, at: at(2), proved_at: Some(at(5)) };
    assert_eq!((grant.state, grant.due_at), (ended, None));
}

#[test]
fn a_revoked_grant_that_is_back_at_the_door_is_removed_again() {
    let mut grant = grant();
    grant.revoke(RevokeReason::Expired, at(1));
    grant.saw(missing(), at(1));
    grant.saw(Sight::Different { why: None }, at(9));
    assert!(matches!(grant.state, State::Revoked { proved_at: None, .. }));
    assert!(grant.due_at.is_some());
}

#[test]
fn a_new_aim_has_to_be_proved_anew() {
    let mut grant = grant();
    grant.saw(Sight::Right, at(1));
    assert!(!grant.aim_at(aim(), at(2)));
    let longer = Aim { window: InstantWindow { start: at(0), end: at(700) }, ..aim() };
    assert!(grant.aim_at(longer, at(2)));
    assert_eq!((grant.state, grant.revision, grant.due_at), (State::Pending, 2, Some(at(2))));
}

#[test]
fn a_grant_without_a_face_or_a_group_waits() {
    let mut grant = grant();
    grant.aim_at(Aim { face: None, ..aim() }, at(1));
    assert_eq!((grant.due_at, grant.last_error.as_deref()), (None, Some("FACE_UNKNOWN")));
    grant.aim_at(Aim { group: None, ..aim() }, at(2));
    assert_eq!((grant.due_at, grant.last_error.as_deref()), (None, Some("AREA_UNKNOWN")));
    grant.revoke(RevokeReason::Removed, at(3));
    assert!(
        matches!(grant.state, State::Revoked { proved_at: Some(_), .. }),
        "no door was ever told"
    );
    assert!(grant.revive(aim(), at(4)));
    assert_eq!((grant.state, grant.due_at), (State::Pending, Some(at(4))));
}
