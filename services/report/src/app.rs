//! Reading figures.

mod error;
mod get_dashboard;
mod get_outlook;

use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use service::grpc::Transport;
use service::{Shell, Store};

pub(crate) use error::Error;
pub(crate) use get_dashboard::GetDashboard;
pub(crate) use get_outlook::GetOutlook;

/// The use cases.
#[derive(Debug, Clone)]
pub(crate) struct App {
    store: Store,
    shell: Shell,
    access_grant: AccessGrantServiceClient<Transport>,
}

impl App {
    pub(crate) fn new(
        store: Store,
        shell: Shell,
        access_grant: AccessGrantServiceClient<Transport>,
    ) -> Self {
        Self { store, shell, access_grant }
    }
}
