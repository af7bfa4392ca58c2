use std::net::SocketAddr;

use proto::audit::v1::audit_service_server::AuditServiceServer;
use service::{Shell, Store, StoreError};
use tokio::net::TcpListener;
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
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, "audit").await?;
    let listener = match config.grpc_listen {
        None => None,
        Some(address) => {
            Some(TcpListener::bind(address).await.map_err(|err| Error::Listen(address, err))?)
        }
    };
    let app = App::new(store.clone());
    let routes = Routes::new(AuditServiceServer::new(Grpc::new(app)));
    service::grpc::serve(&shell, "audit", routes, POLICY, listener);
    for context in CONTEXTS {
        events::run(&shell, &store, Record::of(context));
    }
    shell.health.watch_database(&shell.tasks, "audit", store);
    Ok(())
}
