//! What was measured, round by round, and what may be said of it.

use serde::Serialize;

/// Rounds that differ by more than this part of their median say nothing.
const MOST_SPREAD: f64 = 0.25;

/// The rounds of one thing measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) rounds: Vec<f64>,
    /// Whether its median is used, so that its rounds must agree.
    pub(crate) must_agree: bool,
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        median(&self.rounds)
    }

    pub(crate) fn min(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// What is no number agrees with nothing.
    fn agrees(&self) -> bool {
        let allowed = 0.0..=MOST_SPREAD;
        allowed.contains(&self.spread())
    }

    /// From the least to the greatest round, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.max() - self.min()) / self.median()
    }
}

/// The middle one, or the mean of the two in the middle; not a number when there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The value that `share` of all are at most (nearest rank); not a number when there is none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among the values at hand"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(crate) fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

/// A goal and what was reached.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) says: String,
    pub(crate) bound: Bound,
    pub(crate) value: f64,
    pub(crate) met: bool,
}

/// All that was measured for one metric.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    /// `P3`
    pub(crate) metric: &'static str,
    pub(crate) title: &'static str,
    pub(crate) series: Vec<Series>,
    pub(crate) goals: Vec<Goal>,
    /// What was missing or doubled, and where; anything here fails the run.
    pub(crate) lost: Vec<String>,
    /// How many were looked for.
    pub(crate) counted: u64,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
}

impl Figures {
    pub(crate) fn of(metric: &'static str, title: &'static str) -> Self {
        Self {
            metric,
            title,
            series: Vec::new(),
            goals: Vec::new(),
            lost: Vec::new(),
            counted: 0,
            settings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// One round of something whose median is used.
    pub(crate) fn push(&mut self, name: &'static str, unit: &'static str, value: f64) {
        self.add(name, unit, value, true);
    }

    /// One round of something that is only looked at, or whose worst round is what counts.
    pub(crate) fn show(&mut self, name: &'static str, unit: &'static str, value: f64) {
        self.add(name, unit, value, false);
    }

    fn add(&mut self, name: &'static str, unit: &'static str, value: f64, must_agree: bool) {
        say!("    {name}: {} {unit}", digits(value));
        if let Some(series) = self.series.iter_mut().find(|series| series.name == name) {
            series.rounds.push(value);
        } else {
            self.series.push(Series { name, unit, rounds: vec![value], must_agree });
        }
    }

    /// Counts `expected` things of which `found` were there once.
    pub(crate) fn count(&mut self, what: &str, expected: u64, found: u64) {
        self.counted += expected;
        if found != expected {
            self.lost.push(format!("{what}: {found} of {expected}"));
        }
    }

    /// Something happened twice.
    pub(crate) fn count_doubled(&mut self, what: &str, doubled: u64) {
        if doubled != 0 {
            self.lost.push(format!("{what}: {doubled} twice"));
        }
    }

    pub(crate) fn setting(&mut self, what: &str, how: impl Into<String>) {
        self.settings.push((what.to_owned(), how.into()));
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A goal on the median of the rounds' ratios: what a round had to its disadvantage, both sides had.
    pub(crate) fn ratio(&mut self, says: &str, ours: &str, other: &str, bound: Bound) {
        let ratios: Vec<f64> = self
            .rounds(ours)
            .iter()
            .zip(self.rounds(other))
            .map(|(ours, other)| ours / other)
            .collect();
        self.goal(says, median(&ratios), bound);
    }

    /// A goal on the worst round. Missed without one, and where one is no number.
    pub(crate) fn worst(&mut self, says: &str, name: &str, most: f64) {
        let worst = self.rounds(name).iter().copied().max_by(f64::total_cmp).unwrap_or(f64::NAN);
        self.goal(says, worst, Bound::AtMost(most));
    }

    fn goal(&mut self, says: &str, value: f64, bound: Bound) {
        self.goals.push(Goal { says: says.to_owned(), bound, value, met: bound.met(value) });
    }

    pub(crate) fn rounds(&self, name: &str) -> &[f64] {
        self.series.iter().find(|series| series.name == name).map_or(&[], |series| &series.rounds)
    }

    /// Series whose rounds do not agree: what they say is not sure.
    pub(crate) fn unstable(&self) -> Vec<String> {
        self.series
            .iter()
            .filter(|series| series.must_agree && !series.agrees())
            .map(|series| {
                format!(
                    "{} {}: the rounds spread by {:.0} % of their median, {:.0} % are allowed",
                    self.metric,
                    series.name,
                    series.spread() * 100.0,
                    MOST_SPREAD * 100.0
                )
            })
            .collect()
    }

    /// Why it may not be reported: what was lost or doubled.
    pub(crate) fn losses(&self) -> Vec<String> {
        self.lost.iter().map(|lost| format!("{} {lost}", self.metric)).collect()
    }
}

/// Three digits that count.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Figures, median, percentile};

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    fn with(rounds: &[f64]) -> Figures {
        let mut figures = Figures::of("P0", "a test");
        for round in rounds {
            figures.push("ours", "ev/s", *round);
        }
        figures
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!(close(median(&[9.0, 1.0, 5.0]), 5.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 9.0]), 3.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!(close(percentile(&values, 0.99), 99.0));
        assert!(close(percentile(&values, 0.5), 50.0));
        assert!(close(percentile(&values, 0.0), 1.0));
        assert!(close(percentile(&[7.0], 0.99), 7.0));
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn rounds_that_agree_are_reported() {
        assert!(with(&[100.0, 88.0, 112.0, 101.0, 99.0]).unstable().is_empty());
        assert!(with(&[100.0]).unstable().is_empty());
    }

    #[test]
    fn rounds_that_spread_more_than_a_quarter_of_the_median_are_refused_by_name() {
        let refused = with(&[100.0, 87.0, 113.0, 101.0, 99.0]).unstable();
        assert_eq!(
            refused,
            ["P0 ours: the rounds spread by 26 % of their median, 25 % are allowed"]
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(with(&[f64::NAN]).unstable().len(), 1);
        assert_eq!(with(&[0.0, 0.0]).unstable().len(), 1);
    }

    #[test]
    fn a_figure_that_is_bounded_by_its_worst_round_may_spread() {
        let mut figures = Figures::of("P0", "a test");
        for round in [1.0, 2.0, 30.0] {
            figures.show("p99", "ms", round);
        }
        figures.worst("p99 ≤ 20 ms", "p99", 20.0);
        assert!(figures.unstable().is_empty());
        assert!(!figures.goals[0].met);
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let mut figures = with(&[100.0, 60.0, 80.0]);
        for round in [100.0, 30.0, 80.0] {
            figures.push("limit", "ev/s", round);
        }
        figures.ratio("≥ 1.0 of the limit", "ours", "limit", Bound::AtLeast(1.0));
        figures.ratio("≥ 1.1 of the limit", "ours", "limit", Bound::AtLeast(1.1));
        assert!(figures.goals[0].met && close(figures.goals[0].value, 1.0));
        assert!(!figures.goals[1].met);
    }

    #[test]
    fn a_goal_without_rounds_is_missed() {
        let mut figures = with(&[]);
        figures.ratio("≥ 1.0 of the limit", "ours", "limit", Bound::AtLeast(1.0));
        figures.worst("p99 ≤ 20 ms", "p99", 20.0);
        for round in [1.0, f64::NAN, 2.0] {
            figures.show("p50", "ms", round);
        }
        figures.worst("p50 ≤ 3 ms", "p50", 3.0);
        assert_eq!(figures.goals.len(), 3);
        assert!(figures.goals.iter().all(|goal| !goal.met));
    }

    #[test]
    fn one_lost_or_doubled_thing_is_a_reason_to_refuse() {
        let mut figures = with(&[1.0]);
        figures.count("rows", 10, 10);
        figures.count_doubled("effects", 0);
        assert!(figures.losses().is_empty());
        figures.count("rows", 10, 9);
        figures.count_doubled("effects", 1);
        assert_eq!(figures.losses(), ["P0 rows: 9 of 10", "P0 effects: 1 twice"]);
    }
}
