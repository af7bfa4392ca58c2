//! Waiting for what a measured program does by itself.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longer than anything measured takes.
const LIMIT: Duration = Duration::from_mins(10);

/// Looks every `pause` until `look` says yes; fails when it never does.
pub(crate) async fn until(
    what: &str,
    pause: Duration,
    mut look: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let began = Instant::now();
    while !look().await? {
        if began.elapsed() > LIMIT {
            bail!("{what}: nothing of it within {} min", LIMIT.as_secs() / 60);
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// A count that a database or a program gave.
pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// A count to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark stay far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Per second, from a count and its time.
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    float(count as u64) / took.as_secs_f64()
}
