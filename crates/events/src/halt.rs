//! Marked points where a test may hold a loop: to kill it there, or to let it go on much later.

use std::sync::Arc;

use service::faults;
use tokio::sync::watch;

/// A point a loop passes again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The relay has read unsent facts and published none of them.
    BeforePublish,
    /// The broker has confirmed a batch, no row is marked.
    BeforeMark,
    /// The effects of a batch are written, nothing is committed.
    BeforeCommit,
    /// The effects of a batch are committed, none of its messages is acknowledged.
    BeforeAck,
    /// A new consumer knows that its owner has told everything, and has read nothing of it.
    BeforeStatesRead,
    /// A new consumer has read every state and has not written that down.
    BeforePrimed,
    /// The facts of a batch are confirmed, their states not published.
    BeforeStates,
}

impl Point {
    /// As chaos tests name it to a process.
    fn name(self) -> &'static str {
        match self {
            Self::BeforePublish => "relay.before-publish",
            Self::BeforeMark => "relay.before-mark",
            Self::BeforeCommit => "consumer.before-commit",
            Self::BeforeAck => "consumer.before-ack",
            Self::BeforeStatesRead => "consumer.before-states-read",
            Self::BeforePrimed => "consumer.before-primed",
            Self::BeforeStates => "relay.before-states",
        }
    }
}

/// Holds a loop at one point. Clones are the same hold.
#[derive(Debug, Clone)]
pub struct Halt {
    point: Point,
    reached: Arc<watch::Sender<u32>>,
    /// How many passes are let through.
    open: Arc<watch::Sender<u32>>,
}

impl Halt {
    /// A hold at `point`, closed from the start.
    pub fn at(point: Point) -> Self {
        Self {
            point,
            reached: Arc::new(watch::Sender::new(0)),
            open: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Waits until a loop stands at the point.
    pub async fn reached(&self) {
        // The sender lives as long as this value, so the channel cannot close.
        self.reached.subscribe().wait_for(|times| *times > 0).await.ok();
    }

    /// How often loops came to the point so far.
    pub fn times(&self) -> u32 {
        *self.reached.borrow()
    }

    /// Lets the loop that is held go on, and holds it when it comes again.
    pub fn step(&self) {
        self.open.send_modify(|passes| *passes += 1);
    }

    /// Lets the loop that is held go on, and every later one pass.
    pub fn release(&self) {
        self.open.send_replace(u32::MAX);
    }

    pub(crate) async fn pass(halt: Option<&Self>, point: Point) {
        faults::point(point.name());
        let Some(halt) = halt.filter(|halt| halt.point == point) else { return };
        let mut pass = 0;
        halt.reached.send_modify(|times| {
            *times += 1;
            pass = *times;
        });
        halt.open.subscribe().wait_for(|passes| *passes >= pass).await.ok();
    }
}
