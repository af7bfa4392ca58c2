use std::net::SocketAddr;

use proto::device::v1::device_service_server::DeviceServiceServer;
use schedule::{Job, Run};
use service::{ListenError, Shell, Store, StoreError};
use tonic::service::Routes;
use vault::{BadRoots, Vault};

use crate::announcer::Announcer;
use crate::app::{App, FORGET_EVERY, LOOK_EVERY, SEAL_ANEW_EVERY};
use crate::config::Config;
use crate::consumers::{FollowAreas, FollowExplanations, FollowWorkers};
use crate::grpc::{Grpc, POLICY};
use crate::http;

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the secret of the vault is no good")]
    Vault(#[from] BadRoots),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    start(config, shell).await.map(|_| ())
}

/// As [`serve`], and says where controllers reach it: of interest where the configured port is 0.
pub async fn start(config: Config, shell: Shell) -> Result<SocketAddr, Error> {
    let store = Store::connect(&config.database, "device").await?;
    let vault = Vault::from_ring(&config.vault.expose(), config.vault.current)?;
    let grpc_listener = service::listen_if(config.grpc_listen).await?;
    let listener = service::listen(config.listen).await?;
    let address =
        listener.local_addr().map_err(|source| ListenError { address: config.listen, source })?;

    let app = App::new(store.clone(), vault, shell.clone());
    let routes = Routes::new(DeviceServiceServer::new(Grpc::new(app.clone())));
    service::grpc::serve(&shell, "device", routes, POLICY, grpc_listener);
    service::http::listen(&shell.tasks, "device http", listener, http::router(app.clone()));

    events::relay(&shell, &store, "device");
    events::announce(&shell, &store, Announcer);
    events::run(&shell, &store, FollowAreas);
    events::run(&shell, &store, FollowWorkers);
    events::run(&shell, &store, FollowExplanations);
    let (silence, nonces, sealing) = (app.clone(), app.clone(), app);
    let jobs = vec![
        Job::every("device.silence", LOOK_EVERY, move |run: Run| {
            let app = silence.clone();
            async move { app.notice_silence(&run).await }
        }),
        Job::every("device.nonces", FORGET_EVERY, move |run: Run| {
            let app = nonces.clone();
            async move { app.forget_nonces(&run).await }
        }),
        Job::every("device.seal-anew", SEAL_ANEW_EVERY, move |run: Run| {
            let app = sealing.clone();
            async move { app.seal_anew(&run).await }
        }),
        schedule::forget_keys("device.forget-keys", &shell.system),
    ];
    schedule::run(&shell, &store, jobs);
    shell.health.watch_database(&shell.tasks, "device", store);
    Ok(address)
}
