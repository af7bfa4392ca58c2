use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use types::{AccountId, AreaId, DailyTicketId, TimeWindow, VideoId, WorkerId};

use super::{AccessChange, DayEffect, Effects, MOST_LISTED, Standing, Standings};
use crate::domain::fixtures::{at, draft, published};
use crate::domain::{Amendment, Ticket, VideoRule};

/// Half past six of the 3rd at the site, the ticket's first day: an hour is left to train.
fn morning() -> DateTime<Utc> {
    at("2026-03-02T22:30:00Z")
}

/// Noon of that day: who has not finished is too late for it.
fn noon() -> DateTime<Utc> {
    at("2026-03-03T04:00:00Z")
}

fn ticket() -> Ticket {
    published(at("2026-03-02T12:00:00Z"))
}

fn amended(before: &Ticket, amendment: Amendment) -> Ticket {
    let mut after = before.clone();
    let amended = after.amend(amendment, noon(), "rain", DailyTicketId::new);
    assert!(amended.is_ok(), "{amended:?}");
    after
}

/// In the morning, when nobody has trained yet.
fn effects(before: &Ticket, after: &Ticket) -> Effects {
    Effects::of(before, after, &Standings::new(), morning())
}

fn completed(ticket: &Ticket, when: &str, in_time: bool) -> Standings {
    let standing = Standing { completed: Some((at(when), in_time)), ..Standing::default() };
    [((ticket.days[0].id, ticket.workers[0]), standing)].into()
}

/// Half an hour before the deadline.
fn watched(videos: &[VideoId]) -> BTreeMap<VideoId, Option<DateTime<Utc>>> {
    videos.iter().map(|video| (*video, Some(at("2026-03-02T23:00:00Z")))).collect()
}

#[test]
fn without_a_change_there_are_no_effects() {
    let ticket = ticket();
    assert_eq!(effects(&ticket, &ticket), Effects::default());
}

#[test]
fn an_added_worker_gains_every_area_on_each_day_they_can_still_train_for() {
    let before = ticket();
    let mut workers = before.workers.clone();
    workers.push(WorkerId::new());
    let areas = Some(before.areas.clone());
    let after =
        amended(&before, Amendment { workers: Some(workers), areas, ..Amendment::default() });
    let effects = effects(&before, &after);
    assert_eq!((effects.gains, effects.loses, effects.moved), (3, 0, 0));
    assert!(effects.access.iter().all(|effect| effect.worker == after.workers[1]));
    assert_eq!(effects.access[0].change, AccessChange::Gains { to: after.days[0].window });
    assert!(effects.days.is_empty() && effects.retraining.is_empty());
    // Until the very deadline, which is over by noon.
    let deadline = before.days[0].deadline_at;
    let gained = |now| Effects::of(&before, &after, &Standings::new(), now);
    assert_eq!(gained(deadline).gains, 3);
    let late = gained(deadline + TimeDelta::microseconds(1));
    assert_eq!((late.gains, late.access[0].date), (2, before.days[1].date));
    let standing = Standing {
        completed: Some((at("2026-03-02T23:00:00Z"), true)),
        watched: watched(&after.videos),
        ..Standing::default()
    };
    let trained = [((before.days[0].id, after.workers[1]), standing)].into();
    assert_eq!(Effects::of(&before, &after, &trained, noon()).gains, 3);
}

#[test]
fn a_changed_area_is_lost_and_another_gained() {
    let before = ticket();
    let areas = Some(vec![AreaId::new()]);
    let after = amended(&before, Amendment { areas, ..Amendment::default() });
    let effects = effects(&before, &after);
    assert_eq!((effects.gains, effects.loses, effects.moved), (3, 3, 0));
}

#[test]
fn a_moved_window_says_from_what_to_what() {
    let before = ticket();
    let window = Some(TimeWindow::parse("06:00", "22:00").unwrap());
    let after = amended(&before, Amendment { window, ..Amendment::default() });
    let effects = effects(&before, &after);
    assert_eq!((effects.gains, effects.loses, effects.moved), (0, 0, 3));
    let moved = AccessChange::Moved { from: before.days[0].window, to: after.days[0].window };
    assert_eq!(effects.access[0].change, moved);
    assert!(matches!(effects.days.as_slice(), [DayEffect::Moved { .. }, _, _]));
}

#[test]
fn a_window_that_ended_before_now_is_lost_today_only() {
    let before = ticket();
    let window = Some(TimeWindow::parse("06:00", "11:00").unwrap());
    let after = amended(&before, Amendment { window, ..Amendment::default() });
    let trained = completed(&before, "2026-03-02T23:00:00Z", true);
    let effects = Effects::of(&before, &after, &trained, noon());
    assert_eq!((effects.gains, effects.loses, effects.moved), (0, 1, 2));
}

#[test]
fn a_cancelled_ticket_takes_every_open_day_and_no_other() {
    let before = ticket();
    let second_morning = at("2026-03-03T22:30:00Z");
    let mut after = before.clone();
    assert!(after.cancel(AccountId::new(), second_morning, "rain").is_ok());
    let effects = Effects::of(&before, &after, &Standings::new(), second_morning);
    assert_eq!((effects.gains, effects.loses), (0, 2));
    let dates: Vec<_> = effects.access.iter().map(|effect| effect.date.to_string()).collect();
    assert_eq!(dates, ["2026-03-04", "2026-03-05"]);
}

#[test]
fn nobody_gains_or_loses_by_a_draft() {
    let before = draft();
    let areas = Some(vec![AreaId::new()]);
    let last_date = Some(before.last_date.succ_opt().unwrap());
    let after = amended(&before, Amendment { last_date, areas, ..Amendment::default() });
    let effects = effects(&before, &after);
    assert_eq!((effects.gains, effects.loses), (0, 0));
    assert!(matches!(effects.days.as_slice(), [DayEffect::Added { .. }]));
}

#[test]
fn an_added_video_is_to_be_watched_by_who_has_finished_and_shuts_them_out_meanwhile() {
    let before = ticket();
    let mut videos = before.videos.clone();
    videos.push(VideoId::new());
    let after = amended(&before, Amendment { videos: Some(videos), ..Amendment::default() });
    let standings = completed(&before, "2026-03-02T23:00:00Z", true);
    let effects = Effects::of(&before, &after, &standings, noon());
    assert_eq!(effects.retraining.len(), 1);
    assert_eq!(effects.missing, [after.videos[1]]);
    assert_eq!((effects.gains, effects.loses), (0, 1));
    // Who has not finished has nothing to do again.
    assert!(self::effects(&before, &after).retraining.is_empty());
}

#[test]
fn fewer_videos_are_never_to_be_watched_again() {
    let mut before = ticket();
    before.videos.push(VideoId::new());
    let videos = Some(vec![before.videos[0]]);
    let after = amended(&before, Amendment { videos, ..Amendment::default() });
    let standings = completed(&before, "2026-03-02T23:00:00Z", true);
    assert!(Effects::of(&before, &after, &standings, noon()).retraining.is_empty());
}

#[test]
fn fewer_videos_let_in_who_had_watched_the_rest_by_the_deadline() {
    let mut before = ticket();
    before.videos.push(VideoId::new());
    let [first, second] = [before.videos[0], before.videos[1]];
    let gained = |amendment: Amendment, times: [Option<&str>; 2]| {
        let watched = [first, second].into_iter().zip(times);
        let watched = watched.filter_map(|(video, time)| Some((video, Some(at(time?)))));
        let standing = Standing { watched: watched.collect(), ..Standing::default() };
        let standings = [((before.days[0].id, before.workers[0]), standing)].into();
        let effects = Effects::of(&before, &amended(&before, amendment), &standings, noon());
        (effects.gains, effects.loses)
    };
    let first_alone = || Amendment { videos: Some(vec![first]), ..Amendment::default() };
    let any = || Amendment { video_rule: Some(VideoRule::Any), ..Amendment::default() };
    let (early, late) = (Some("2026-03-02T23:00:00Z"), Some("2026-03-03T01:00:00Z"));
    assert_eq!(gained(first_alone(), [early, None]), (1, 0));
    assert_eq!(gained(any(), [early, None]), (1, 0));
    assert_eq!(gained(any(), [late, early]), (1, 0));
    assert_eq!(gained(first_alone(), [late, None]), (0, 0), "too late for it too");
    assert_eq!(gained(first_alone(), [None, early]), (0, 0), "that one is not asked for");
    // Who has watched all is let in before and after, told or not.
    assert_eq!(gained(first_alone(), [early, early]), (0, 0));
}

#[test]
fn a_video_that_comes_back_asks_nothing_of_who_watched_it_before_it_went() {
    let before = ticket();
    let [first, back] = [before.videos[0], VideoId::new()];
    let videos = Some(vec![first, back]);
    let after = amended(&before, Amendment { videos, ..Amendment::default() });
    let mut standings = completed(&before, "2026-03-02T23:00:00Z", true);
    for standing in standings.values_mut() {
        standing.watched = watched(&[first, back]);
    }
    let effects = Effects::of(&before, &after, &standings, noon());
    assert_eq!((effects.retraining.len(), effects.missing.len(), effects.loses), (0, 0, 0));
    // Somebody else watched the first only.
    let other = WorkerId::new();
    let standing =
        Standing { watched: watched(&[first]), ..standings.values().next().unwrap().clone() };
    standings.insert((before.days[0].id, other), standing);
    let both =
        |ticket: &Ticket| Ticket { workers: vec![before.workers[0], other], ..ticket.clone() };
    let effects = Effects::of(&both(&before), &both(&after), &standings, noon());
    assert_eq!((effects.retraining.len(), effects.loses), (1, 1));
    assert_eq!((effects.retraining[0].worker, effects.missing), (other, vec![back]));
}

#[test]
fn who_was_off_the_ticket_while_it_came_to_ask_for_more_has_that_to_watch() {
    let mut before = ticket();
    let mut standings = completed(&before, "2026-03-02T23:00:00Z", true);
    let (back, other) = (before.workers[0], WorkerId::new());
    before.workers = vec![other];
    before.videos.push(VideoId::new());
    let after = Ticket { workers: vec![other, back], ..before.clone() };
    for standing in standings.values_mut() {
        standing.watched = watched(&before.videos[..1]);
    }
    let effects = Effects::of(&before, &after, &standings, noon());
    assert_eq!(effects.missing, [before.videos[1]]);
    assert_eq!((effects.retraining.len(), effects.gains), (1, 2));
}

#[test]
fn who_was_let_in_by_hand_gains_again_what_they_lost_with_their_place() {
    let after = ticket();
    let before = Ticket { workers: vec![WorkerId::new()], ..after.clone() };
    let mut late = completed(&after, "2026-03-03T01:00:00Z", false);
    for standing in late.values_mut() {
        standing.watched = watched(&after.videos);
    }
    assert_eq!(Effects::of(&before, &after, &late, noon()).gains, 2);
    for standing in late.values_mut() {
        standing.released = true;
    }
    assert_eq!(Effects::of(&before, &after, &late, noon()).gains, 3);
}

#[test]
fn of_any_video_the_one_that_was_watched_counts() {
    let mut before = ticket();
    before.terms.video_rule = VideoRule::Any;
    before.videos.push(VideoId::new());
    let [one, two] = [before.videos[0], before.videos[1]];
    let mut standings = completed(&before, "2026-03-02T23:00:00Z", true);
    for standing in standings.values_mut() {
        standing.watched = watched(&[two]);
    }
    let missing = |videos: Vec<VideoId>, video_rule| {
        let amendment = Amendment { videos: Some(videos), video_rule, ..Amendment::default() };
        Effects::of(&before, &amended(&before, amendment), &standings, noon()).missing
    };
    assert_eq!(missing(vec![two], None), []);
    assert_eq!(missing(vec![one], None), [one]);
    assert_eq!(missing(vec![one, two], Some(VideoRule::All)), [one]);
}

#[test]
fn of_any_video_one_more_choice_asks_nothing_and_one_less_may() {
    let mut before = ticket();
    before.terms.video_rule = VideoRule::Any;
    before.videos.push(VideoId::new());
    let standings = completed(&before, "2026-03-02T23:00:00Z", true);
    let again = |videos: Vec<VideoId>, video_rule| {
        let amendment = Amendment { videos: Some(videos), video_rule, ..Amendment::default() };
        Effects::of(&before, &amended(&before, amendment), &standings, noon()).retraining.len()
    };
    let [one, two] = [before.videos[0], before.videos[1]];
    assert_eq!(again(vec![one, two, VideoId::new()], None), 0);
    assert_eq!(again(vec![one], None), 1);
    assert_eq!(again(vec![one, two], Some(VideoRule::All)), 1);
}

#[test]
fn a_later_deadline_lets_in_who_finished_late() {
    let before = ticket();
    let deadline = Some("10:00".parse().unwrap());
    let after = amended(&before, Amendment { deadline, ..Amendment::default() });
    let late = completed(&before, "2026-03-03T01:00:00Z", false);
    let gained = Effects::of(&before, &after, &late, noon());
    assert_eq!((gained.gains, gained.access[0].date), (1, before.days[0].date));
    let too_late = completed(&before, "2026-03-03T03:00:00Z", false);
    assert_eq!(Effects::of(&before, &after, &too_late, noon()).gains, 0);
}

#[test]
fn an_earlier_deadline_takes_nothing_from_who_was_in_time() {
    let before = ticket();
    let deadline = Some("06:00".parse().unwrap());
    let after = amended(&before, Amendment { deadline, ..Amendment::default() });
    let in_time = completed(&before, "2026-03-02T23:00:00Z", true);
    let effects = Effects::of(&before, &after, &in_time, noon());
    assert_eq!((effects.gains, effects.loses, effects.moved), (0, 0, 0));
}

#[test]
fn a_deadline_moved_past_now_is_lost_by_who_has_not_finished_and_one_moved_behind_it_gained() {
    let before = ticket();
    let by = |time: &str| {
        let deadline = Some(time.parse().unwrap());
        amended(&before, Amendment { deadline, ..Amendment::default() })
    };
    let lost = effects(&before, &by("06:15"));
    assert_eq!((lost.gains, lost.loses, lost.access[0].date), (0, 1, before.days[0].date));
    let in_time = completed(&before, "2026-03-02T22:20:00Z", true);
    assert_eq!(Effects::of(&before, &by("06:15"), &in_time, morning()).loses, 0);
    let gained = Effects::of(&before, &by("12:30"), &Standings::new(), noon());
    assert_eq!((gained.gains, gained.loses, gained.access[0].date), (1, 0, before.days[0].date));
}

#[test]
fn who_finished_late_and_was_let_in_loses_what_they_hold() {
    let before = ticket();
    let mut late = completed(&before, "2026-03-03T01:00:00Z", false);
    let mut after = before.clone();
    assert!(after.cancel(AccountId::new(), noon(), "rain").is_ok());
    assert_eq!(Effects::of(&before, &after, &late, noon()).loses, 2);
    for standing in late.values_mut() {
        standing.held = before.areas.iter().copied().collect();
    }
    assert_eq!(Effects::of(&before, &after, &late, noon()).loses, 3);
}

#[test]
fn more_than_can_be_listed_is_counted() {
    let mut before = ticket();
    before.workers = (0..2_000).map(|_| WorkerId::new()).collect();
    let mut after = before.clone();
    assert!(after.cancel(AccountId::new(), morning(), "rain").is_ok());
    let effects = effects(&before, &after);
    assert_eq!((effects.loses, effects.access.len()), (6_000, MOST_LISTED));
    assert_eq!(effects.left_off(), 1_000);
}

/// Which of three workers and areas are named, and until which hour.
fn variant() -> impl Strategy<Value = ([bool; 3], [bool; 3], u32)> {
    (any::<[bool; 3]>(), any::<[bool; 3]>(), 13..24_u32)
}

proptest! {
    /// The list is exactly the difference of who may pass where until when: applied to before it gives after.
    #[test]
    fn the_effects_are_the_difference(one in variant(), other in variant()) {
        let base = ticket();
        let workers: Vec<WorkerId> = (0..3).map(|_| WorkerId::new()).collect();
        let areas: Vec<AreaId> = (0..3).map(|_| AreaId::new()).collect();
        let named = |(named, fenced, hour): ([bool; 3], [bool; 3], u32)| {
            let mut ticket = base.clone();
            let pick = |of: [bool; 3], place: usize| of[place];
            ticket.workers = (0..3).filter(|i| pick(named, *i)).map(|i| workers[i]).collect();
            ticket.areas = (0..3).filter(|i| pick(fenced, *i)).map(|i| areas[i]).collect();
            ticket.terms.window = TimeWindow::parse("06:00", &format!("{hour}:00")).unwrap();
            let terms = ticket.terms;
            for day in &mut ticket.days {
                day.window = terms.window_on(day.date);
            }
            ticket
        };
        let may = |ticket: &Ticket| -> BTreeMap<_, _> {
            ticket.days.iter().flat_map(|day| {
                ticket.workers.iter().flat_map(move |worker| {
                    ticket.areas.iter().map(move |area| ((day.date, *worker, *area), day.window))
                })
            }).collect()
        };
        let (before, after) = (named(one), named(other));
        let effects = effects(&before, &after);
        let mut held = may(&before);
        for effect in &effects.access {
            let key = (effect.date, effect.worker, effect.area);
            match effect.change {
                AccessChange::Gains { to } => prop_assert!(held.insert(key, to).is_none()),
                AccessChange::Loses { from } => prop_assert_eq!(held.remove(&key), Some(from)),
                AccessChange::Moved { from, to } => {
                    prop_assert!(from != to);
                    prop_assert_eq!(held.insert(key, to), Some(from));
                }
            }
        }
        prop_assert_eq!(held, may(&after));
        let listed = u32::try_from(effects.access.len()).unwrap();
        prop_assert_eq!(effects.gains + effects.loses + effects.moved, listed);
    }
}
