use proto::audit::v1::audit_service_server::AuditServiceServer;
use service::{ListenError, Shell, Store, StoreError};
use tonic::service::Routes;

use crate::app::App;
use crate::config::Config;
use crate::consumers::{CONTEXTS, Record};
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
    let store = Store::connect(&config.database, "audit").await?;
    let listener = service::listen_if(config.grpc_listen).await?;
    let app = App::new(store.clone());
    let routes = Routes::new(AuditServiceServer::new(Grpc::new(app)));
    service::grpc::serve(&shell, "audit", routes, POLICY, listener);
    events::relay(&shell, &store, "audit");
    for context in CONTEXTS {
        events::run(&shell, &store, Record::of(context));
    }
    shell.health.watch_database(&shell.tasks, "audit", store);
    Ok(())
}
