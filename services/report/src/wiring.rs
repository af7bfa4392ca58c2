use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use proto::report::v1::report_service_server::ReportServiceServer;
use service::grpc::MAX_ANSWER_BYTES;
use service::{ListenError, Shell, Store, StoreError};
use tonic::service::Routes;

use crate::app::App;
use crate::config::Config;
use crate::consumers::{Fold, Source};
use crate::grpc::{Grpc, POLICY};

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, "report").await?;
    let listener = service::listen_if(config.grpc_listen).await?;
    let access_grant = AccessGrantServiceClient::new(shell.peers.transport("access-grant"))
        .max_decoding_message_size(MAX_ANSWER_BYTES);
    let app = App::new(store.clone(), shell.clone(), access_grant);
    service::grpc::serve(
        &shell,
        "report",
        Routes::new(ReportServiceServer::new(Grpc::new(app))),
        POLICY,
        listener,
    );
    events::relay(&shell, &store, "report");
    for source in Source::ALL {
        events::run(&shell, &store, Fold::new(source));
    }
    shell.health.watch_database(&shell.tasks, "report", store);
    Ok(())
}
