//! The test of the tests: a build that makes a mistake must not pass for whole.

use std::str::FromStr;
use std::time::Duration;

use test_support::{Broken, eventually};

use super::faults::{events, network};
use super::world::READERS;
use super::{Load, World};

/// What is done wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A message is acknowledged before its effect is committed.
    AckBeforeCommit,
    /// The inbox is written and not asked.
    NoDedupe,
    /// A relay publishes whatever the stream holds by now.
    NoFencing,
    /// A relay looks for rows only when its own process has committed some.
    WakeWithoutPoll,
}

impl Mistake {
    pub const ALL: [Self; 4] =
        [Self::AckBeforeCommit, Self::NoDedupe, Self::NoFencing, Self::WakeWithoutPoll];

    /// As processes are told it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AckBeforeCommit => "ack-before-commit",
            Self::NoDedupe => "no-dedupe",
            Self::NoFencing => "no-fencing",
            Self::WakeWithoutPoll => "wake-without-poll",
        }
    }

    /// The invariant it breaks, and what is said of that: a slow machine breaks some of them too.
    fn breaks(self) -> (u8, &'static str) {
        match self {
            Self::AckBeforeCommit => (2, " never took "),
            Self::NoFencing => (2, " were published twice"),
            Self::NoDedupe => (9, ""),
            Self::WakeWithoutPoll => (9, " unsent events of directory"),
        }
    }

    /// How often it is given the chance to do harm. What a sleeper publishes when it wakes was once, on a busy machine,
    /// not in the stream twice; and a job of the relay's own process may commit, and so wake it, before it is looked at.
    fn tries(self) -> u32 {
        if matches!(self, Self::NoFencing | Self::WakeWithoutPoll) { 3 } else { 1 }
    }

    /// Whether it shows only where a service has two replicas.
    fn needs_replicas(self) -> bool {
        self == Self::NoFencing
    }
}

impl FromStr for Mistake {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|mistake| mistake.name() == text);
        known.ok_or_else(|| format!("no mistake {text}: there are {:?}", Self::ALL.map(Self::name)))
    }
}

const MISTAKE: &str = "SITEPASS_FAULT_MISTAKE";
const POINT: &str = "SITEPASS_FAULT_POINT";
/// The process of directory and ticket.
const OWNERS: usize = 1;

/// Lets an installation make a mistake in the fault that shows it; what the checker says then.
///
/// # Panics
/// When the fault itself cannot be brought about, and when the checker does not see that the mistake's invariant is
/// broken.
pub async fn see(mistake: Mistake, seed: u64) -> Vec<Broken> {
    let mut world = World::start_for_mistakes(mistake.needs_replicas(), seed).await;
    // Nothing is wrong yet.
    world.assert_whole().await;
    world.ledger.note(format!("planted: {}", mistake.name()));
    let mut tries = 1..=mistake.tries();
    let (broken, noticed) = loop {
        match mistake {
            Mistake::AckBeforeCommit => acks_before_commit(&mut world).await,
            Mistake::NoDedupe => takes_twice(&mut world).await,
            Mistake::NoFencing => publishes_unfenced(&mut world).await,
            Mistake::WakeWithoutPoll => never_polls(&mut world).await,
        }
        tries.next();
        let broken = world.checker.check(&world.ledger).await;
        let (invariant, says) = mistake.breaks();
        let shows = |broken: &Broken| broken.invariant == invariant && broken.what.contains(says);
        let noticed = broken.iter().any(shows);
        if noticed || tries.is_empty() {
            break (broken, noticed);
        }
        world.ledger.note("it did no harm this time");
    };
    assert!(noticed, "{mistake:?} was not seen: {broken:?}\n{}", world.ledger.story());
    broken
}

/// It dies between the two.
async fn acks_before_commit(world: &mut World) {
    let load = Load::start(world).await;
    let mistake = [(MISTAKE, Mistake::AckBeforeCommit.name())];
    world.dies_at(READERS, "consumer.before-commit:5", &mistake).await;
    world.installation.restart(READERS, &[]);
    world.ready().await;
    load.stop().await;
}

/// Everything comes again.
async fn takes_twice(world: &mut World) {
    world.installation.restart(READERS, &[(MISTAKE, Mistake::NoDedupe.name())]);
    world.installation.process_ready(READERS).await;
    events::repeated(world).await;
    // A build that knows what it had is through with it in seconds.
    world.checker.give_up_after(Duration::from_secs(15));
}

/// A leader sleeps between reading and publishing, and wakes when another has published the same.
async fn publishes_unfenced(world: &mut World) {
    let settings = [(MISTAKE, Mistake::NoFencing.name()), (POINT, "relay.before-publish:1:pause")];
    let led = network::lead_apart(world, &settings).await;
    let load = Load::start(world).await;
    network::replaced_in_its_sleep(world, led).await;
    load.stop().await;
    let log = world.installation.logs()[0].clone();
    let ended = || {
        let log = std::fs::read_to_string(&log).expect("the process writes its log");
        log.matches("relay stopped, starting again").count()
    };
    let before = ended();
    world.ledger.note("the leader wakes");
    world.installation.resume(0);
    eventually("the leader to see that it no longer leads", || {
        let noticed = ended() > before;
        async move { noticed.then_some(()) }
    })
    .await;
}

/// Another process writes, as a command of the binary does, and nothing in the relay's own process commits.
async fn never_polls(world: &mut World) {
    world.installation.restart(OWNERS, &[(MISTAKE, Mistake::WakeWithoutPoll.name())]);
    world.installation.process_ready(OWNERS).await;
    // What is written before the relay's first look, or when a commit at its start wakes it, is published; the next is not.
    for _ in 0..5 {
        let ids = world.burst("directory", 5).await;
        let published = || async { world.are_published("directory", &ids).await.then_some(()) };
        let published = eventually("the burst to be published", published);
        if tokio::time::timeout(Duration::from_secs(2), published).await.is_err() {
            break;
        }
    }
    world.checker.give_up_after(Duration::from_secs(5));
}
