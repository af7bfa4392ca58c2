use std::sync::Arc;

use chrono::TimeDelta;
use proto::access_grant::v1::access_grant_service_server::AccessGrantServiceServer;
use schedule::{Job, Outcome, Run};
use service::{ListenError, Scope, Shell, Store, StoreError};
use tonic::service::Routes;

use crate::announcer::Announcer;
use crate::app::{App, Proofs, Pusher};
use crate::config::Config;
use crate::consumers::{FollowDevices, FollowDirectory, FollowTickets, FollowTraining};
use crate::door::{Door, VendorDoor};
use crate::grpc::{Api, POLICY};
use crate::store::door_log;

/// How often every door is read, in site time.
const PROVE_EVERY: TimeDelta = TimeDelta::minutes(30);
/// How far back a pull controller's cursor may lie.
const KEEP_DOOR_LOG: TimeDelta = TimeDelta::days(7);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("no HTTP client for the doors")]
    Door(#[from] reqwest::Error),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, "access-grant").await?;
    let listener = service::listen_if(config.grpc_listen).await?;
    let app = App::new(store.clone(), shell.clock.clone());
    let routes = Routes::new(AccessGrantServiceServer::new(Api::new(app)));
    service::grpc::serve(&shell, "access-grant", routes, POLICY, listener);

    events::relay(&shell, &store, "access_grant");
    events::announce(&shell, &store, Announcer);
    events::run(&shell, &store, FollowTickets::new(shell.clock.clone()));
    events::run(&shell, &store, FollowTraining::new(shell.clock.clone()));
    events::run(&shell, &store, FollowDirectory::new(shell.clock.clone()));
    events::run(&shell, &store, FollowDevices::new(shell.clock.clone()));

    let door: Arc<dyn Door> = Arc::new(VendorDoor::new(&config.door_url)?);
    let pusher = Pusher::new(store.clone(), shell.clone(), Arc::clone(&door));
    let stop = shell.tasks.token();
    shell.tasks.spawn("push-due", pusher.run(stop));
    schedule::run(&shell, &store, jobs(Proofs::new(shell.clock.clone(), door)));
    shell.health.watch_database(&shell.tasks, "access-grant", store);
    Ok(())
}

fn jobs(proofs: Proofs) -> Vec<Job> {
    vec![
        Job::every("access-grant.prove-doors", PROVE_EVERY, move |run: Run| {
            let proofs = proofs.clone();
            async move {
                let round = proofs.prove_doors(&run).await?;
                Ok(Outcome::Changed(round.wrong + round.extra))
            }
        }),
        Job::every("access-grant.cut-door-log", TimeDelta::days(1), async |run: Run| {
            let mut tx = run.begin(Scope::System("cut the door log")).await?;
            let cut = door_log::cut(&mut tx, run.now - KEEP_DOOR_LOG).await?;
            Ok(run.finish(tx, Outcome::Changed(cut)).await?)
        }),
    ]
}
