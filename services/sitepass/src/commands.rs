//! Commands beside `serve`.

use anyhow::Context;
use service::config::Env;
use service::migrate::migrate as migrate_service;
use sqlx::migrate::Migrator;

use crate::Failure;
use crate::config::Config;
use crate::serve::Configs;
use crate::targets::{SANDBOX, Targets};

/// Every service with tables, and its migrations.
const MIGRATIONS: [(&str, &Migrator); 8] = [
    ("audit", &audit::MIGRATIONS),
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
        migrate_service(&url, service, migrations, password.as_deref())
            .await
            .with_context(|| format!("migrate {service}"))?;
        say(&format!("migrated {service}"));
    }
    Ok(())
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
