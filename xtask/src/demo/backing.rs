//! PostgreSQL and NATS for the demo: those of the environment, else durable ones of its own.

use std::env;
use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use servers::{Durability, PrivateNats, PrivatePostgres};

#[derive(Debug)]
pub(crate) struct Backing {
    postgres: Option<PrivatePostgres>,
    nats: Option<PrivateNats>,
    /// Without a user: each service logs in as its own role.
    database_url: String,
    migrate_url: String,
    nats_url: String,
}

impl Backing {
    pub(crate) fn start(state: &Path) -> Result<Backing> {
        let say = |line: &str| say!("    {line}");
        let given = |key| {
            env::var_os(key).and_then(|url| url.into_string().ok()).filter(|url| !url.is_empty())
        };
        let (postgres, database_url, migrate_url) = match (
            given("SITEPASS_DATABASE_URL"),
            given("SITEPASS_MIGRATE_DATABASE_URL"),
        ) {
            (Some(database), Some(migrate)) => (None, database, migrate),
            (None, None) => {
                servers::ensure_postgres(say)?;
                let postgres =
                    PrivatePostgres::start(&state.join("postgres"), Durability::Durable, None)?;
                let migrate = postgres.url("sitepass");
                (Some(postgres), migrate.replace("postgres@", ""), migrate)
            }
            _ => bail!(
                "give both SITEPASS_DATABASE_URL (without a user) and SITEPASS_MIGRATE_DATABASE_URL (of a superuser), or neither"
            ),
        };
        let (nats, nats_url) = if let Some(url) = given("SITEPASS_NATS_URL") {
            (None, url)
        } else {
            servers::ensure_nats(say)?;
            let nats = PrivateNats::start(&state.join("nats"), true, None)?;
            let url = nats.url();
            (Some(nats), url)
        };
        Ok(Backing { postgres, nats, database_url, migrate_url, nats_url })
    }

    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        [
            ("SITEPASS_DATABASE_URL", &self.database_url),
            ("SITEPASS_MIGRATE_DATABASE_URL", &self.migrate_url),
            ("SITEPASS_NATS_URL", &self.nats_url),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .to_vec()
    }

    /// Fails when a server of ours ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(postgres) = &mut self.postgres
            && let Some(status) = postgres.exited()
        {
            bail!("PostgreSQL ended by itself ({status}); see {}", postgres.log().display());
        }
        if let Some(nats) = &mut self.nats
            && let Some(status) = nats.exited()
        {
            bail!("NATS ended by itself ({status}); see {}", nats.log().display());
        }
        Ok(())
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.postgres {
            Some(own) => {
                write!(f, "PostgreSQL at 127.0.0.1:{} ({}), ", own.port(), own.bin_dir().display())
            }
            None => f.write_str("the PostgreSQL of SITEPASS_DATABASE_URL, "),
        }?;
        match &self.nats {
            Some(own) => write!(f, "NATS at 127.0.0.1:{}", own.port()),
            None => f.write_str("the NATS of SITEPASS_NATS_URL"),
        }
    }
}
