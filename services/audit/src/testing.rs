//! For tests: the calls without what runs beside them, and the jobs, one run at a given moment.

use schedule::Outcome;
use service::{Shell, Store};
use types::SystemClock;

use crate::app::{Checkpoints, Error};
use crate::archive::Archive;
use crate::wiring;

/// Offers the calls in this process; no job runs and no event is taken in.
pub fn offer(shell: &Shell, store: Store, archive: Archive) {
    wiring::offer(shell, store, archive, None);
}

/// The jobs of a process that has run for a while: what it remembers lives as long as this.
#[derive(Debug, Clone)]
pub struct Jobs {
    store: Store,
    checkpoints: Checkpoints,
    system: SystemClock,
}

impl Jobs {
    /// Jobs of a process that has just started.
    pub fn new(store: Store, archive: Archive, system: SystemClock) -> Self {
        Self { store, checkpoints: Checkpoints::new(archive, system.clone()), system }
    }

    /// What the job of each minute does.
    pub async fn write_checkpoint(&self) -> Result<Outcome, Error> {
        let run = schedule::testing::run(&self.store, "audit.checkpoint", self.system.now()).await;
        self.checkpoints.write(&run).await
    }

    /// What the daily job does.
    pub async fn verify(&self) -> Result<Outcome, Error> {
        let run = schedule::testing::run(&self.store, "audit.verify", self.system.now()).await;
        self.checkpoints.verify(&run).await
    }
}
