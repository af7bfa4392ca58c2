//! `sitepass jobs`: what services run by themselves. What a person asks is kept in the audit log.

use anyhow::{Context, anyhow};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use schedule::manage::{self, Asked, Listed, Slot, Switched};
use service::Tx;
use types::{EventId, SystemClock};
use uuid::Uuid;

use super::{MIGRATIONS, Record, begin, record, say, store};
use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Lists the jobs of one service, or of all: when each runs, how it last went, what comes next.
    List { service: Option<String> },
    /// Lists the runs of one job, newest first: each slot, when it ran and for how long, what it came to.
    Runs {
        service: String,
        job: String,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Asks for one run of a job now, also of a disabled one; a running process takes it within seconds.
    Run {
        service: String,
        job: String,
        /// Names the run: asked for again with the id that was printed, it is the same run.
        #[arg(long)]
        id: Option<Uuid>,
    },
    /// Keeps a job from running until it is enabled; the run in hand is finished.
    Disable {
        service: String,
        job: String,
        /// Shown in the list and kept in the audit log.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Lets a disabled job go on; what it missed is made good as after any pause.
    Enable { service: String, job: String },
}

pub(crate) async fn run(command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List { service: Some(service) } => list(&service).await,
        JobsCommand::List { service: None } => {
            for (service, _) in MIGRATIONS {
                list(service).await?;
            }
            Ok(())
        }
        JobsCommand::Runs { service, job, limit } => runs(&service, &job, limit).await,
        JobsCommand::Run { service, job, id } => ask(&service, &job, id).await,
        JobsCommand::Disable { service, job, reason } => {
            disable(&service, &job, reason.as_deref()).await
        }
        JobsCommand::Enable { service, job } => enable(&service, &job).await,
    }
}

async fn list(service: &str) -> Result<(), Failure> {
    let store = store(service).await?;
    let now = SystemClock::system().now();
    for job in manage::list(&store, now).await.context("read the jobs")? {
        say(&line(&job, now));
    }
    Ok(())
}

async fn runs(service: &str, job: &str, limit: u32) -> Result<(), Failure> {
    let store = store(service).await?;
    let slots = manage::slots(&store, job, limit.into()).await.context("read the runs")?;
    for slot in slots.ok_or_else(|| unknown(service, job))? {
        say(&slot_line(&slot));
    }
    Ok(())
}

async fn ask(service: &str, job: &str, id: Option<Uuid>) -> Result<(), Failure> {
    let store = store(service).await?;
    let id = id.unwrap_or_else(|| EventId::new().as_uuid());
    let mut tx = begin(&store).await?;
    match manage::ask(&mut tx, job, id).await.context("ask for the run")? {
        Asked::New => {
            audit(&mut tx, service, "job.run", job, Some(&id.to_string())).await?;
            tx.commit().await.context("ask for the run")?;
            say(&format!("{job} runs within seconds, as {id}"));
        }
        Asked::Already(None) => say(&format!("{job} was asked for as {id} and has not ended")),
        Asked::Already(Some(outcome)) => say(&format!("{job} ran as {id}: {outcome}")),
        Asked::Unknown => return Err(unknown(service, job)),
        Asked::OnEvent => return Err(anyhow!("{job} runs on events, not by itself").into()),
        Asked::BadId => return Err(anyhow!("{id} is no UUID of version 7").into()),
    }
    Ok(())
}

async fn disable(service: &str, job: &str, reason: Option<&str>) -> Result<(), Failure> {
    let store = store(service).await?;
    let mut tx = begin(&store).await?;
    let now = SystemClock::system().now();
    match manage::disable(&mut tx, job, reason, now).await.context("disable the job")? {
        Switched::Now => {
            audit(&mut tx, service, "job.disable", job, reason).await?;
            tx.commit().await.context("disable the job")?;
            say(&format!("{job} is disabled"));
        }
        Switched::Already => say(&format!("{job} was disabled before")),
        Switched::Unknown => return Err(unknown(service, job)),
    }
    Ok(())
}

async fn enable(service: &str, job: &str) -> Result<(), Failure> {
    let store = store(service).await?;
    let mut tx = begin(&store).await?;
    match manage::enable(&mut tx, job).await.context("enable the job")? {
        Switched::Now => {
            audit(&mut tx, service, "job.enable", job, None).await?;
            tx.commit().await.context("enable the job")?;
            say(&format!("{job} is enabled"));
        }
        Switched::Already => say(&format!("{job} was enabled before")),
        Switched::Unknown => return Err(unknown(service, job)),
    }
    Ok(())
}

/// The record of what a person asked of a job.
async fn audit(
    tx: &mut Tx,
    service: &str,
    action: &str,
    job: &str,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let target = ("job", job);
    record(tx, Record { service, action, target, after: None, reason }).await
}

fn unknown(service: &str, job: &str) -> Failure {
    anyhow!("no process of {service} ever ran a job {job}; see `sitepass jobs list {service}`")
        .into()
}

/// A job as its operator reads it.
fn line(job: &Listed, now: DateTime<Utc>) -> String {
    let zone = job.zone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
    let enabled = match (job.disabled_at, &job.disabled_because) {
        (Some(at), Some(because)) => format!("DISABLED since {} ({because})", time(at)),
        (Some(at), None) => format!("DISABLED since {}", time(at)),
        (None, _) => "enabled".to_owned(),
    };
    let outcome = job.outcome.as_deref();
    let ran = match job.started_at {
        None => "never ran".to_owned(),
        Some(started) => ran(started, job.finished_at, outcome, job.error.as_deref()),
    };
    let attempt = attempt(job.attempts.filter(|_| job.started_at.is_some()).unwrap_or_default());
    let mut parts = vec![format!("{}  {}{zone}", job.job, job.cadence), enabled];
    parts.extend(job.alarmed.then(|| "GIVEN UP".to_owned()));
    parts.push(format!("{ran}{attempt}"));
    parts.extend(job.next_slot.filter(|_| job.disabled_at.is_none()).map(|next| {
        let late = if next < now { ", late" } else { "" };
        format!("next {}{late}", time(next))
    }));
    parts.extend(job.holder.map(|holder| format!("held by {holder}")));
    parts.join("  ")
}

/// A slot as its operator reads it.
fn slot_line(slot: &Slot) -> String {
    let Slot { key, missed, .. } = slot;
    let mut parts = vec![time(slot.slot)];
    parts.extend(Some(key.clone()).filter(|key| !key.is_empty()));
    let ran = match slot.started_at {
        None => "waits".to_owned(),
        Some(started) => {
            ran(started, slot.finished_at, slot.outcome.as_deref(), slot.error.as_deref())
        }
    };
    parts.push(format!("{ran}{}", attempt(slot.attempts)));
    parts.extend((*missed > 0).then(|| format!("{missed} missed before")));
    // One that failed and runs again says so already.
    let error = slot.error.as_ref().filter(|_| slot.finished_at.is_some());
    parts.extend(error.map(|error| format!("failed before: {error}")));
    parts.join("  ")
}

fn ran(
    started: DateTime<Utc>,
    finished: Option<DateTime<Utc>>,
    outcome: Option<&str>,
    error: Option<&str>,
) -> String {
    match (finished, error) {
        (None, Some(error)) => format!("failed at {}: {error}", time(started)),
        (None, None) => format!("running since {}", time(started)),
        (Some(finished), _) => {
            let took = (finished - started).num_milliseconds();
            format!("ran at {} for {took} ms: {}", time(started), outcome.unwrap_or_default())
        }
    }
}

fn attempt(attempts: i32) -> String {
    if attempts > 1 { format!(" (attempt {attempts})") } else { String::new() }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use schedule::manage::{Listed, Slot};
    use uuid::Uuid;

    use super::{line, slot_line};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn listed() -> Listed {
        Listed {
            job: "ticket.lifecycle".to_owned(),
            cadence: "every 60 s".to_owned(),
            zone: None,
            disabled_at: None,
            disabled_because: None,
            alarmed: false,
            next_slot: Some(at("2026-03-02T00:01:00Z")),
            holder: None,
            slot: Some(at("2026-03-02T00:00:00Z")),
            key: Some(String::new()),
            attempts: Some(1),
            started_at: Some(at("2026-03-02T00:00:00Z")),
            finished_at: Some(at("2026-03-02T00:00:00Z") + TimeDelta::milliseconds(12)),
            outcome: Some("changed 3".to_owned()),
            error: None,
        }
    }

    fn shown(job: &Listed) -> String {
        line(job, at("2026-03-02T00:00:30Z"))
    }

    #[test]
    fn a_job_is_shown_with_its_last_run_and_what_comes() {
        assert_eq!(
            shown(&listed()),
            "ticket.lifecycle  every 60 s  enabled  ran at 2026-03-02T00:00:00Z for 12 ms: changed 3  next 2026-03-02T00:01:00Z"
        );
    }

    #[test]
    fn each_slot_is_shown_with_what_it_came_to() {
        let began = at("2026-03-02T00:00:01Z");
        let slot = Slot {
            slot: at("2026-03-02T00:00:00Z"),
            key: String::new(),
            attempts: 2,
            missed: 3,
            started_at: Some(began),
            finished_at: Some(began + TimeDelta::milliseconds(12)),
            outcome: Some("given up".to_owned()),
            error: Some("the door is away".to_owned()),
        };
        assert_eq!(
            slot_line(&slot),
            "2026-03-02T00:00:00Z  ran at 2026-03-02T00:00:01Z for 12 ms: given up (attempt 2)  3 missed before  failed before: the door is away"
        );
        let key = "manual:1".to_owned();
        let waits = Slot { key, attempts: 0, missed: 0, started_at: None, ..slot };
        assert_eq!(
            slot_line(&Slot { finished_at: None, ..waits }),
            "2026-03-02T00:00:00Z  manual:1  waits"
        );
    }

    #[test]
    fn what_a_person_should_see_stands_out() {
        let failing = Listed {
            zone: Some("Asia/Shanghai".to_owned()),
            alarmed: true,
            attempts: Some(2),
            finished_at: None,
            error: Some("the door is away".to_owned()),
            holder: Some(Uuid::nil()),
            ..listed()
        };
        let text = shown(&failing);
        for part in
            ["every 60 s Asia/Shanghai", "GIVEN UP", "the door is away (attempt 2)", "held by 0000"]
        {
            assert!(text.contains(part), "{text}");
        }
        let because = Some("it floods the log".to_owned());
        let disabled = Listed {
            disabled_at: Some(at("2026-03-01T00:00:00Z")),
            disabled_because: because,
            started_at: None,
            ..listed()
        };
        let text = shown(&disabled);
        assert!(
            text.contains("DISABLED since 2026-03-01T00:00:00Z (it floods the log)  never ran"),
            "{text}"
        );
        assert!(!text.contains("next"), "{text}");
    }
}
