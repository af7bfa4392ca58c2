//! Whom each day of a ticket names and what it asks them to watch. An amendment reaches days that are not over; those
//! that are keep what they had.

use std::collections::{BTreeMap, BTreeSet};

use types::{DailyTicketId, VideoId, WorkerId};

use super::daily_ticket::DailyTicket;
use super::terms::VideoRule;
use super::ticket::Ticket;

/// In the ticket's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub workers: Vec<WorkerId>,
    pub videos: Vec<VideoId>,
    pub video_rule: VideoRule,
}

impl Roster {
    /// What the ticket says now.
    pub fn of(ticket: &Ticket) -> Self {
        Self {
            workers: ticket.workers.clone(),
            videos: ticket.videos.clone(),
            video_rule: ticket.terms.video_rule,
        }
    }

    /// What days that are over go on saying once `before` became `after`, and which days. A day that the change itself
    /// ended never was what it says now.
    pub fn left_behind(before: &Ticket, after: &Ticket) -> Option<(Self, Vec<DailyTicketId>)> {
        let roster = Self::of(before);
        if roster == Self::of(after) {
            return None;
        }
        let over = |id: &DailyTicketId| after.day(*id).is_some_and(DailyTicket::is_over);
        let days: Vec<_> = before.days.iter().map(|day| day.id).filter(over).collect();
        (!days.is_empty()).then_some((roster, days))
    }
}

/// The rosters of all days of a ticket.
#[derive(Debug, Clone)]
pub struct Rosters {
    now: Named,
    past: Vec<Named>,
    /// Which of the past ones a day keeps; one that keeps none has what the ticket says now.
    kept: BTreeMap<DailyTicketId, usize>,
}

#[derive(Debug, Clone)]
struct Named {
    roster: Roster,
    workers: BTreeSet<WorkerId>,
}

impl From<Roster> for Named {
    fn from(roster: Roster) -> Self {
        Self { workers: roster.workers.iter().copied().collect(), roster }
    }
}

impl Rosters {
    /// `past`: what days keep that are over.
    pub fn new(ticket: &Ticket, past: Vec<(Roster, Vec<DailyTicketId>)>) -> Self {
        let mut rosters = Self {
            now: Named::from(Roster::of(ticket)),
            past: Vec::with_capacity(past.len()),
            kept: BTreeMap::new(),
        };
        for (roster, days) in past {
            let place = rosters.past.len();
            rosters.kept.extend(days.into_iter().map(|day| (day, place)));
            rosters.past.push(Named::from(roster));
        }
        rosters
    }

    pub fn on(&self, day: DailyTicketId) -> &Roster {
        &self.named(day).roster
    }

    pub fn names(&self, day: DailyTicketId, worker: WorkerId) -> bool {
        self.named(day).workers.contains(&worker)
    }

    /// Everybody who is on a day: the ticket's workers in its order, then those whom only days name that are over.
    pub fn everyone(&self) -> Vec<WorkerId> {
        let mut seen = BTreeSet::new();
        let all = std::iter::once(&self.now).chain(&self.past);
        let all = all.flat_map(|named| named.roster.workers.iter().copied());
        all.filter(|worker| seen.insert(*worker)).collect()
    }

    /// What is kept, each with the days that keep it.
    pub fn past(&self) -> Vec<(&Roster, Vec<DailyTicketId>)> {
        let days = |place| {
            let kept = self.kept.iter().filter(move |(_, kept)| **kept == place);
            kept.map(|(day, _)| *day).collect()
        };
        self.past.iter().enumerate().map(|(place, named)| (&named.roster, days(place))).collect()
    }

    fn named(&self, day: DailyTicketId) -> &Named {
        self.kept.get(&day).map_or(&self.now, |place| &self.past[*place])
    }
}

#[cfg(test)]
mod tests {
    use types::{DailyTicketId, WorkerId};

    use super::{Roster, Rosters};
    use crate::domain::fixtures::{at, published};
    use crate::domain::{Amended, Amendment, Expired, Started, Ticket};

    /// Amended at noon of its second day, the first having expired or not by the clock's own run.
    fn amended(amendment: Amendment, expired: bool) -> (Ticket, Ticket) {
        let mut before = published(at("2026-03-02T12:00:00Z"));
        if expired {
            let (day, end) = (before.days[0].id, before.days[0].expires_at);
            assert_eq!(before.start_day(day, end), Ok(Started::Now));
            assert_eq!(before.expire_day(day, end), Ok(Expired::Now));
        }
        let mut after = before.clone();
        let noon = at("2026-03-04T04:00:00Z");
        let amended = after.amend(amendment, noon, "rain", DailyTicketId::new);
        assert_eq!(amended, Ok(Amended::Now));
        (before, after)
    }

    fn swap() -> Amendment {
        Amendment { workers: Some(vec![WorkerId::new()]), ..Amendment::default() }
    }

    #[test]
    fn a_day_that_is_over_keeps_whom_it_named() {
        for expired in [true, false] {
            let (before, after) = amended(swap(), expired);
            let left = Roster::left_behind(&before, &after);
            assert_eq!(left, Some((Roster::of(&before), vec![before.days[0].id])));
        }
    }

    #[test]
    fn a_day_that_the_change_ends_never_named_who_came_with_it() {
        let last_date = Some("2026-03-04".parse().unwrap());
        let (before, after) = amended(Amendment { last_date, ..swap() }, true);
        let (_, days) = Roster::left_behind(&before, &after).unwrap();
        assert_eq!(days, [before.days[0].id, before.days[2].id]);
    }

    #[test]
    fn nothing_is_kept_where_nobody_comes_or_goes_or_no_day_is_over() {
        let remark = Some("注意防火".to_owned());
        let (before, after) = amended(Amendment { remark, ..Amendment::default() }, true);
        assert_eq!(Roster::left_behind(&before, &after), None);
        let before = published(at("2026-03-02T12:00:00Z"));
        let after = Ticket { workers: vec![WorkerId::new()], ..before.clone() };
        assert_eq!(Roster::left_behind(&before, &after), None);
    }

    #[test]
    fn each_day_names_its_own_and_all_of_them_everybody_once() {
        let (before, after) = amended(swap(), true);
        let [gone, came] = [before.workers[0], after.workers[0]];
        let rosters = Rosters::new(&after, vec![(Roster::of(&before), vec![before.days[0].id])]);
        let names = |day: usize| [gone, came].map(|id| rosters.names(after.days[day].id, id));
        assert_eq!((names(0), names(1)), ([true, false], [false, true]));
        assert_eq!(rosters.everyone(), [came, gone]);
        assert_eq!(rosters.past(), [(&Roster::of(&before), vec![before.days[0].id])]);
    }
}
