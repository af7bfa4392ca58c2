use std::time::Duration;

use chrono::TimeDelta;
use schedule::{Job, Run};
use service::config::Secret;
use service::{ListenError, Shell, Store, StoreError};
use vault::Vault;

use crate::announcer::Announcer;
use crate::app::{App, Passwords};
use crate::config::{Config, RosterRhythm};
use crate::domain::Rhythm;
use crate::realname::RealName;
use crate::{grpc, sms};

/// How long an outside firm has for one call; the caller waits for it.
const PATIENCE: Duration = Duration::from_secs(4);
/// A page of the roster may be slow; a person started the reading and waits.
const ROSTER_PATIENCE: Duration = Duration::from_secs(10);
/// Between looks for rosters whose time has come, for what an earlier key sealed and for what is over; site time.
const ROSTERS: TimeDelta = TimeDelta::minutes(1);
const SEAL_ANEW: TimeDelta = TimeDelta::minutes(10);
const FORGET: TimeDelta = TimeDelta::days(1);
const FIRST_ACCOUNT_AGAIN: Duration = Duration::from_secs(1);

/// Why the directory did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the vault's secret is not usable")]
    Vault(#[from] vault::BadRoots),
    #[error("the database's address is not usable")]
    Store(#[from] StoreError),
    #[error("no HTTP client could be made")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Starts the directory and returns once it runs; its tasks end with the shell's. Runs while the database is away.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let Config {
        database,
        grpc_listen,
        vault,
        wechat,
        sms,
        realname_url,
        roster_rhythm,
        first_admin_password,
    } = config;
    let store = Store::connect(&database, "directory").await?;
    let vault = Vault::from_ring(&vault.expose(), vault.current)?;
    let http = service::http::Client::new(PATIENCE)?;
    let app = App {
        store: store.clone(),
        vault,
        wechat: wechat::Client::new(wechat, http.clone(), shell.system.clone()),
        sms: sms::Sender::new(sms, http, shell.system.clone()),
        realname: RealName::new(&realname_url, service::http::Client::new(ROSTER_PATIENCE)?),
        clock: shell.clock.clone(),
        system: shell.system.clone(),
        passwords: Passwords::new(),
        tasks: shell.tasks.clone(),
    };
    let listener = service::listen_if(grpc_listen).await?;
    if let Some(password) = first_admin_password {
        make_first_account(&shell, app.clone(), password);
    }
    let jobs = jobs(&app, roster_rhythm);
    service::grpc::serve(&shell, "directory", grpc::routes(app), grpc::POLICY, listener);
    schedule::run(&shell, &store, jobs);
    events::relay(&shell, &store, "directory");
    events::announce(&shell, &store, Announcer);
    shell.health.watch_database(&shell.tasks, "directory", store);
    Ok(())
}

fn jobs(app: &App, rhythm: Option<RosterRhythm>) -> Vec<Job> {
    let (sealing, forgetting) = (app.clone(), app.clone());
    let mut jobs = vec![
        Job::every("directory.seal-anew", SEAL_ANEW, move |run: Run| {
            let app = sealing.clone();
            async move { app.seal_all_anew(&run).await }
        }),
        Job::every("directory.forget", FORGET, move |run: Run| {
            let app = forgetting.clone();
            async move { app.forget(&run).await }
        }),
        schedule::forget_keys("directory.forget-keys", &app.system),
    ];
    if let Some(rhythm) = rhythm {
        let reading = app.clone();
        let rhythm = Rhythm {
            every: TimeDelta::minutes(rhythm.every_minutes.into()),
            whole_every: TimeDelta::hours(rhythm.whole_every_hours.into()),
        };
        jobs.push(Job::every("directory.read-rosters", ROSTERS, move |run: Run| {
            let app = reading.clone();
            async move { app.read_due_rosters(&run, rhythm).await }
        }));
    }
    jobs
}

/// Tries until the database answers; the process is not ready before.
fn make_first_account(shell: &Shell, app: App, password: Secret) {
    let component = shell.health.component("directory.first_account");
    let stop = shell.tasks.token();
    shell.tasks.spawn("first account", async move {
        while let Err(err) = app.create_first_account(&password).await {
            component.down(&err.to_string());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FIRST_ACCOUNT_AGAIN) => {}
            }
        }
        component.up();
    });
}
