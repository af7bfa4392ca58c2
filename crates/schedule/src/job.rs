use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use chrono::TimeDelta;
use types::{InvalidTime, SiteZone};

use crate::run::Run;
use crate::slots::When;
use crate::times::{InvalidCron, Times};

/// What goes wrong in a run; it is logged and the slot tried again.
pub type RunError = Box<dyn Error + Send + Sync>;

type Work =
    dyn Fn(Run) -> Pin<Box<dyn Future<Output = Result<Outcome, RunError>> + Send>> + Send + Sync;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All was as it should be.
    Nothing,
    /// So many things were changed.
    Changed(u64),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing to do"),
            Self::Changed(count) => write!(f, "changed {count}"),
        }
    }
}

/// What becomes of slots that nobody ran in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// The latest is run and makes the earlier ones good.
    Once,
    /// Each is run, oldest first; of a very long pause the latest 100.
    Each,
}

/// Something to be done at certain times, or after certain events.
pub struct Job {
    name: &'static str,
    pub(crate) when: When,
    pub(crate) catch_up: CatchUp,
    pub(crate) work: Box<Work>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}

impl Job {
    /// Once in each `interval` of site time (at least a millisecond), counted from 1970; missed slots become one.
    /// The first run comes at once.
    pub fn every<F, W>(name: &'static str, interval: TimeDelta, work: W) -> Self
    where
        W: Fn(Run) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, RunError>> + Send + 'static,
    {
        let interval = interval.max(TimeDelta::milliseconds(1));
        Self::new(name, When::Every(interval), CatchUp::Once, work)
    }

    /// At the times of a cron line with seconds (`"0 30 5 * * *"`: 05:30 each day) in the zone, as [`Times`] reads
    /// it; each missed slot is made good. The first run makes the last slot before it good.
    pub fn cron<F, W>(
        name: &'static str,
        line: &str,
        zone: SiteZone,
        work: W,
    ) -> Result<Self, InvalidCron>
    where
        W: Fn(Run) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, RunError>> + Send + 'static,
    {
        Ok(Self::new(name, When::At(Times::cron(line, zone)?), CatchUp::Each, work))
    }

    /// Each local day at `HH:MM` in the zone (`24:00` is the next day's 00:00); otherwise as [`Self::cron`].
    pub fn daily<F, W>(
        name: &'static str,
        time: &str,
        zone: SiteZone,
        work: W,
    ) -> Result<Self, InvalidTime>
    where
        W: Fn(Run) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, RunError>> + Send + 'static,
    {
        Ok(Self::new(name, When::At(Times::daily(time, zone)?), CatchUp::Each, work))
    }

    /// Once for each slot that [`trigger`](crate::trigger()) asked for, oldest first. A failed one does not hold up
    /// those behind it.
    pub fn on_event<F, W>(name: &'static str, work: W) -> Self
    where
        W: Fn(Run) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, RunError>> + Send + 'static,
    {
        Self::new(name, When::Triggered, CatchUp::Each, work)
    }

    /// Chooses what becomes of missed slots; an event job's are each run, whatever is chosen.
    #[must_use]
    pub fn catching_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// `<service>.<what it does>`, unique in its service.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a run does what earlier slots left undone.
    pub(crate) fn makes_good(&self) -> bool {
        self.catch_up == CatchUp::Once && self.is_timed()
    }

    pub(crate) fn is_timed(&self) -> bool {
        !matches!(self.when, When::Triggered)
    }

    fn new<F, W>(name: &'static str, when: When, catch_up: CatchUp, work: W) -> Self
    where
        W: Fn(Run) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, RunError>> + Send + 'static,
    {
        Self { name, when, catch_up, work: Box::new(move |run| Box::pin(work(run))) }
    }
}
