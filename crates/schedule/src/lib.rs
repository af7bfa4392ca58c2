#![doc = include_str!("../README.md")]

mod job;
mod lease;
mod run;
mod runner;
mod runs;
mod slots;
mod trigger;

use service::{Shell, Store};

pub use job::{CatchUp, InvalidCron, Job, Outcome, RunError};
pub use run::{LeaseLost, Run};
pub use runner::{Patience, Runner};
pub use trigger::{Triggered, trigger};

/// Starts the jobs of a service. Runs until shutdown and finishes the run in hand; every replica starts them all.
pub fn run(shell: &Shell, store: &Store, jobs: Vec<Job>) {
    for job in jobs {
        let runner = Runner::new(store.clone(), shell.clock.clone(), shell.system.clone());
        let stop = shell.tasks.token();
        shell.tasks.spawn(job.name(), async move { runner.run(job, stop).await });
    }
}
