//! Passages on their way to our webhook, signed as Standard Webhooks. One door's reports go in order
//! and each until it is taken; one that is refused holds back its own door only.

use std::future::Future;
use std::time::Duration;

use service::http::Client;
use tokio::time::{Instant, sleep_until};

use super::{Behaviour, Doors};
use crate::sandbox::Sandbox;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub(super) struct Report {
    /// The same on every attempt.
    id: String,
    body: String,
    attempts: u32,
    due: Option<Instant>,
}

impl Report {
    pub(super) fn new(body: String) -> Self {
        Self { id: format!("msg_{}", uuid::Uuid::new_v4().simple()), body, attempts: 0, due: None }
    }
}

enum Next {
    Send { access_group_id: String, report: Report },
    WaitUntil(Instant),
    Nothing,
}

/// Sends what the doors have to report, until `stop` ends. What is unsent then is lost with the
/// sandbox's memory.
pub async fn deliver(sandbox: Sandbox, client: Client, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let next = sandbox.doors().next(Instant::now());
        let work = async {
            match next {
                Next::Send { access_group_id, report } => {
                    let answer = attempt(&sandbox, &client, &report).await;
                    sandbox.doors().attempted(&access_group_id, &report.id, answer, Instant::now());
                }
                Next::WaitUntil(due) => tokio::select! {
                    () = sandbox.reports().notified() => {}
                    () = sleep_until(due) => {}
                },
                Next::Nothing => sandbox.reports().notified().await,
            }
        };
        tokio::select! {
            () = &mut stop => return,
            () = work => {}
        }
    }
}

/// The answer's status, or nothing when there was none.
async fn attempt(sandbox: &Sandbox, client: &Client, report: &Report) -> Option<u16> {
    let config = &sandbox.config().door;
    let timestamp = sandbox.system_now().timestamp();
    let signature =
        auth::webhook::sign(&config.webhook_secret, &report.id, timestamp, report.body.as_bytes())
            .ok()?;
    let answer = client
        .post(&config.events_url)
        .header("content-type", "application/json")
        .header("webhook-id", &report.id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(report.body.clone())
        .send()
        .await;
    answer.ok().map(|answer| answer.status().as_u16())
}

impl Doors {
    fn next(&self, now: Instant) -> Next {
        let mut soonest: Option<Instant> = None;
        for (access_group_id, door) in &self.by_group {
            let Some(report) = door.unreported.front() else { continue };
            if door.behaviour == Behaviour::Offline {
                continue;
            }
            match report.due {
                Some(due) if due > now => {
                    soonest = Some(soonest.map_or(due, |soonest| soonest.min(due)));
                }
                _ => {
                    return Next::Send {
                        access_group_id: access_group_id.clone(),
                        report: report.clone(),
                    };
                }
            }
        }
        soonest.map_or(Next::Nothing, Next::WaitUntil)
    }

    fn attempted(&mut self, access_group_id: &str, id: &str, answer: Option<u16>, now: Instant) {
        let door = self.door(access_group_id);
        door.last_answer = answer;
        let Some(report) = door.unreported.front_mut().filter(|report| report.id == id) else {
            return;
        };
        if answer.is_some_and(|status| (200..300).contains(&status)) {
            door.unreported.pop_front();
            door.reported += 1;
            return;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << report.attempts.min(10)).min(LONGEST_WAIT);
        report.attempts += 1;
        report.due = Some(now + wait);
        tracing::debug!(
            door = access_group_id,
            status = answer,
            "report not taken, will be sent again"
        );
    }
}
