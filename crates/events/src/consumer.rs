//! Takes deliveries in: one durable pull consumer a handler, each event's effect once.

mod durable;
mod follow;
mod hand;
mod prime;
mod pull;
mod settle;
mod take;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use service::{Shell, Store, Tx};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::bus::Bus;
use crate::delivery::{Delivery, Failure};
use crate::halt::Halt;
use settle::Failures;

pub use take::{Outcome, deliver};
pub(crate) use take::{Refused, take_parked};

/// One subscription of a service.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// `<service>--<what it does>`: the name of the durable consumer and of its inbox. Never changes.
    fn durable(&self) -> &'static str;

    /// The context whose stream it reads: `access_grant`.
    fn context(&self) -> &'static str;

    /// The events it takes; empty for all of the stream. Of one that a release adds, those are taken that come after
    /// the consumer's place in the stream.
    fn events(&self) -> &'static [&'static str];

    /// The kinds of aggregates ([`proto::state_kinds`]) whose newest state it takes before it follows the facts, when
    /// it is new or its schema was wiped. It takes every event of such a kind as the aggregate's present state.
    fn states(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether, after its schema was wiped, it is given every fact there still is. `false` for what must not be done
    /// again for facts of the past: then it goes on where it was.
    fn replays(&self) -> bool {
        true
    }

    /// The most events of one transaction. Events of several sites may be together, never those of a site with those
    /// of none. 1 for a handler that must be alone in its transaction.
    fn batch(&self) -> usize {
        100
    }

    /// How many transactions of one replica run at once. Events of one aggregate are always in the same lane, in
    /// their order.
    fn lanes(&self) -> usize {
        1
    }

    /// Writes the event's effect in `tx`, whose scope is the sites of the batch, or the system where it has none.
    /// Commits nothing itself and talks to nobody but its own database. Not called again for an event whose effect is
    /// committed; deliveries may come late and out of order.
    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure>;

    /// Writes the effects of a batch; for a handler that can do it in fewer statements than one by one. When it fails
    /// nothing of the batch stays, and each event comes again by itself.
    async fn handle_all(&self, tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), Failure> {
        if let [alone] = deliveries {
            return self.handle(tx, alone).await;
        }
        for delivery in deliveries {
            let span = delivery.span(self.durable());
            self.handle(tx, delivery).instrument(span).await?;
        }
        Ok(())
    }
}

/// Starts taking events in. Runs until shutdown and finishes what is in hand; waits for a stream that its owner
/// has not made yet. Replicas share the work.
pub fn run<H: Handler>(shell: &Shell, store: &Store, handler: H) {
    let name = handler.durable();
    let consumer = Consumer::new(Bus::from(shell), store.clone(), handler);
    let stop = shell.tasks.token();
    shell.tasks.spawn(name, async move { consumer.run(stop).await });
}

/// How long and how often a failing event is tried, and how deliveries are waited for.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Before the second attempt, the third and so on; when they are used up the event is parked. While states are read
    /// nothing is followed, so there only those of a few seconds count.
    pub delays: Vec<Duration>,
    /// A delivery of which the broker hears nothing for so long is made again. What is in hand gives signs of life
    /// three times as often. A consumer that is delivered nothing for so long though events wait is looked after.
    pub ack_wait: Duration,
    /// Between signs of life of the broker; after three missing ones it is asked anew.
    pub heartbeat: Duration,
    /// Between looks for parked events that were asked back, and at the consumer itself.
    pub idle: Duration,
    /// A stream that is not there, or whose owner has not told everything, for so long though the broker is there needs
    /// someone.
    pub unfollowed: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            delays: [1, 5, 30, 120, 600].map(Duration::from_secs).to_vec(),
            ack_wait: Duration::from_secs(20),
            heartbeat: Duration::from_secs(1),
            idle: Duration::from_secs(5),
            unfollowed: Duration::from_mins(5),
        }
    }
}

/// One handler's loop.
#[derive(Debug)]
pub struct Consumer<H> {
    bus: Bus,
    store: Store,
    handler: H,
    patience: Patience,
    halt: Option<Halt>,
    failures: Failures,
}

impl<H: Handler> Consumer<H> {
    pub fn new(bus: Bus, store: Store, handler: H) -> Self {
        let (patience, failures) = (Patience::default(), Failures::default());
        Self { bus, store, handler, patience, halt: None, failures }
    }

    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// For tests: holds this loop at a marked point.
    #[must_use]
    pub fn halted(mut self, halt: Halt) -> Self {
        self.halt = Some(halt);
        self
    }

    /// Runs until `stop`. Dropping it is as good as killing it: nothing is lost or done twice.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(follow::follow(&self, &stop), watch::resume(&self, &stop));
    }

    /// The most events this replica has in hand: what is worked on, and what waits behind it.
    fn room(&self) -> usize {
        (4 * self.handler.batch() * self.handler.lanes()).max(64)
    }
}
