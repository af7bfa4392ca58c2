use chrono::{DateTime, TimeDelta, Utc};

/// A sample this far from the estimate replaces it: the clock was set.
const JUMP: TimeDelta = TimeDelta::seconds(5);

/// How far a controller's clock is ahead of ours, as its heartbeats let us estimate; negative when it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockError(TimeDelta);

impl ClockError {
    pub(crate) fn none() -> Self {
        Self(TimeDelta::zero())
    }

    pub(crate) fn from_milliseconds(milliseconds: i64) -> Self {
        Self(TimeDelta::try_milliseconds(milliseconds).unwrap_or(TimeDelta::zero()))
    }

    pub(crate) fn milliseconds(self) -> i64 {
        self.0.num_milliseconds()
    }

    /// Takes in what the controller's clock showed as ours showed `now`. An error below `tolerance` is the time the
    /// message took and counts as none; small changes are smoothed.
    pub(crate) fn observe(
        self,
        theirs: DateTime<Utc>,
        now: DateTime<Utc>,
        tolerance: TimeDelta,
    ) -> Self {
        let sample = theirs - now;
        if sample.abs() <= tolerance {
            return Self::none();
        }
        let change = sample - self.0;
        Self(if change.abs() > JUMP { sample } else { self.0 + change / 4 })
    }

    /// When it was by our clock as theirs showed `at`. Nothing happens after it was reported.
    pub(crate) fn correct(self, at: DateTime<Utc>, received: DateTime<Utc>) -> DateTime<Utc> {
        at.checked_sub_signed(self.0).unwrap_or(at).min(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

    fn noon() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn observe(error: ClockError, seconds: i64) -> ClockError {
        error.observe(noon() + TimeDelta::seconds(seconds), noon(), TOLERANCE)
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let ahead = observe(ClockError::none(), 300);
        assert_eq!(ahead.milliseconds(), 300_000);
        assert_eq!(observe(ahead, -300).milliseconds(), -300_000);
        assert_eq!(ClockError::from_milliseconds(ahead.milliseconds()), ahead);
    }

    #[test]
    fn what_a_message_takes_is_no_error_and_small_changes_are_smoothed() {
        assert_eq!(observe(ClockError::none(), -2), ClockError::none());
        let ahead = observe(ClockError::none(), 300);
        assert_eq!(observe(ahead, 304).milliseconds(), 301_000);
        assert_eq!(observe(ahead, 1), ClockError::none());
    }

    #[test]
    fn an_event_is_put_where_it_happened_and_never_after_it_was_reported() {
        let ahead = observe(ClockError::none(), 300);
        let received = noon() + TimeDelta::hours(3);
        assert_eq!(ahead.correct(noon(), received), noon() - TimeDelta::seconds(300));
        assert_eq!(ahead.correct(received + TimeDelta::days(400), received), received);
    }
}
