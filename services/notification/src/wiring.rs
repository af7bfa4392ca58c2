use service::{ListenError, Shell, Store, StoreError};

use crate::app::{App, Templates};
use crate::config::Config;
use crate::consumers::{AnnounceTicket, FollowAreas, FollowTickets, FollowWorkers};
use crate::grpc::{POLICY, routes};
use crate::sender;

const SERVICE: &str = "notification";

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cannot make an HTTP client")]
    Http(#[from] reqwest::Error),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, SERVICE).await?;
    let listener = service::listen_if(config.grpc_listen).await?;
    let http = service::http::Client::new(config.wechat_timeout)?;
    let wechat = wechat::Client::new(config.wechat, http, shell.system.clone());
    let templates = Templates { ticket_published: config.ticket_published_template };
    let app = App::new(shell.clone(), store.clone(), wechat, templates);
    service::grpc::serve(&shell, SERVICE, routes(app.clone()), POLICY, listener);
    events::relay(&shell, &store, SERVICE);
    events::run(&shell, &store, AnnounceTicket);
    events::run(&shell, &store, FollowTickets);
    events::run(&shell, &store, FollowWorkers);
    events::run(&shell, &store, FollowAreas);
    let jobs = vec![schedule::forget_keys("notification.forget-keys", &shell.system)];
    schedule::run(&shell, &store, jobs);
    shell.tasks.spawn("notification sender", sender::run(app, store.clone(), shell.tasks.token()));
    shell.health.watch_database(&shell.tasks, SERVICE, store);
    Ok(())
}
