//! `sitepass state`: how things stand, for consumers that were not there when they changed.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Subcommand;

use super::{Record, begin, record, say};
use crate::Failure;

/// Between looks how far an announcement is.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Has the running service tell each of its live aggregates again, and waits until all are published. Where that
    /// is under way already, it only waits.
    Reannounce { service: String },
}

pub(crate) async fn run(command: StateCommand) -> Result<(), Failure> {
    match command {
        StateCommand::Reannounce { service } => reannounce(&service).await,
    }
}

async fn reannounce(service: &str) -> Result<(), Failure> {
    let context = service::migrate::schema(service);
    let store = super::store(service).await?;
    if !events::has_states(&context) {
        return Err(anyhow!("{service} has no states").into());
    }
    let mut tx = begin(&store).await?;
    if events::reannounce(&mut tx, &context).await.context("ask the service")? {
        let (action, target) = ("state.reannounce", ("state", context.as_str()));
        record(&mut tx, Record { service, action, target, after: None, reason: None }).await?;
        tx.commit().await.context("ask the service")?;
    }
    loop {
        let progress = events::progress(&store, &context).await.context("see how far it is")?;
        let progress = progress.context("the service was not asked")?;
        let (told, unsent) = (progress.told, progress.unsent);
        if progress.done_at.is_some() && unsent == 0 {
            say(&format!("{told} told and published"));
            return Ok(());
        }
        say(&format!("{told} told, {unsent} to be published"));
        tokio::time::sleep(LOOK).await;
    }
}
