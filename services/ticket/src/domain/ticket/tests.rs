use chrono::TimeDelta;
use types::{AccountId, DailyTicketId};

use super::{Cancelled, Expired, NotAllowed, Published, Started, Status, Ticket};
use crate::domain::DayStatus;
use crate::domain::fixtures::{at, draft, published, spanning, statuses};

use DayStatus::{Draft, InProgress};

#[test]
fn a_ticket_has_a_day_for_each_date_both_ends_included() {
    let ticket = draft();
    let dates: Vec<String> = ticket.days.iter().map(|day| day.date.to_string()).collect();
    assert_eq!(dates, ["2026-03-03", "2026-03-04", "2026-03-05"]);
    assert_eq!(statuses(&ticket), [Draft; 3]);
    assert_eq!(spanning("2026-02-28", "2026-03-01", "06:00", "20:00").days.len(), 2);
}

#[test]
fn publishing_makes_every_day_visible() {
    let ticket = published(at("2026-03-02T01:00:00Z"));
    assert_eq!(ticket.status(), Status::Active);
    assert_eq!(statuses(&ticket), [DayStatus::Published; 3]);
}

#[test]
fn a_day_that_has_begun_is_in_progress_at_once() {
    let ticket = published(at("2026-03-03T01:00:00Z"));
    assert_eq!(statuses(&ticket), [InProgress, DayStatus::Published, DayStatus::Published]);
}

#[test]
fn a_day_published_within_its_first_minutes_waits_for_its_start() {
    let ticket = published(at("2026-03-02T16:02:00Z"));
    assert_eq!(statuses(&ticket), [DayStatus::Published; 3]);
}

#[test]
fn a_late_publication_leaves_time_for_training_that_day_only() {
    let late = at("2026-03-03T03:00:00Z");
    let ticket = published(late);
    assert_eq!(ticket.days[0].deadline_at, late + TimeDelta::minutes(90));
    assert_eq!(ticket.days[1].deadline_at, at("2026-03-03T23:30:00Z"));
}

#[test]
fn a_draft_published_after_a_day_passed_shows_that_day_expired() {
    let ticket = published(at("2026-03-04T01:00:00Z"));
    assert_eq!(statuses(&ticket), [DayStatus::Expired, InProgress, DayStatus::Published]);
}

#[test]
fn a_draft_whose_days_are_all_over_is_not_published() {
    let mut ticket = draft();
    let late = at("2026-03-05T15:59:00Z");
    let refusal = NotAllowed::Over { to: Status::Active };
    assert_eq!(ticket.publish(AccountId::new(), late), Err(refusal));
    assert_eq!(statuses(&ticket), [Draft; 3]);
}

#[test]
fn a_draft_names_the_dates_that_are_over_meanwhile() {
    let mut ticket = draft();
    let passed = |ticket: &Ticket, now| -> Vec<String> {
        let problems = ticket.passed(at(now)).into_iter();
        problems.map(|it| format!("{}: {}", it.field, it.problem)).collect()
    };
    assert!(passed(&ticket, "2026-03-03T15:58:59Z").is_empty());
    let first = "start_date: 2026-03-03 is over at the site";
    assert_eq!(passed(&ticket, "2026-03-03T15:59:00Z"), [first]);
    let last = "end_date: 2026-03-05 is over at the site";
    assert_eq!(passed(&ticket, "2026-03-05T15:59:00Z"), [first, last]);
    // Of a day that was cancelled nothing was to come any more.
    let (day, now) = (ticket.days[0].id, at("2026-03-02T01:00:00Z"));
    assert_eq!(ticket.cancel_day(day, now, "holiday"), Ok(Cancelled::Now));
    assert!(passed(&ticket, "2026-03-04T01:00:00Z").is_empty());
}

#[test]
fn last_nights_shift_can_still_be_published() {
    let mut ticket = spanning("2026-03-03", "2026-03-03", "20:00", "06:00");
    let after_midnight = at("2026-03-03T18:00:00Z");
    assert!(ticket.passed(after_midnight).is_empty());
    assert!(ticket.publish(AccountId::new(), after_midnight).is_ok());
    assert_eq!(statuses(&ticket), [InProgress]);
}

#[test]
fn publishing_twice_changes_nothing() {
    let first = at("2026-03-02T01:00:00Z");
    let mut ticket = published(first);
    let before = ticket.clone();
    let again = ticket.publish(AccountId::new(), at("2026-03-02T02:00:00Z"));
    assert_eq!(again, Ok(Published::Already { at: first }));
    assert_eq!(ticket, before);
}

#[test]
fn a_cancelled_ticket_is_not_published() {
    let mut ticket = draft();
    let now = at("2026-03-02T01:00:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Ok(Cancelled::Now));
    let refusal = NotAllowed::Ticket { from: Status::Cancelled, to: Status::Active };
    assert_eq!(ticket.publish(AccountId::new(), now), Err(refusal));
}

#[test]
fn cancelling_ends_the_days_that_are_not_over() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let first = ticket.days[0].clone();
    assert_eq!(ticket.start_day(first.id, first.starts_at), Ok(Started::Now));
    assert_eq!(ticket.expire_day(first.id, first.expires_at), Ok(Expired::Now));
    let now = at("2026-03-04T01:00:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Ok(Cancelled::Now));
    assert_eq!(ticket.status(), Status::Cancelled);
    let ended = [DayStatus::Expired, DayStatus::Cancelled, DayStatus::Cancelled];
    assert_eq!(statuses(&ticket), ended);
    assert_eq!(ticket.cancellation().unwrap().reason, "rain");
    assert!(ticket.publication().is_some());
}

#[test]
fn cancelling_leaves_a_day_that_was_due_to_expire_expired() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let now = at("2026-03-03T16:30:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Ok(Cancelled::Now));
    let ended = [DayStatus::Expired, DayStatus::Cancelled, DayStatus::Cancelled];
    assert_eq!(statuses(&ticket), ended);
}

#[test]
fn cancelling_twice_keeps_the_first_reason() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let now = at("2026-03-02T02:00:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Ok(Cancelled::Now));
    let before = ticket.clone();
    let later = now + TimeDelta::hours(1);
    assert_eq!(ticket.cancel(AccountId::new(), later, "wind"), Ok(Cancelled::Already));
    assert_eq!(ticket, before);
}

#[test]
fn a_ticket_whose_days_are_all_over_is_not_cancelled() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let before = ticket.clone();
    let refusal = NotAllowed::Over { to: Status::Cancelled };
    let late = at("2026-03-05T16:00:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), late, "rain"), Err(refusal));
    assert_eq!(ticket, before);
}

#[test]
fn an_old_draft_can_be_cancelled() {
    let mut ticket = draft();
    let late = at("2026-04-01T00:00:00Z");
    assert_eq!(ticket.cancel(AccountId::new(), late, "never used"), Ok(Cancelled::Now));
    assert_eq!(statuses(&ticket), [DayStatus::Cancelled; 3]);
    assert_eq!(ticket.publication(), None);
}

#[test]
fn starting_a_day_twice_changes_nothing_more() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let day = ticket.days[1].clone();
    assert_eq!(ticket.start_day(day.id, day.starts_at), Ok(Started::Now));
    assert_eq!(ticket.start_day(day.id, day.expires_at), Ok(Started::Already));
    assert_eq!(statuses(&ticket), [DayStatus::Published, InProgress, DayStatus::Published]);
}

#[test]
fn expiring_a_day_twice_changes_nothing_more() {
    let mut ticket = published(at("2026-03-03T01:00:00Z"));
    let day = ticket.days[0].clone();
    assert_eq!(ticket.expire_day(day.id, day.expires_at), Ok(Expired::Now));
    assert_eq!(ticket.expire_day(day.id, at("2026-03-09T00:00:00Z")), Ok(Expired::Already));
    assert_eq!(ticket.day(day.id).unwrap().ended_at(), Some(day.expires_at));
}

#[test]
fn a_day_of_another_ticket_is_refused() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let now = at("2026-03-03T01:00:00Z");
    assert_eq!(ticket.start_day(DailyTicketId::new(), now), Err(NotAllowed::NoSuchDay));
    assert_eq!(ticket.expire_day(DailyTicketId::new(), now), Err(NotAllowed::NoSuchDay));
}

#[test]
fn a_day_of_a_cancelled_ticket_does_not_start() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    assert_eq!(
        ticket.cancel(AccountId::new(), at("2026-03-02T02:00:00Z"), "rain"),
        Ok(Cancelled::Now)
    );
    let day = ticket.days[0].clone();
    let refusal = NotAllowed::Day { from: DayStatus::Cancelled, to: InProgress };
    assert_eq!(ticket.start_day(day.id, day.starts_at), Err(refusal));
}

#[test]
fn one_cancelled_day_leaves_the_others_and_the_ticket() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let (day, now) = (ticket.days[1].id, at("2026-03-03T01:00:00Z"));
    assert_eq!(ticket.cancel_day(day, now, "rain"), Ok(Cancelled::Now));
    assert_eq!(ticket.status(), Status::Active);
    let after = [DayStatus::Published, DayStatus::Cancelled, DayStatus::Published];
    assert_eq!(statuses(&ticket), after);
    let before = ticket.clone();
    assert_eq!(ticket.cancel_day(day, now, "wind"), Ok(Cancelled::Already));
    assert_eq!(ticket, before);
    assert_eq!(ticket.cancel_day(DailyTicketId::new(), now, "x"), Err(NotAllowed::NoSuchDay));
}

#[test]
fn a_day_that_is_over_by_the_clock_is_not_cancelled() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let (day, late) = (ticket.days[0].id, at("2026-03-03T15:59:00Z"));
    let refusal = NotAllowed::Day { from: DayStatus::Expired, to: DayStatus::Cancelled };
    assert_eq!(ticket.cancel_day(day, late, "rain"), Err(refusal));
}

#[test]
fn a_ticket_whose_days_are_all_cancelled_is_over() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    let now = at("2026-03-02T02:00:00Z");
    for day in ticket.days.clone() {
        assert_eq!(ticket.cancel_day(day.id, now, "rain"), Ok(Cancelled::Now));
    }
    assert_eq!(ticket.status(), Status::Active);
    let refusal = NotAllowed::Over { to: Status::Cancelled };
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Err(refusal));
}

#[test]
fn a_day_cancelled_in_the_draft_is_not_published() {
    let mut ticket = draft();
    let now = at("2026-03-02T01:00:00Z");
    assert_eq!(ticket.cancel_day(ticket.days[1].id, now, "holiday"), Ok(Cancelled::Now));
    assert_eq!(ticket.publish(AccountId::new(), now), Ok(Published::Now { at: now }));
    let after = [DayStatus::Published, DayStatus::Cancelled, DayStatus::Published];
    assert_eq!(statuses(&ticket), after);
}

#[test]
fn peoples_edits_count_and_the_clocks_moves_do_not() {
    let mut ticket = published(at("2026-03-02T01:00:00Z"));
    assert_eq!(ticket.revision, 2);
    let day = ticket.days[0].clone();
    assert_eq!(ticket.start_day(day.id, day.starts_at), Ok(Started::Now));
    assert_eq!(ticket.expire_day(day.id, day.expires_at), Ok(Expired::Now));
    assert_eq!(ticket.revision, 2);
    let now = at("2026-03-04T01:00:00Z");
    assert_eq!(ticket.cancel_day(ticket.days[2].id, now, "rain"), Ok(Cancelled::Now));
    assert_eq!(ticket.cancel(AccountId::new(), now, "rain"), Ok(Cancelled::Now));
    assert_eq!(ticket.revision, 4);
}
