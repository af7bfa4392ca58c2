//! The connection to NATS, and how to learn that it was made anew.

use std::future::{pending, ready};
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectOptions, Event};
use tokio::sync::watch;

/// Before an attempt to connect again; after [`SWIFT`] of them longer by so much each time.
const STEP: Duration = Duration::from_millis(4);
/// A broker that is started again at once is back within the time of these.
const SWIFT: usize = 25;
/// The longest: a broker that was away for an hour is found as soon as one that was for seconds.
const LONGEST: Duration = Duration::from_millis(250);

/// Between questions whether the broker is there. Where two have no answer when the third is due, the connection is made
/// anew: a broker, or the way to it, may be gone without a word.
const PING: Duration = Duration::from_secs(3);

/// How long the client waits before its `attempt`th try, counted from 1. The client's own pauses double, so that a broker
/// may be back as long as it was away before it is asked.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let steps = u32::try_from(attempt.saturating_sub(SWIFT).max(1)).unwrap_or(u32::MAX);
    STEP.saturating_mul(steps).min(LONGEST)
}

/// A client that tells when it has connected again: what was asked on the connection before gets no answer any more, and
/// the broker knows nothing of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Nats {
    client: Client,
    connected: watch::Receiver<()>,
}

impl Nats {
    /// Connects as `options` say; their event callback, the pauses between attempts and between pings are replaced.
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
        let options = options.reconnect_delay_callback(pause).ping_interval(PING);
        Ok(Self { client: options.connect(url).await?, connected })
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, STEP, pause};

    #[test]
    fn a_broker_is_asked_again_within_a_fraction_of_the_time_it_was_away() {
        assert_eq!(pause(1), Duration::ZERO);
        let mut away = Duration::ZERO;
        for attempt in 1..1_000 {
            let pause = pause(attempt);
            assert!(pause <= LONGEST);
            let most = if away < Duration::from_millis(100) { STEP } else { away / 3 };
            assert!(pause <= most, "{pause:?} after {away:?}");
            away += pause;
        }
        assert_eq!(pause(usize::MAX), LONGEST);
    }
}
