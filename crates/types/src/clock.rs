//! The two clocks. Site time may be set and sped up by the sandbox, system time never is.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// What a time has to be cut to so that it equals itself after PostgreSQL has kept it.
const MICROSECONDS: u16 = 6;

#[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
fn machine() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(MICROSECONDS)
}

/// Site time: dates, windows, deadlines, lifecycle. Clones share one clock.
///
/// Whole microseconds only. A clock that was set keeps its pace from a monotonic source, so the machine's clock may jump.
#[derive(Debug, Clone)]
pub struct SiteClock {
    state: Arc<RwLock<SiteState>>,
}

#[derive(Debug)]
struct SiteState {
    pace: Pace,
    revision: u64,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    Machine,
    Set { anchor: DateTime<Utc>, since: Instant, speed: f64 },
}

impl Pace {
    fn now(self) -> DateTime<Utc> {
        match self {
            Self::Machine => machine(),
            Self::Set { anchor, since, speed } => {
                let passed = Duration::try_from_secs_f64(since.elapsed().as_secs_f64() * speed)
                    .ok()
                    .and_then(|passed| TimeDelta::from_std(passed).ok())
                    .unwrap_or(TimeDelta::zero());
                anchor.checked_add_signed(passed).unwrap_or(anchor).trunc_subsecs(MICROSECONDS)
            }
        }
    }

    fn speed(self) -> f64 {
        match self {
            Self::Machine => 1.0,
            Self::Set { speed, .. } => speed,
        }
    }
}

impl SiteClock {
    /// The fastest pace a clock takes: a site's day in a bit under nine seconds.
    pub const MAX_SPEED: f64 = 10_000.0;

    /// The machine's own time at its own pace.
    pub fn system() -> Self {
        Self::with(Pace::Machine)
    }

    /// A clock that stands still until it is [set](Self::set) or [advanced](Self::advance).
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self::with(Pace::Set {
            anchor: at.trunc_subsecs(MICROSECONDS),
            since: Instant::now(),
            speed: 0.0,
        })
    }

    fn with(pace: Pace) -> Self {
        Self { state: Arc::new(RwLock::new(SiteState { pace, revision: 0 })) }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.pace().now()
    }

    /// Whether [`set`](Self::set) takes this speed as it is: finite, from 0 (stands still) to [`Self::MAX_SPEED`].
    pub fn allows_speed(speed: f64) -> bool {
        (0.0..=Self::MAX_SPEED).contains(&speed)
    }

    /// Sets the time and how many site seconds pass in a real one, for all clones. Never called in production.
    ///
    /// A speed outside [`Self::allows_speed`] is brought to the nearest one inside; what is not a number stands still.
    /// Each call moves [`revision`](Self::revision), also one that changes nothing.
    pub fn set(&self, now: DateTime<Utc>, speed: f64) {
        let speed = if speed.is_nan() { 0.0 } else { speed.clamp(0.0, Self::MAX_SPEED) };
        self.change(|_| Pace::Set {
            anchor: now.trunc_subsecs(MICROSECONDS),
            since: Instant::now(),
            speed,
        });
    }

    /// Moves the time by `by` at once (back, if negative); the pace stays.
    pub fn advance(&self, by: TimeDelta) {
        self.change(|pace| {
            let now = pace.now();
            Pace::Set {
                anchor: now.checked_add_signed(by).unwrap_or(now),
                since: Instant::now(),
                speed: pace.speed(),
            }
        });
    }

    /// Site seconds in a real second; 0 for a clock that stands still.
    pub fn speed(&self) -> f64 {
        self.pace().speed()
    }

    /// Moves each time the clock is set or advanced: who computed a wait before must compute it anew.
    pub fn revision(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).revision
    }

    /// How long a span of site time takes in reality at the present speed.
    ///
    /// [`Duration::MAX`] when the clock stands still (it only ends by a new [`revision`](Self::revision)), zero for a
    /// span that is negative.
    pub fn to_real(&self, site: TimeDelta) -> Duration {
        let Ok(site) = site.to_std() else { return Duration::ZERO };
        if site.is_zero() {
            return Duration::ZERO;
        }
        match self.pace() {
            Pace::Machine => site,
            Pace::Set { speed, .. } => {
                Duration::try_from_secs_f64(site.as_secs_f64() / speed).unwrap_or(Duration::MAX)
            }
        }
    }

    fn pace(&self) -> Pace {
        self.state.read().unwrap_or_else(PoisonError::into_inner).pace
    }

    fn change(&self, next: impl FnOnce(Pace) -> Pace) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.pace = next(state.pace);
        state.revision += 1;
    }
}

/// System time: tokens, nonces, leases, call deadlines. Clones share one clock; whole microseconds only.
#[derive(Debug, Clone)]
pub struct SystemClock {
    manual: Option<Arc<RwLock<DateTime<Utc>>>>,
}

impl SystemClock {
    /// The machine's own time.
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// A clock for tests: it stands still until it is [advanced](Self::advance).
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self { manual: Some(Arc::new(RwLock::new(at.trunc_subsecs(MICROSECONDS)))) }
    }

    pub fn now(&self) -> DateTime<Utc> {
        match &self.manual {
            None => machine(),
            Some(at) => *at.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock by `by` at once, for all clones.
    ///
    /// # Panics
    /// On a clock made by [`Self::system`]: real system time is nobody's to move.
    pub fn advance(&self, by: TimeDelta) {
        let manual = self.manual.as_ref().expect("only a manual system clock is advanced");
        let mut at = manual.write().unwrap_or_else(PoisonError::into_inner);
        *at = at.checked_add_signed(by).unwrap_or(*at);
    }
}

#[cfg(test)]
mod tests {
    use super::{SiteClock, SystemClock};
    use chrono::{DateTime, TimeDelta, Utc};
    use std::time::Duration;

    fn morning() -> DateTime<Utc> {
        "2026-03-02T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = SiteClock::manual(morning());
        let clone = clock.clone();
        assert_eq!(clone.now(), morning());
        clock.advance(TimeDelta::minutes(5));
        assert_eq!(clone.now(), morning() + TimeDelta::minutes(5));
        clock.advance(TimeDelta::minutes(-5));
        assert_eq!(clone.now(), morning());
    }

    #[test]
    fn each_change_moves_the_revision_and_reading_does_not() {
        let clock = SiteClock::manual(morning());
        assert_eq!((clock.revision(), clock.now(), clock.revision()), (0, morning(), 0));
        clock.set(morning(), 0.0);
        clock.advance(TimeDelta::zero());
        assert_eq!(clock.revision(), 2);
    }

    #[test]
    fn a_sped_up_clock_runs_ahead_of_the_machine() {
        let clock = SiteClock::system();
        clock.set(morning(), SiteClock::MAX_SPEED);
        // At 10,000 times the pace even a few hundred nanoseconds are milliseconds; it never runs back.
        let first = clock.now();
        let second = std::iter::repeat_with(|| clock.now()).find(|now| *now > first).unwrap();
        assert!(morning() <= first && first < second);
        assert!((clock.speed() - SiteClock::MAX_SPEED).abs() < f64::EPSILON);
    }

    #[test]
    fn advancing_a_running_clock_keeps_its_pace() {
        let clock = SiteClock::system();
        let before = clock.now();
        clock.advance(TimeDelta::hours(1));
        assert!(clock.now() >= before + TimeDelta::hours(1));
        assert!((clock.speed() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_speed_that_is_none_is_brought_to_one_that_is() {
        let clock = SiteClock::manual(morning());
        for (given, taken) in [
            (f64::NAN, 0.0),
            (-1.0, 0.0),
            (f64::NEG_INFINITY, 0.0),
            (f64::INFINITY, SiteClock::MAX_SPEED),
        ] {
            assert!(!SiteClock::allows_speed(given));
            clock.set(morning(), given);
            assert!((clock.speed() - taken).abs() < f64::EPSILON, "{given}");
        }
        assert!(SiteClock::allows_speed(0.0) && SiteClock::allows_speed(720.0));
    }

    #[test]
    fn site_spans_shrink_by_the_speed() {
        let clock = SiteClock::system();
        assert_eq!(clock.to_real(TimeDelta::minutes(1)), Duration::from_mins(1));
        clock.set(morning(), 120.0);
        assert_eq!(clock.to_real(TimeDelta::minutes(1)), Duration::from_millis(500));
        assert_eq!(clock.to_real(TimeDelta::minutes(-1)), Duration::ZERO);
    }

    #[test]
    fn a_wait_on_a_clock_that_stands_still_never_ends_unless_it_is_over_already() {
        let clock = SiteClock::manual(morning());
        assert_eq!(clock.to_real(TimeDelta::nanoseconds(1)), Duration::MAX);
        assert_eq!(clock.to_real(TimeDelta::zero()), Duration::ZERO);
    }

    #[test]
    fn times_are_cut_to_what_the_database_keeps() {
        let odd = morning() + TimeDelta::nanoseconds(1_234_567);
        let kept = morning() + TimeDelta::microseconds(1_234);
        assert_eq!(SiteClock::manual(odd).now(), kept);
        assert_eq!(SystemClock::manual(odd).now(), kept);
        assert_eq!(SiteClock::system().now().timestamp_subsec_nanos() % 1_000, 0);
        assert_eq!(SystemClock::system().now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn a_manual_system_clock_is_advanced_for_all_its_clones() {
        let clock = SystemClock::manual(morning());
        let clone = clock.clone();
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(clone.now(), morning() + TimeDelta::seconds(1));
    }

    #[test]
    fn the_system_s_clocks_agree() {
        let (site, system) = (SiteClock::system(), SystemClock::system());
        let before = system.now();
        let between = site.now();
        assert!(before <= between && between <= system.now());
    }
}
