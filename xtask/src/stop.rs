//! Ctrl-C and SIGTERM.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

/// How often a waiting command looks around.
const TICK: Duration = Duration::from_millis(50);

/// Set once the user wants everything to end; servers then stop as their owners go out of scope.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

/// The user asked to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped by a signal")
    }
}

impl std::error::Error for Interrupted {}

impl Stop {
    pub(crate) fn on_signals() -> Result<Stop> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&asked))
                .context("listen for signals")?;
        }
        Ok(Stop(asked))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.is_set() { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Sleeps a moment; fails when the user asked to stop.
    pub(crate) fn tick(&self) -> Result<()> {
        thread::sleep(TICK);
        self.check()
    }
}
