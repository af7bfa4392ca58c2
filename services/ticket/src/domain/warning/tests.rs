use chrono::{DateTime, TimeDelta, Utc};
use types::TicketId;

use super::{Known, LastDay, Warning, staying_cancelled, warnings};
use crate::domain::fixtures::{at, date, published};
use crate::domain::{Amendment, Ticket, VideoRule};

/// The evening before the first day.
fn evening() -> DateTime<Utc> {
    at("2026-03-02T12:00:00Z")
}

fn ticket() -> Ticket {
    published(evening())
}

#[test]
fn what_is_not_known_warns_of_nothing() {
    assert!(warnings(&ticket(), &Known::default(), evening()).is_empty());
}

#[test]
fn who_is_not_bound_is_named() {
    let ticket = ticket();
    let worker = ticket.workers[0];
    let known = Known { unbound: [worker].into(), ..Known::default() };
    assert_eq!(warnings(&ticket, &known, evening()), [Warning::Unbound { worker }]);
}

#[test]
fn an_engagement_that_ends_before_the_last_day_is_told() {
    let ticket = ticket();
    let worker = ticket.workers[0];
    let told = |date, gone| {
        let last_days = [(worker, LastDay { date, gone })].into();
        warnings(&ticket, &Known { last_days, ..Known::default() }, evening())
    };
    let (day_before, last) = (date("2026-03-04"), date("2026-03-05"));
    let ends = |until| [Warning::EngagementEnds { worker, until }];
    assert_eq!(told(day_before, false), ends(day_before));
    assert_eq!(told(last, false), []);
    assert_eq!(told(last, true), ends(last), "whoever has left is missing on their last day too");
}

#[test]
fn videos_that_take_longer_than_there_is_are_told_of_their_day() {
    let ticket = ticket();
    let told = |seconds, now| {
        let durations = [(ticket.videos[0], seconds)].into();
        let known = Known { durations, ..Known::default() };
        warnings(&ticket, &known, now)
    };
    // From 00:05 to 07:30.
    let night = 7 * 3600 + 25 * 60;
    assert!(told(night, evening()).is_empty());
    assert_eq!(told(night + 1, evening()).len(), 3);
    let ten_to = at("2026-03-02T23:20:00Z");
    assert!(told(600, ten_to).is_empty());
    let (needed, left) = (TimeDelta::seconds(601), TimeDelta::seconds(600));
    let late = Warning::NoTime { date: date("2026-03-03"), needed, left };
    assert_eq!(told(601, ten_to), [late]);
}

#[test]
fn of_any_video_the_shortest_counts_and_of_all_the_sum() {
    let mut ticket = ticket();
    ticket.videos.push(types::VideoId::new());
    let durations = [(ticket.videos[0], 400), (ticket.videos[1], 300)].into();
    let known = Known { durations, ..Known::default() };
    let ten_to = at("2026-03-02T23:20:00Z");
    assert_eq!(warnings(&ticket, &known, ten_to).len(), 1);
    ticket.terms.video_rule = VideoRule::Any;
    assert!(warnings(&ticket, &known, ten_to).is_empty());
}

#[test]
fn a_day_on_which_everybody_has_trained_needs_no_time() {
    let ticket = ticket();
    let known = Known {
        durations: [(ticket.videos[0], 600)].into(),
        trained: [ticket.days[0].id].into(),
        ..Known::default()
    };
    assert!(warnings(&ticket, &known, at("2026-03-03T04:00:00Z")).is_empty());
}

#[test]
fn another_ticket_is_named_once_a_worker_and_day() {
    let ticket = ticket();
    let (worker, other) = (ticket.workers[0], Some(TicketId::new()));
    let day = date("2026-03-03");
    let known = Known { overlaps: vec![(worker, day, other); 2], ..Known::default() };
    let overlap = Warning::Overlap { worker, date: day, ticket: other };
    assert_eq!(warnings(&ticket, &known, evening()), [overlap]);
}

#[test]
fn what_is_over_warns_of_nothing() {
    let ticket = ticket();
    let known = Known { unbound: ticket.workers.iter().copied().collect(), ..Known::default() };
    assert!(warnings(&ticket, &known, at("2026-03-05T15:59:00Z")).is_empty());
}

#[test]
fn a_date_that_comes_back_cancelled_is_told_once() {
    let mut before = ticket();
    let to = |ticket: &mut Ticket, last: &str| {
        let last_date = Some(date(last));
        let amendment = Amendment { last_date, ..Amendment::default() };
        let amended = ticket.amend(amendment, evening(), "rain", types::DailyTicketId::new);
        assert!(amended.is_ok());
    };
    to(&mut before, "2026-03-04");
    let mut after = before.clone();
    to(&mut after, "2026-03-05");
    let stays = Warning::StaysCancelled { date: date("2026-03-05") };
    assert_eq!(staying_cancelled(&before, &after), [stays]);
    assert!(staying_cancelled(&after, &after).is_empty());
}
