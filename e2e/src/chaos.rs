//! Faults on real processes under load, and what must hold after them.

mod faults;
mod load;
mod mistakes;
mod world;

use std::fmt;
use std::str::FromStr;

pub use load::Load;
pub use mistakes::{Mistake, see};
pub use world::{Scale, World};

/// A row of the fault matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of services, at random and at marked points.
    F1,
    /// PostgreSQL ends at once under load.
    F2,
    /// The broker is killed and stays down.
    F3,
    /// The broker's folder is deleted.
    F4,
    /// The broker's folder is an older one.
    F5,
    /// Bad networks between services and what they call.
    F9,
    /// A leader cut off from its database, then from the broker.
    F10,
    /// Events nobody can take.
    F14,
    /// Every event several times, out of order, late.
    F15,
    /// An old snapshot held open.
    F23,
}

impl Fault {
    /// All, in an order in which one installation can meet them.
    pub const ALL: [Self; 10] = [
        Self::F1,
        Self::F3,
        Self::F2,
        Self::F4,
        Self::F5,
        Self::F9,
        Self::F15,
        Self::F14,
        Self::F10,
        Self::F23,
    ];
    /// On every change.
    pub const QUICK: [Self; 5] = [Self::F1, Self::F3, Self::F9, Self::F15, Self::F14];

    /// Whether it needs two replicas of a service.
    fn needs_replicas(self) -> bool {
        self == Self::F10
    }

    async fn strike(self, world: &mut World) {
        match self {
            Self::F1 => faults::kills::services(world).await,
            Self::F2 => faults::servers::postgres_ends(world).await,
            Self::F3 => faults::servers::broker_down(world).await,
            Self::F4 => faults::servers::broker_wiped(world).await,
            Self::F5 => faults::servers::broker_restored(world).await,
            Self::F9 => faults::network::bad_ways(world).await,
            Self::F10 => faults::network::leader_cut_off(world).await,
            Self::F14 => faults::events::poison(world).await,
            Self::F15 => faults::events::repeated(world).await,
            Self::F23 => faults::snapshot::held(world).await,
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known =
            Self::ALL.into_iter().find(|fault| fault.to_string().eq_ignore_ascii_case(text));
        known.ok_or_else(|| format!("no fault {text}: there are {:?}", Self::ALL))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Strikes one installation with each fault under load, heals it, and looks at every invariant after each.
///
/// # Panics
/// With seed, timeline and what is broken.
pub async fn run(faults: &[Fault], seed: u64, scale: Scale) {
    for replicas in [false, true] {
        let faults: Vec<Fault> =
            faults.iter().copied().filter(|fault| fault.needs_replicas() == replicas).collect();
        if faults.is_empty() {
            continue;
        }
        let split = if replicas { world::REPLICAS } else { world::SPLIT };
        let mut world = World::start(split, seed, scale).await;
        for fault in faults {
            strike(&mut world, fault).await;
        }
        world.stop();
    }
}

/// The schema of a service that only reads is lost and made anew under load: it reads how things stand, then every fact
/// there is, and shows what it showed before. No row of the matrix.
///
/// # Panics
/// With seed, timeline and what is broken.
pub async fn wipe_report(seed: u64) {
    let mut world = World::start(world::SPLIT, seed, Scale::Quick).await;
    let load = Load::start(&world).await;
    world.acked(5).await;
    faults::servers::report_wiped(&mut world).await;
    world.ready().await;
    world.acked(5).await;
    load.stop().await;
    world.assert_whole().await;
    world.stop();
}

async fn strike(world: &mut World, fault: Fault) {
    world.ledger.note(format!("{fault}: load starts"));
    let load = Load::start(world).await;
    world.acked(5).await;
    fault.strike(world).await;
    world.ledger.note(format!("{fault}: healed"));
    world.ready().await;
    world.acked(5).await;
    load.stop().await;
    world.ledger.note(format!("{fault}: load ends"));
    world.assert_whole().await;
    world.ledger.note(format!("{fault}: whole"));
}
