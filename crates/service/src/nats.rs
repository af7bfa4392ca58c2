//! The connection to NATS, and how to learn that it was made anew.

use std::future::{pending, ready};
use std::sync::atomic::Ordering;

use async_nats::{Client, ConnectError, ConnectOptions, Event};
use tokio::sync::watch;

/// A client that tells when it has connected again: what was asked on the connection before gets no answer any more, and
/// the broker knows nothing of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Nats {
    client: Client,
    connected: watch::Receiver<()>,
}

impl Nats {
    /// Connects as `options` say; their event callback is replaced.
    ///
    /// # Errors
    /// When the broker is not there and the options do not ask to wait for it.
    pub async fn connect(options: ConnectOptions, url: &str) -> Result<Self, ConnectError> {
        let (tell, connected) = watch::channel(());
        let options = options.event_callback(move |event| {
            if event == Event::Connected {
                tell.send_replace(());
            }
            ready(())
        });
        Ok(Self { client: options.connect(url).await?, connected })
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How often it has connected so far.
    pub fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until it has connected more often than `connects` times.
    pub async fn renewed(&self, connects: u64) {
        let mut connected = self.connected.clone();
        loop {
            connected.mark_unchanged();
            if self.connects() != connects {
                return;
            }
            if connected.changed().await.is_err() {
                // The client's own task has ended, and with it every connection.
                return pending().await;
            }
        }
    }
}
