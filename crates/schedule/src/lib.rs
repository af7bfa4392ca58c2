#![doc = include_str!("../README.md")]

mod alarm;
mod board;
mod hand;
mod job;
mod keys;
mod lease;
pub mod manage;
mod run;
mod runner;
mod runs;
mod slots;
pub mod testing;
mod times;
mod trigger;

use service::{Shell, Store};

pub use job::{CatchUp, Job, Outcome, RunError};
pub use keys::forget_keys;
pub use run::{LeaseLost, Run};
pub use runner::{Patience, Runner};
pub use times::{InvalidCron, Times};
pub use trigger::{Triggered, trigger};

/// Starts the jobs of a service. Runs until shutdown and finishes the runs in hand; every replica starts them all.
pub fn run(shell: &Shell, store: &Store, jobs: Vec<Job>) {
    let runner = Runner::new(store.clone(), shell.clock.clone(), shell.system.clone());
    let (board, followers) = runner.parts(jobs, &shell.tasks.token());
    shell.tasks.spawn("jobs", board);
    for (name, follower) in followers {
        shell.tasks.spawn(name, follower);
    }
}
