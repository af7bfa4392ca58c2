use chrono::TimeDelta;
use schedule::{Job, Outcome, Run};
use service::{ListenError, Shell, Store, StoreError};

use crate::announcer::Announcer;
use crate::app::App;
use crate::config::Config;
use crate::consumers::{FollowAccess, FollowNotices, FollowTraining, FollowVideos, FollowWorkers};
use crate::grpc::{POLICY, routes};

const SERVICE: &str = "ticket";
/// Between looks for days whose time has come, site time.
const LIFECYCLE: TimeDelta = TimeDelta::seconds(60);

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
    let store = Store::connect(&config.database, SERVICE).await?;
    let listener = service::listen_if(config.grpc_listen).await?;
    let app = App::new(shell.clone(), store.clone());
    service::grpc::serve(&shell, SERVICE, routes(app.clone()), POLICY, listener);
    events::relay(&shell, &store, SERVICE);
    events::announce(&shell, &store, Announcer);
    events::run(&shell, &store, FollowTraining);
    events::run(&shell, &store, FollowVideos);
    events::run(&shell, &store, FollowAccess);
    events::run(&shell, &store, FollowNotices);
    events::run(&shell, &store, FollowWorkers);
    let forgetting = schedule::forget_keys("ticket.forget-keys", &shell.system);
    schedule::run(&shell, &store, vec![lifecycle(app), forgetting]);
    shell.health.watch_database(&shell.tasks, SERVICE, store);
    Ok(())
}

fn lifecycle(app: App) -> Job {
    Job::every("ticket.lifecycle", LIFECYCLE, move |run: Run| {
        let app = app.clone();
        async move {
            let done = app.run_lifecycle(&run).await?;
            Ok(match done.started + done.expired {
                0 => Outcome::Nothing,
                moved => Outcome::Changed(moved.into()),
            })
        }
    })
}
