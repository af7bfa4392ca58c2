//! `sitepass vault`: which key what is sealed is sealed under.

use anyhow::Context;
use clap::Subcommand;

use super::{say, store};
use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Counts rows by the version of the key they are sealed under: a former secret that none is under may be retired.
    Status,
}

pub(crate) async fn run(command: VaultCommand) -> Result<(), Failure> {
    match command {
        VaultCommand::Status => status().await,
    }
}

async fn status() -> Result<(), Failure> {
    let people = directory::sealed_under(&store("directory").await?).await;
    let controllers = device::sealed_under(&store("device").await?).await;
    for (service, counted) in [("directory", people), ("device", controllers)] {
        let counted = counted.with_context(|| format!("count the rows of {service}"))?;
        for (table, version, count) in counted {
            say(&format!("{service}.{table}: {count} under key {version}"));
        }
    }
    Ok(())
}
