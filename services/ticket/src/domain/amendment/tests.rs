use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_assume, proptest};
use proptest::sample::select;
use types::{AreaId, DailyTicketId, FieldProblem, SiteZone, TimeWindow, VideoId, WorkerId};

use super::{Amended, Amendment};
use crate::domain::fixtures::{
    at, date, draft, in_zone, made_public, published, spanning, statuses,
};
use crate::domain::{DayState, DayStatus, NotAllowed, Ticket, VideoRule};

use DayStatus::{Cancelled, Expired, InProgress, Published};

fn amend(ticket: &mut Ticket, amendment: Amendment, now: DateTime<Utc>) {
    assert_eq!(ticket.amend(amendment, now, "rain", DailyTicketId::new), Ok(Amended::Now));
}

fn window(start: &str, end: &str) -> Amendment {
    let window = Some(TimeWindow::parse(start, end).unwrap());
    Amendment { window, ..Amendment::default() }
}

fn dates(first: Option<&str>, last: Option<&str>) -> Amendment {
    Amendment { first_date: first.map(date), last_date: last.map(date), ..Amendment::default() }
}

fn names(problems: &[FieldProblem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.field.as_str()).collect()
}

/// The evening of the 2nd at the site: nothing has begun.
fn evening() -> DateTime<Utc> {
    at("2026-03-02T12:00:00Z")
}

/// Noon of the 4th: the 3rd is over, the 4th runs.
fn second_noon() -> DateTime<Utc> {
    at("2026-03-04T04:00:00Z")
}

#[test]
fn an_amendment_reaches_the_days_that_are_not_over_and_no_others() {
    let mut ticket = published(evening());
    let before = ticket.clone();
    amend(&mut ticket, window("07:00", "21:00"), second_noon());
    assert_eq!(statuses(&ticket), [Expired, InProgress, Published]);
    assert_eq!(ticket.days[0].window, before.days[0].window);
    assert_eq!(ticket.days[1].window.end, at("2026-03-04T13:00:00Z"));
    assert_eq!(ticket.days[2].window.start, at("2026-03-04T23:00:00Z"));
    assert_eq!(ticket.revision, before.revision + 1);
}

#[test]
fn a_window_that_becomes_a_night_takes_deadline_and_end_with_it() {
    let mut ticket = published(evening());
    amend(&mut ticket, window("20:00", "06:00"), evening());
    assert_eq!(ticket.days[0].deadline_at, at("2026-03-03T11:30:00Z"));
    assert_eq!(ticket.days[0].expires_at, at("2026-03-03T22:00:00Z"));
}

#[test]
fn a_given_deadline_holds_on_every_day_that_is_not_over() {
    let mut ticket = published(evening());
    let deadline = Some("09:00".parse().unwrap());
    amend(&mut ticket, Amendment { deadline, ..Amendment::default() }, second_noon());
    assert_eq!(ticket.days[0].deadline_at, at("2026-03-02T23:30:00Z"));
    assert_eq!(ticket.days[1].deadline_at, at("2026-03-04T01:00:00Z"));
}

#[test]
fn a_day_that_was_published_late_keeps_the_time_that_left_for_training() {
    let late = at("2026-03-03T03:00:00Z");
    let mut ticket = published(late);
    amend(&mut ticket, window("06:00", "22:00"), late + TimeDelta::minutes(5));
    assert_eq!(ticket.days[0].deadline_at, late + TimeDelta::minutes(90));
}

#[test]
fn a_night_that_is_shortened_to_before_now_is_over() {
    let mut ticket = made_public(spanning("2026-03-03", "2026-03-04", "20:00", "06:00"), evening());
    let after_three = at("2026-03-03T19:30:00Z");
    amend(&mut ticket, window("20:00", "03:00"), after_three);
    assert_eq!(statuses(&ticket), [Expired, InProgress]);
}

#[test]
fn new_dates_become_days_that_are_published_at_once() {
    let mut ticket = published(evening());
    amend(&mut ticket, dates(Some("2026-03-02"), Some("2026-03-06")), evening());
    assert_eq!(statuses(&ticket), [InProgress, Published, Published, Published, Published]);
    // Today's leaves an hour and a half, as a late publication does.
    assert_eq!(ticket.days[0].deadline_at, evening() + TimeDelta::minutes(90));
}

#[test]
fn dates_that_are_left_out_are_cancelled_for_the_reason() {
    let mut ticket = published(evening());
    amend(&mut ticket, dates(None, Some("2026-03-04")), second_noon());
    assert_eq!(statuses(&ticket), [Expired, InProgress, Cancelled]);
    let DayState::Cancelled { reason, .. } = &ticket.days[2].state else { panic!("goes on") };
    assert_eq!(reason, "rain");
}

#[test]
fn a_cancelled_day_stays_cancelled_when_its_date_comes_back() {
    let mut ticket = published(evening());
    amend(&mut ticket, dates(None, Some("2026-03-04")), evening());
    amend(&mut ticket, dates(None, Some("2026-03-05")), evening());
    assert_eq!(statuses(&ticket), [Published, Published, Cancelled]);
}

#[test]
fn a_draft_s_days_come_and_go_with_its_dates() {
    let mut ticket = draft();
    let kept = ticket.days[1].id;
    amend(&mut ticket, dates(Some("2026-03-04"), Some("2026-03-04")), evening());
    assert_eq!(statuses(&ticket), [DayStatus::Draft]);
    assert_eq!(ticket.days[0].id, kept);
    amend(&mut ticket, dates(None, Some("2026-03-06")), evening());
    assert_eq!(statuses(&ticket), [DayStatus::Draft; 3]);
}

#[test]
fn what_the_ticket_says_already_changes_nothing() {
    let mut ticket = published(evening());
    let before = ticket.clone();
    let same = Amendment {
        title: Some(ticket.title.clone()),
        window: Some(ticket.terms.window),
        workers: Some(ticket.workers.clone()),
        ..dates(Some("2026-03-03"), None)
    };
    // The clock has moved on too: that is not for an amendment to say.
    let amended = ticket.amend(same, second_noon(), "rain", DailyTicketId::new);
    assert_eq!((amended, &ticket), (Ok(Amended::Nothing), &before));
}

#[test]
fn naming_the_deadline_that_is_shown_makes_it_no_deadline_of_the_ticket_s_own() {
    let late = at("2026-03-03T03:00:00Z");
    let night = made_public(spanning("2026-03-03", "2026-03-04", "20:00", "06:00"), evening());
    let mut given = published(evening());
    let nine = Amendment { deadline: Some("09:00".parse().unwrap()), ..Amendment::default() };
    amend(&mut given, nine, evening());
    for mut ticket in [published(late), night, given] {
        let before = ticket.clone();
        let deadline = Some(ticket.terms.deadline_time());
        let shown = Amendment { deadline, ..Amendment::default() };
        let amended = ticket.amend(shown, late, "rain", DailyTicketId::new);
        assert_eq!((amended, &ticket), (Ok(Amended::Nothing), &before));
    }
    // Beside a change it is none either: the night's goes where its window goes.
    let mut night = made_public(spanning("2026-03-03", "2026-03-04", "20:00", "06:00"), evening());
    let deadline = Some(night.terms.deadline_time());
    amend(&mut night, Amendment { deadline, ..window("22:00", "06:00") }, evening());
    assert_eq!(night.days[0].deadline_at, at("2026-03-03T13:30:00Z"));
}

#[test]
fn what_is_over_or_cancelled_is_not_amended() {
    let remark = || Amendment { remark: Some("x".to_owned()), ..Amendment::default() };
    let mut ticket = published(evening());
    let late = at("2026-03-05T15:59:00Z");
    let amended = ticket.amend(remark(), late, "rain", DailyTicketId::new);
    assert_eq!(amended, Err(NotAllowed::AmendOver));
    assert!(ticket.cancel(types::AccountId::new(), evening(), "rain").is_ok());
    let amended = ticket.amend(remark(), evening(), "rain", DailyTicketId::new);
    assert_eq!(amended, Err(NotAllowed::Amend { from: ticket.status() }));
}

#[test]
fn only_what_reaches_far_takes_more_than_amending() {
    let ticket = published(evening());
    let far = |amendment: Amendment| amendment.of(&ticket).reaching_far(&ticket);
    let mut more = ticket.workers.clone();
    more.push(WorkerId::new());
    let near = Amendment {
        remark: Some("x".to_owned()),
        deadline: Some("09:00".parse().unwrap()),
        workers: Some(more),
        ..window("07:00", "21:00")
    };
    assert!(far(near).is_empty());
    let everything = Amendment {
        title: Some("2#楼".to_owned()),
        video_rule: Some(VideoRule::Any),
        publish_now: Some(false),
        daily_reminder: Some(false),
        areas: Some(vec![AreaId::new()]),
        workers: Some(vec![WorkerId::new()]),
        videos: Some(vec![VideoId::new()]),
        ..dates(Some("2026-03-04"), Some("2026-03-09"))
    };
    let wanted = [
        "title",
        "video_rule",
        "publish_now",
        "daily_reminder",
        "start_date",
        "end_date",
        "area_ids",
        "worker_ids",
        "video_ids",
    ];
    assert_eq!(far(everything.clone()), wanted);
    let draft = draft();
    assert!(everything.of(&draft).reaching_far(&draft).is_empty());
}

#[test]
fn dates_fit_today_the_site_and_what_is_over() {
    let ticket = published(evening());
    let problems = |first, last, now| {
        let amendment: Amendment = dates(first, last);
        names(&amendment.of(&ticket).problems(&ticket, 31, now)).join(" ")
    };
    assert_eq!(problems(None, Some("2026-03-04"), second_noon()), "");
    assert_eq!(problems(Some("2026-03-01"), None, evening()), "start_date");
    assert_eq!(problems(Some("2026-03-06"), None, evening()), "end_date");
    assert_eq!(problems(None, Some("2026-04-03"), evening()), "end_date");
    // The 3rd is over, and stays on the ticket.
    assert_eq!(problems(Some("2026-03-04"), None, second_noon()), "start_date");
    assert_eq!(problems(None, Some("2026-03-03"), second_noon()), "end_date");
}

#[test]
fn a_night_that_still_runs_may_become_the_last() {
    let ticket = made_public(spanning("2026-03-03", "2026-03-05", "20:00", "06:00"), evening());
    let after_midnight = at("2026-03-03T18:00:00Z");
    let last = dates(None, Some("2026-03-03")).of(&ticket);
    assert!(last.problems(&ticket, 31, after_midnight).is_empty());
}

#[test]
fn a_window_the_clocks_skip_is_named_unless_its_day_is_over() {
    let zone = SiteZone::parse("Europe/Berlin").unwrap();
    let ticket = made_public(
        in_zone(zone, "2026-03-28", "2026-03-30", "06:00", "20:00"),
        at("2026-03-27T12:00:00Z"),
    );
    let skipped = window("02:10", "02:50").of(&ticket);
    let problems = skipped.problems(&ticket, 31, at("2026-03-27T12:00:00Z"));
    assert_eq!(names(&problems), ["access_start_time"]);
    assert!(skipped.problems(&ticket, 31, at("2026-03-30T00:00:00Z")).is_empty());
}

fn time() -> impl Strategy<Value = chrono::NaiveTime> {
    (0..24_u32, 0..60_u32).prop_map(|(hour, minute)| {
        chrono::NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of day")
    })
}

proptest! {
    /// Whatever the window, the deadline, the zone and the night the clocks change: an amended ticket's open days have
    /// the very instants a ticket made with these terms would have.
    #[test]
    fn amended_days_have_the_instants_of_a_ticket_made_so(
        zone in select(vec!["Asia/Shanghai", "Europe/Berlin", "Africa/Cairo", "America/New_York"]),
        first in select(vec!["2026-03-07", "2026-03-28", "2026-04-23", "2026-10-24", "2026-10-31"]),
        start in time(),
        end in time(),
        deadline in proptest::option::of(time()),
        night in any::<bool>(),
    ) {
        let zone = SiteZone::parse(zone).unwrap();
        let first = date(first);
        let last = first + TimeDelta::days(2);
        let (first, last) = (first.to_string(), last.to_string());
        let now = zone.at(date(&first) - TimeDelta::days(1), "12:00".parse().unwrap());
        let (from, until) = if night { ("22:00", "05:00") } else { ("06:00", "20:00") };
        let made = |from: &str, until: &str| in_zone(zone, &first, &last, from, until);
        let mut ticket = made_public(made(from, until), now);
        let window = TimeWindow { start, end };
        let amendment = Amendment { window: Some(window), deadline, ..Amendment::default() };
        prop_assume!(amendment.clone().of(&ticket).problems(&ticket, 31, now).is_empty());
        let amendment = amendment.of(&ticket);
        prop_assume!(!amendment.is_empty());
        let deadline = amendment.deadline;
        amend(&mut ticket, amendment, now);

        let mut wanted = made(&window.start_text(), &window.end_text());
        if let Some(time) = deadline {
            wanted.terms.deadline = crate::domain::Deadline::Given(time);
        }
        let wanted = made_public(wanted, now);
        prop_assert_eq!(ticket.days.len(), wanted.days.len());
        for (day, wanted) in ticket.days.iter().zip(&wanted.days) {
            prop_assert_eq!((day.window, day.deadline_at), (wanted.window, wanted.deadline_at));
            prop_assert_eq!((day.starts_at, day.expires_at), (wanted.starts_at, wanted.expires_at));
            prop_assert!(day.window.start < day.window.end && day.window.end <= day.expires_at);
        }
    }

    /// However dates are moved about, each date has one day, those of the range are all there, and none outside it is
    /// open.
    #[test]
    fn every_date_of_the_range_has_its_day(moves in proptest::collection::vec((0..5_i64, 0..6_i64), 1..5)) {
        let mut ticket = published(evening());
        for (from, length) in moves {
            let first = date("2026-03-02") + TimeDelta::days(from);
            let last = first + TimeDelta::days(length);
            let amendment = Amendment {
                first_date: Some(first),
                last_date: Some(last),
                ..Amendment::default()
            };
            prop_assume!(!ticket.is_over_at(evening()));
            let _amended = ticket.amend(amendment, evening(), "rain", DailyTicketId::new);
            let dates: Vec<NaiveDate> = ticket.days.iter().map(|day| day.date).collect();
            let mut sorted = dates.clone();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(&dates, &sorted);
            prop_assert!(first.iter_days().take_while(|day| *day <= last).all(|day| dates.contains(&day)));
            let open = ticket.days.iter().filter(|day| !day.is_over());
            prop_assert!(open.into_iter().all(|day| first <= day.date && day.date <= last));
        }
    }
}
