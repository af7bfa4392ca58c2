use std::future::Future;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);

/// Asks until there is an answer.
///
/// # Panics
/// After 10 s without one, saying `what` was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < LIMIT, "waited {LIMIT:?} in vain for {what}");
        tokio::time::sleep(STEP).await;
    }
}

/// Runs clean-up to its end where nothing can be awaited: in `drop`.
pub(crate) fn blocking(work: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(work);
        }
    });
    thread.join().ok();
}
