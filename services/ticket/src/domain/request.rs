//! What a request for a ticket has to be like. Each rule stands alone, so that one answer names every bad field.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use types::FieldProblem;

use super::terms::Terms;

/// Why a field of a request does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("before start_date")]
    EndBeforeStart,
    #[error("the ticket spans {days} days, the site allows {max}")]
    SpanTooLong { days: i64, max: u32 },
    #[error("before today ({today}) at the site")]
    InThePast { today: NaiveDate },
    #[error("the site's clocks skip the whole window on {date}")]
    WindowSkipped { date: NaiveDate },
    #[error("leaves out {date}, which is over")]
    LeavesOut { date: NaiveDate },
    #[error("{date} is over at the site")]
    Passed { date: NaiveDate },
    #[error("at least one is required")]
    NoneNamed,
    #[error("more than {max} named")]
    TooMany { max: usize },
    #[error("named twice")]
    NamedTwice,
}

impl Unfit {
    /// As a problem of `field`.
    pub fn of(&self, field: impl Into<String>) -> FieldProblem {
        FieldProblem::new(field, self.to_string())
    }
}

/// A list of a request: what could be read, each with its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// Names in the list, readable or not.
    pub named: usize,
    pub read: Vec<(usize, T)>,
}

impl<T: Copy + Ord> Listed<T> {
    /// A list that was read before.
    pub fn of(values: impl Iterator<Item = T>) -> Self {
        let read: Vec<(usize, T)> = values.enumerate().collect();
        Self { named: read.len(), read }
    }

    /// None at all, more than `max` (a ticket travels whole in each of its facts), and each that stood there before.
    pub fn problems(&self, field: &str, max: usize) -> Vec<FieldProblem> {
        if self.named == 0 {
            return vec![Unfit::NoneNamed.of(field)];
        }
        if self.named > max {
            return vec![Unfit::TooMany { max }.of(field)];
        }
        let mut seen = BTreeSet::new();
        let twice = self.read.iter().filter(|(_, value)| !seen.insert(*value));
        twice.map(|(place, _)| Unfit::NamedTwice.of(format!("{field}[{place}]"))).collect()
    }

    /// Each that is among `unknown`.
    pub fn unknown(&self, field: &str, unknown: &BTreeSet<T>) -> Vec<FieldProblem> {
        let places = self.read.iter().filter(|(_, value)| unknown.contains(value));
        places
            .map(|(place, _)| {
                FieldProblem::new(format!("{field}[{place}]"), "not known on this site")
            })
            .collect()
    }

    pub fn values(&self) -> Vec<T> {
        self.read.iter().map(|(_, value)| *value).collect()
    }
}

/// The dates' own order, their span, and that they do not lie in the past of the site. `None`: could not be read.
pub fn check_dates(
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    site: Option<(NaiveDate, u32)>,
) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if let (Some(first), Some((today, _))) = (first, site)
        && first < today
    {
        problems.push(Unfit::InThePast { today }.of("start_date"));
    }
    if let (Some(first), Some(last)) = (first, last) {
        let days = (last - first).num_days() + 1;
        match site {
            _ if days < 1 => problems.push(Unfit::EndBeforeStart.of("end_date")),
            Some((_, max)) if days > i64::from(max) => {
                problems.push(Unfit::SpanTooLong { days, max }.of("end_date"));
            }
            _ => {}
        }
    }
    problems
}

/// That each date has a window at all: one that lies in the hour the clocks skip has none.
pub fn check_windows(first: NaiveDate, last: NaiveDate, terms: &Terms) -> Vec<FieldProblem> {
    let dates = first.iter_days().take_while(|date| *date <= last);
    let skipped = dates.filter(|date| terms.window_on(*date).is_empty());
    skipped.map(|date| Unfit::WindowSkipped { date }.of("access_start_time")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Listed, check_dates, check_windows};
    use crate::domain::{Deadline, Leads, Terms, VideoRule};
    use chrono::{NaiveDate, NaiveTime};
    use types::{FieldProblem, SiteZone, TimeWindow};

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn names(problems: &[FieldProblem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.field.as_str()).collect()
    }

    fn today() -> (NaiveDate, u32) {
        (date("2026-03-02"), 31)
    }

    fn listed(values: &[u8]) -> Listed<u8> {
        Listed { named: values.len(), read: values.iter().copied().enumerate().collect() }
    }

    #[test]
    fn a_ticket_may_start_today_and_end_the_same_day() {
        assert!(
            check_dates(Some(date("2026-03-02")), Some(date("2026-03-02")), Some(today()))
                .is_empty()
        );
    }

    #[test]
    fn a_ticket_does_not_start_in_the_past() {
        let problems =
            check_dates(Some(date("2026-03-01")), Some(date("2026-03-02")), Some(today()));
        assert_eq!(
            problems,
            [FieldProblem::new("start_date", "before today (2026-03-02) at the site")]
        );
    }

    #[test]
    fn a_ticket_does_not_end_before_it_starts() {
        let problems =
            check_dates(Some(date("2026-03-05")), Some(date("2026-03-04")), Some(today()));
        assert_eq!(problems, [FieldProblem::new("end_date", "before start_date")]);
    }

    #[test]
    fn a_span_counts_both_ends_and_may_be_as_long_as_the_site_allows() {
        assert!(
            check_dates(Some(date("2026-03-02")), Some(date("2026-04-01")), Some(today()))
                .is_empty()
        );
        let problems =
            check_dates(Some(date("2026-03-02")), Some(date("2026-04-02")), Some(today()));
        assert_eq!(names(&problems), ["end_date"]);
        assert_eq!(problems[0].problem, "the ticket spans 32 days, the site allows 31");
    }

    #[test]
    fn both_dates_are_named_at_once() {
        let problems =
            check_dates(Some(date("2026-02-20")), Some(date("2026-02-10")), Some(today()));
        assert_eq!(names(&problems), ["start_date", "end_date"]);
    }

    #[test]
    fn what_could_not_be_read_is_not_judged() {
        assert!(check_dates(None, Some(date("2026-03-04")), Some(today())).is_empty());
        assert!(check_dates(Some(date("2026-03-04")), None, Some(today())).is_empty());
    }

    #[test]
    fn without_the_site_only_the_order_of_the_dates_is_judged() {
        assert!(check_dates(Some(date("2020-03-02")), Some(date("2026-03-02")), None).is_empty());
        let problems = check_dates(Some(date("2020-03-02")), Some(date("2020-03-01")), None);
        assert_eq!(names(&problems), ["end_date"]);
    }

    #[test]
    fn an_empty_list_is_named_once() {
        assert_eq!(names(&listed(&[]).problems("area_ids", 9)), ["area_ids"]);
        let unreadable = Listed::<u8> { named: 1, read: vec![] };
        assert!(unreadable.problems("area_ids", 9).is_empty());
    }

    #[test]
    fn a_list_that_is_too_long_is_named_once() {
        let problems = listed(&[1, 1, 2]).problems("worker_ids", 2);
        assert_eq!(problems, [FieldProblem::new("worker_ids", "more than 2 named")]);
    }

    #[test]
    fn each_double_is_named_by_its_place() {
        let problems = listed(&[4, 7, 4, 9, 7]).problems("worker_ids", 9);
        assert_eq!(names(&problems), ["worker_ids[2]", "worker_ids[4]"]);
    }

    #[test]
    fn a_place_counts_what_could_not_be_read() {
        let list = Listed { named: 4, read: vec![(0, 4), (3, 9)] };
        let problems = list.unknown("video_ids", &[9].into());
        assert_eq!(names(&problems), ["video_ids[3]"]);
    }

    #[test]
    fn a_window_the_clocks_skip_is_no_window() {
        let terms = Terms {
            zone: SiteZone::parse("Europe/Berlin").unwrap(),
            window: TimeWindow::parse("02:10", "02:50").unwrap(),
            deadline: Deadline::SiteDefault(NaiveTime::MIN),
            leads: Leads::default(),
            video_rule: VideoRule::All,
            publish_now: true,
            daily_reminder: true,
        };
        let (first, last) = (date("2026-03-27"), date("2026-03-31"));
        let problems = check_windows(first, last, &terms);
        assert_eq!(names(&problems), ["access_start_time"]);
        assert!(problems[0].problem.contains("2026-03-29"));
    }
}
