use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::api::text;
use crate::sandbox::Sandbox;
use crate::worker::{Training, Worker};

/// Reports come every ten seconds of the video, as the mini-program sends them.
pub(crate) const EVERY: u64 = 10;

/// One honest training: face, video with its checks, finish. `speed` is site seconds a real second. How many
/// checks there were, and whether the gate knows already.
pub async fn train(
    sandbox: &Sandbox,
    worker: &Worker,
    task: &Value,
    speed: f64,
) -> Result<(u32, bool)> {
    worker.read(&text(task, "daily_ticket_id")).await?;
    let training = worker.start(sandbox, task).await?;
    let checks = watch(sandbox, worker, &training, speed).await?;
    let data = worker.finish(&training).await?.ok().context("finish")?;
    if data["result"] != "COMPLETED" {
        bail!("{} finished as {}", worker.person.name, data["result"]);
    }
    Ok((checks, data["authorized"].as_bool().unwrap_or(false)))
}

/// Watches to the end at the speed of the video, answering each check; how many there were.
async fn watch(sandbox: &Sandbox, worker: &Worker, training: &Training, speed: f64) -> Result<u32> {
    let (mut second, mut checks) = (0, 0);
    worker.report(training, 0, "PLAYING").await?.ok()?;
    for _ in 0..60 {
        let step = EVERY.min(training.duration_sec - second);
        tokio::time::sleep(Duration::from_secs(step).div_f64(speed)).await;
        second += step;
        let event = if second == training.duration_sec { "ENDED" } else { "PLAYING" };
        let answer = worker.report(training, second, event).await?.ok().context("progress")?;
        let counted = answer["valid_watch_sec"].as_u64().unwrap_or(0);
        if let Some(check_id) = answer["check"]["check_id"].as_str() {
            worker.answer(sandbox, training, check_id, "pass").await?.ok().context("check")?;
            checks += 1;
        } else if second < training.duration_sec {
            continue;
        } else if answer["required_sec"].as_u64().is_some_and(|required| counted >= required) {
            return Ok(checks);
        }
        // What ran while a question was open, or ahead of the clock, did not count: go back to where it did.
        second = counted.min(second);
        worker.report(training, second, "PLAYING").await?.ok()?;
    }
    bail!("{} never came to the end of the video", worker.person.name)
}
