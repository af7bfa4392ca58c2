//! What was asked of an installation while it was broken, what it answered, and what was done to it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What became of one command, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No answer yet.
    Asked,
    /// Answered with success, which names the aggregate.
    Acked(String),
    /// Refused for good: it has had no effect.
    Refused(i64),
    /// No answer, or one that leaves it open: at most one effect.
    Unknown(String),
}

impl Outcome {
    fn kind(&self) -> String {
        match self {
            Self::Asked => "asked".to_owned(),
            Self::Acked(_) => "acked".to_owned(),
            Self::Refused(code) => format!("refused {code}"),
            Self::Unknown(why) => why.clone(),
        }
    }
}

/// One command.
#[derive(Debug, Clone)]
pub struct Entry {
    pub outcome: Outcome,
    /// Of every try, answered or not.
    pub slowest: Duration,
    pub tries: u32,
}

/// Every command of one run by its unique title, and the timeline of the run's faults. Clones are the same ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    seed: u64,
    started: Instant,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<String, Entry>,
    /// How often each answer was given, of every try.
    answers: BTreeMap<String, u32>,
    timeline: Vec<(Duration, String)>,
}

impl Ledger {
    pub fn new(seed: u64) -> Self {
        Self { seed, started: Instant::now(), inner: Arc::default() }
    }

    /// What everything random in the run comes from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Writes down a command before it is sent for the first time.
    pub fn ask(&self, title: &str) {
        let entry = Entry { outcome: Outcome::Asked, slowest: Duration::ZERO, tries: 0 };
        self.lock().entries.insert(title.to_owned(), entry);
    }

    /// Writes down what came of one try. An answer once given stays.
    ///
    /// # Panics
    /// When the command was not asked, and when two tries of one command are acked as two aggregates.
    pub fn answer(&self, title: &str, outcome: Outcome, took: Duration) {
        let mut inner = self.lock();
        *inner.answers.entry(outcome.kind()).or_default() += 1;
        let entry = inner.entries.get_mut(title).expect("a command is asked before it is answered");
        entry.tries += 1;
        entry.slowest = entry.slowest.max(took);
        match (&entry.outcome, &outcome) {
            (Outcome::Acked(one), Outcome::Acked(other)) => {
                assert_eq!(one, other, "{title}: one key, two answers");
            }
            (Outcome::Acked(_), _) => {}
            _ => entry.outcome = outcome,
        }
    }

    /// Writes down what is done to the installation, with the time since the run began; whoever waits may follow it.
    pub fn note(&self, what: impl Into<String>) {
        let (at, what) = (self.started.elapsed(), what.into());
        tracing::info!("{:7.1} s  {what}", at.as_secs_f64());
        self.lock().timeline.push((at, what));
    }

    /// Every command, by title.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.lock().entries.clone()
    }

    /// How many commands were acked so far.
    pub fn acked(&self) -> usize {
        let inner = self.lock();
        inner.entries.values().filter(|entry| matches!(entry.outcome, Outcome::Acked(_))).count()
    }

    /// How often each answer was given, of every try: `503 STORE_UNAVAILABLE`.
    pub fn answers(&self) -> BTreeMap<String, u32> {
        self.lock().answers.clone()
    }

    /// Seed, counts and timeline: what repeats a run and tells it.
    pub fn story(&self) -> String {
        let inner = self.lock();
        let mut counts = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        for entry in inner.entries.values() {
            *counts.entry(entry.outcome.kind()).or_insert(0_u32) += 1;
            slowest = slowest.max(entry.slowest);
        }
        let (seed, answers) = (self.seed, &inner.answers);
        let mut story = format!(
            "seed {seed}; commands: {counts:?}; answers: {answers:?}, slowest {slowest:.1?}\n"
        );
        for (at, what) in &inner.timeline {
            // Writing to a string cannot fail.
            writeln!(story, "  {:7.2} s  {what}", at.as_secs_f64()).ok();
        }
        story
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_stays_whatever_a_later_try_was_told() {
        let ledger = Ledger::new(7);
        ledger.ask("one");
        ledger.answer("one", Outcome::Unknown("timeout".to_owned()), Duration::from_secs(2));
        ledger.answer("one", Outcome::Acked("id".to_owned()), Duration::from_secs(1));
        ledger.answer("one", Outcome::Unknown("timeout".to_owned()), Duration::ZERO);
        let entry = &ledger.entries()["one"];
        assert_eq!(entry.outcome, Outcome::Acked("id".to_owned()));
        assert_eq!((entry.tries, entry.slowest), (3, Duration::from_secs(2)));
        ledger.note("killed");
        let story = ledger.story();
        assert!(story.starts_with("seed 7; ") && story.contains("killed"), "{story}");
    }
}
