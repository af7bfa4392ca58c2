//! `sitepass outbox`: the record of what was told, and the stream that is its copy.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use events::{Bus, rebuild};
use serde_json::json;
use service::config::{DatabaseConfig, Env};
use service::{Nats, Store};

use super::{Record, all_keys, begin, open, record, say};
use crate::Failure;

/// Between looks how far a replay is.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// Compares a service's outbox with its stream; exits 1 when the stream lacks something.
    Check { service: String },
    /// Has the running relay send a service's facts once more; consumers ignore those they have. Waits until it is
    /// done.
    Replay {
        service: String,
        /// Only facts written since then, as 2026-03-02T00:00:00Z; all that are kept when absent.
        #[arg(long)]
        since: Option<DateTime<Utc>>,
    },
}

pub(crate) async fn run(command: OutboxCommand) -> Result<(), Failure> {
    match command {
        OutboxCommand::Check { service } => check(&service).await,
        OutboxCommand::Replay { service, since } => {
            replay(&service, since.unwrap_or(DateTime::UNIX_EPOCH)).await
        }
    }
}

async fn check(service: &str) -> Result<(), Failure> {
    let (store, bus) = connect(service).await?;
    let context = service::migrate::schema(service);
    let check = rebuild::check(&store, &bus, &context).await.context("compare")?;
    say(&format!("outbox: {} facts sent, {} waiting", check.sent, check.unsent));
    match check.stream {
        Some((first, last)) => {
            say(&format!("stream: places {first} to {last}, {} not from here", check.unknown));
        }
        None => say("stream: there is none"),
    }
    if check.differs() {
        let (missing, displaced) = (check.missing, check.displaced);
        return Err(anyhow::anyhow!(
            "of the facts sent, {missing} are not in the stream and {displaced} are not at their places"
        )
        .into());
    }
    Ok(())
}

async fn replay(service: &str, since: DateTime<Utc>) -> Result<(), Failure> {
    let store = super::store(service).await?;
    let context = service::migrate::schema(service);
    let mut tx = begin(&store).await?;
    rebuild::replay(&mut tx, &context, since).await.context("ask for the facts")?;
    let after = json!({ "since": since.to_rfc3339_opts(SecondsFormat::AutoSi, true) });
    let (action, target) = ("outbox.replay", ("outbox", context.as_str()));
    record(&mut tx, Record { service, action, target, after: Some(after), reason: None }).await?;
    tx.commit().await.context("ask for the facts")?;
    loop {
        let remaining = rebuild::remaining(&store, &context).await.context("see how far it is")?;
        if remaining == 0 {
            say("all are sent");
            return Ok(());
        }
        say(&format!("{remaining} facts to go"));
        tokio::time::sleep(LOOK).await;
    }
}

/// A service's tables and the broker, from the environment.
async fn connect(service: &str) -> Result<(Store, Bus), Failure> {
    let mut env = Env::from_process();
    let config = DatabaseConfig::read(&mut env);
    let nats_url = env.required::<String>("SITEPASS_NATS_URL");
    let prefix = env.or("SITEPASS_STREAM_PREFIX", "sitepass".to_owned());
    env.also_known(all_keys()?);
    env.finish().map_err(Failure::Config)?;
    let (Ok(config), Ok(nats_url), Ok(prefix)) = (config, nats_url, prefix) else {
        return Err(Failure::Config(Vec::new()));
    };
    let store = open(&config, service).await?;
    let nats = Nats::connect(async_nats::ConnectOptions::new(), &nats_url).await;
    Ok((store, Bus::new(nats.context("connect to NATS")?, prefix)))
}
