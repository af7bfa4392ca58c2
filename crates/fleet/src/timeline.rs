use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, FixedOffset};

const WITHIN: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(100);
/// Between steps that somebody reads as they come.
const READING: Duration = Duration::from_millis(2500);

/// Tells the day on standard output, one line a step, with site time.
#[derive(Debug, Clone)]
pub struct Timeline {
    watched: bool,
    progress: bool,
}

impl Timeline {
    /// Told to somebody who watches, the day leaves time to read each step, and a terminal also shows what is
    /// being waited for.
    pub fn new(watched: bool) -> Self {
        Self { watched, progress: watched && std::io::stdout().is_terminal() }
    }

    /// One step that was seen, at site time `at`.
    pub async fn tell(&self, at: DateTime<FixedOffset>, what: &str) {
        self.line(&format!("{}  {what}", at.format("%m-%d %H:%M")));
        if self.watched {
            tokio::time::sleep(READING).await;
        }
    }

    /// A line that belongs to the step above.
    pub fn detail(&self, what: &str) {
        self.line(&format!("             {what}"));
    }

    #[expect(clippy::print_stdout, reason = "telling is what it is for")]
    fn line(&self, line: &str) {
        if self.progress {
            print!("\r\x1b[K");
        }
        println!("{line}");
    }

    #[expect(clippy::print_stdout, reason = "telling is what it is for")]
    fn wait(&self, what: &str, seconds: u64) {
        if self.progress {
            print!("\r\x1b[K             … {what} ({seconds} s)");
            // A lost progress line is no loss.
            std::io::stdout().flush().ok();
        }
    }

    /// Asks until something is answered; fails with `what` after 40 s. Whoever waits long is shown so.
    pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        what: &str,
        mut condition: impl FnMut() -> F,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(answer) = condition().await? {
                return Ok(answer);
            }
            if started.elapsed() > WITHIN {
                bail!("waited {} s for {what}", WITHIN.as_secs());
            }
            self.wait(what, started.elapsed().as_secs());
            tokio::time::sleep(POLL).await;
        }
    }
}
