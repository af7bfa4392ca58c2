//! Commands beside `serve`.

pub(crate) mod audit;
pub(crate) mod jobs;
pub(crate) mod outbox;
pub(crate) mod parked;
pub(crate) mod state;
pub(crate) mod vault;

use anyhow::{Context, bail};
use events::AuditFact;
use service::config::{DatabaseConfig, Env};
use service::{Scope, Store, Tx};
use sqlx::migrate::Migrator;
use types::SystemClock;

use crate::Failure;
use crate::config::Config;
use crate::serve::Configs;
use crate::targets::{SANDBOX, Targets};

/// Every service with tables, and its migrations.
const MIGRATIONS: [(&str, &Migrator); 8] = [
    ("audit", &::audit::MIGRATIONS),
    ("directory", &directory::MIGRATIONS),
    ("training", &training::MIGRATIONS),
    ("ticket", &ticket::MIGRATIONS),
    ("access_grant", &access_grant::MIGRATIONS),
    ("device", &device::MIGRATIONS),
    ("notification", &notification::MIGRATIONS),
    ("report", &report::MIGRATIONS),
];

/// Makes and brings up to date every schema.
pub(crate) async fn migrate() -> Result<(), Failure> {
    let mut env = Env::from_process();
    let url = env.required::<String>("SITEPASS_MIGRATE_DATABASE_URL");
    let password = env.optional::<String>("SITEPASS_DATABASE_PASSWORD");
    env.also_known(all_keys()?);
    env.finish().map_err(Failure::Config)?;
    let (Ok(url), Ok(password)) = (url, password) else { return Err(Failure::Config(Vec::new())) };
    for (service, migrations) in MIGRATIONS {
        service::migrate::migrate(&url, service, migrations)
            .await
            .with_context(|| format!("migrate {service}"))?;
        if let Some(password) = &password {
            service::migrate::set_password(&url, service, password)
                .await
                .with_context(|| format!("set the password of {service}"))?;
        }
        say(&format!("migrated {service}"));
    }
    Ok(())
}

/// The tables of one service, from the environment.
async fn store(service: &str) -> Result<Store, Failure> {
    let mut env = Env::from_process();
    let config = DatabaseConfig::read(&mut env);
    env.also_known(all_keys()?);
    env.finish().map_err(Failure::Config)?;
    let Ok(config) = config else { return Err(Failure::Config(Vec::new())) };
    Ok(open(&config, service).await?)
}

async fn begin(store: &Store) -> Result<Tx, Failure> {
    Ok(store.begin(Scope::System("an operator's command")).await.context("open the database")?)
}

/// What a person asked of a service at the command line.
struct Record<'a> {
    service: &'a str,
    action: &'a str,
    target: (&'a str, &'a str),
    after: Option<serde_json::Value>,
    reason: Option<&'a str>,
}

/// Writes the record of a command, to be committed with what was asked.
async fn record(tx: &mut Tx, record: Record<'_>) -> Result<(), Failure> {
    let (target_type, target_id) = record.target;
    let fact = AuditFact {
        context: &service::migrate::schema(record.service),
        caller: &events::operator(),
        action: record.action,
        target_type,
        target_id: target_id.to_owned(),
        site: None,
        before: None,
        after: record.after,
        reason: record.reason,
        at: SystemClock::system().now(),
    };
    events::audit(tx, fact).await.context("write the record")?;
    Ok(())
}

async fn open(config: &DatabaseConfig, service: &str) -> anyhow::Result<Store> {
    let schema = service::migrate::schema(service);
    let Some((known, _)) = MIGRATIONS.iter().find(|(known, _)| *known == schema) else {
        bail!("no service {service} has tables");
    };
    Store::connect(config, known).await.context("read SITEPASS_DATABASE_URL")
}

/// Prints every setting there is.
pub(crate) fn config_keys() -> Result<(), Failure> {
    for key in all_keys()? {
        say(&key);
    }
    Ok(())
}

fn all_keys() -> Result<Vec<String>, Failure> {
    let targets = Targets::parse(&["all".to_owned(), SANDBOX.to_owned()], true)?;
    let mut env = Env::default();
    // Only the keys asked for matter here; that their values are missing does not.
    Config::read(&mut env, &targets).ok();
    Configs::read(&mut env, &targets).ok();
    for key in ["SITEPASS_MIGRATE_DATABASE_URL", "SITEPASS_DATABASE_PASSWORD"] {
        env.also_known([key.to_owned()]);
    }
    Ok(env.known_keys().map(ToOwned::to_owned).collect())
}

/// One line for the operator.
#[expect(clippy::print_stdout, reason = "a command speaks to its operator")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
