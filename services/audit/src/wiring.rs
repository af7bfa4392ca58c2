use std::sync::Arc;

use chrono::TimeDelta;
use proto::audit::v1::audit_service_server::AuditServiceServer;
use schedule::{CatchUp, Job, Run};
use service::{ListenError, Shell, Store, StoreError};
use tokio::net::TcpListener;
use tonic::service::Routes;
use types::{InvalidTime, SiteZone};

use crate::app::{App, Checkpoints};
use crate::archive::{Archive, ArchiveError};
use crate::config::Config;
use crate::consumers::{CONTEXTS, Record};
use crate::grpc::{Grpc, POLICY};

/// What the chains have become lies outside the database after so long, in site time.
const CHECKPOINT: TimeDelta = TimeDelta::minutes(1);
/// When few look at the log.
const VERIFY_AT: &str = "03:00";

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Time(#[from] InvalidTime),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, "audit").await?;
    let archive = Archive::open(&config.checkpoints)?;
    tracing::info!(key = %archive.public_key(), "checkpoints are signed with this key");
    let listener = service::listen_if(config.grpc_listen).await?;
    let checkpoints = Checkpoints::new(archive.clone(), shell.system.clone());
    offer(&shell, store.clone(), archive, listener);
    events::relay(&shell, &store, "audit");
    for context in CONTEXTS {
        events::run(&shell, &store, Record::of(context));
    }
    schedule::run(&shell, &store, jobs(checkpoints)?);
    shell.health.watch_database(&shell.tasks, "audit", store);
    Ok(())
}

/// Offers the calls.
pub(crate) fn offer(shell: &Shell, store: Store, archive: Archive, listener: Option<TcpListener>) {
    let (clock, system) = (shell.clock.clone(), shell.system.clone());
    let app = App { store, archive, clock, system, verifying: Arc::default() };
    let routes = Routes::new(AuditServiceServer::new(Grpc::new(app)));
    service::grpc::serve(shell, "audit", routes, POLICY, listener);
}

fn jobs(checkpoints: Checkpoints) -> Result<Vec<Job>, InvalidTime> {
    let daily = checkpoints.clone();
    let verify = Job::daily("audit.verify", VERIFY_AT, SiteZone::default(), move |run: Run| {
        let checkpoints = daily.clone();
        async move { Ok(checkpoints.verify(&run).await?) }
    })?;
    let checkpoint = Job::every("audit.checkpoint", CHECKPOINT, move |run: Run| {
        let checkpoints = checkpoints.clone();
        async move { Ok(checkpoints.write(&run).await?) }
    });
    Ok(vec![checkpoint, verify.catching_up(CatchUp::Once)])
}
