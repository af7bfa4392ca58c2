//! Everything a process runs beside requests, so that shutdown can wait for it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// Spawns tasks and waits for them at the end. Clones share the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` until it ends by itself; it is expected to watch [`Tasks::cancelled`]. A panic is
    /// logged and stops the process in order: a loop that died silently would be worse.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        // No span around it: a loop lives as long as the process, its rounds are traces of their own.
        self.tracker.spawn(async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                tracing::error!(task = name, "task panicked, stopping the process");
                stop.cancel();
            }
        });
    }

    /// Resolves when shutdown begins.
    pub fn cancelled(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    pub fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Begins shutdown. Calling it twice changes nothing.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for every task; `false` when some were still running after `limit`.
    pub async fn finished(&self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Tasks;

    #[tokio::test]
    async fn shutdown_waits_for_the_work_in_hand() {
        let tasks = Tasks::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let cancelled = tasks.cancelled();
        tasks.spawn("worker", async move {
            cancelled.await;
            sender.send("finished").unwrap();
        });
        tasks.stop();
        assert!(tasks.finished(Duration::from_secs(5)).await);
        assert_eq!(receiver.await, Ok("finished"));
    }

    #[tokio::test]
    async fn a_panicking_task_stops_the_process() {
        let tasks = Tasks::new();
        tasks.spawn("worker", async { panic!("boom") });
        tasks.cancelled().await;
        assert!(tasks.finished(Duration::from_secs(5)).await);
    }
}
