//! How much work each figure is taken from.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    pub(crate) rounds: u32,
    /// Rows of the outbox that the relay empties.
    pub(crate) backlog: usize,
    /// Jobs a peer works off; fewer, because each takes longer.
    pub(crate) jobs: usize,
    /// Events a consumer takes in.
    pub(crate) events: usize,
    /// Of the open loop of P4.
    pub(crate) rate: usize,
    pub(crate) open_loop: Duration,
    pub(crate) idle: Duration,
    /// Of which a round's figure is the median.
    pub(crate) restarts: usize,
    /// Events of a stream that is rebuilt.
    pub(crate) rebuilt: usize,
    /// Tickets a list is taken from.
    pub(crate) tickets: u32,
    /// Of one kind, in a round.
    pub(crate) calls: usize,
    /// Of the log that is searched.
    pub(crate) entries: usize,
    /// Calls a filter and round.
    pub(crate) searches: usize,
    /// Of the roster that is read; at most 10,000.
    pub(crate) people: u32,
}

impl Sizes {
    pub(crate) fn full(rounds: u32) -> Self {
        Self {
            rounds,
            backlog: 200_000,
            jobs: 20_000,
            events: 200_000,
            rate: 1_000,
            open_loop: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            restarts: 11,
            rebuilt: 1_000_000,
            tickets: 2_000,
            calls: 200,
            entries: 1_000_000,
            searches: 500,
            people: 10_000,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            backlog: 5_000,
            jobs: 1_000,
            events: 5_000,
            rate: 1_000,
            open_loop: Duration::from_secs(2),
            idle: Duration::from_secs(2),
            restarts: 1,
            rebuilt: 20_000,
            tickets: 100,
            calls: 10,
            entries: 20_000,
            searches: 100,
            people: 500,
        }
    }
}
