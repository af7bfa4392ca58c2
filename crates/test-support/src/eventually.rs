use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Asks again and again until `condition` answers something.
///
/// # Panics
/// When it has not within 20 seconds; `what` says what was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = condition().await {
            return answer;
        }
        assert!(started.elapsed() < WITHIN, "waited {WITHIN:?} for {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Lets so much time pass: that a fault lasts, or that a client leaves between two tries. What is to happen is waited for
/// with [`eventually`].
pub async fn lasts(how_long: Duration) {
    tokio::time::sleep(how_long).await;
}
