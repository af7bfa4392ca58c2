//! The loop that sends.

use std::time::Duration;

use service::Store;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How often is looked for what became due and for what other processes wrote.
const POLL: Duration = Duration::from_secs(1);

/// Sends until `stop`: on each commit of this process and a short poll. Finishes the batch in hand.
pub(crate) async fn run(app: App, store: Store, stop: CancellationToken) {
    let mut changed = store.changed();
    while !stop.is_cancelled() {
        changed.borrow_and_update();
        match app.send_due().await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(err) => {
                tracing::warn!(error = %err, "due notices cannot be sent");
                // A commit says nothing about whether the database is back.
                wait(&stop).await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = changed.changed() => {}
        }
    }
}

async fn wait(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(POLL) => {}
    }
}
