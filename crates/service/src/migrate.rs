//! Brings one service's schema up to date: its roles and functions, the platform's tables, its own tables.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;

use sqlx::migrate::{MigrateDatabase, MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};

const BOOTSTRAP: &str = include_str!("migrate/bootstrap.sql");
static PLATFORM: Migrator = sqlx::migrate!("../../migrations/platform");

/// Versions below are the platform's.
const FIRST_OF_A_SERVICE: i64 = 1001;
/// Bootstraps of other databases touch the same cluster-wide roles; the loser of such a race tries again.
const BOOTSTRAP_ATTEMPTS: u32 = 10;

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no service's name: lower-case letters with - or _ between")]
    Name(String),
    #[error("the migrations' versions must start at {FIRST_OF_A_SERVICE}, one is {0}")]
    Version(i64),
    #[error("roles, schema or functions could not be made")]
    Bootstrap(#[source] sqlx::Error),
    #[error("a migration failed")]
    Migration(#[from] MigrateError),
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
}

/// A service's schema: its name with `_`. Also the middle of its roles' names.
pub fn schema(service: &str) -> String {
    service.replace('-', "_")
}

/// Reads a service's migrations from a folder, for tools and tests; services embed theirs.
pub async fn from_folder(folder: &Path) -> Result<Migrator, Error> {
    Ok(Migrator::new(folder).await?)
}

/// Creates the database the URL names if it is missing.
pub async fn create_database(admin_url: &str) -> Result<(), Error> {
    if !Postgres::database_exists(admin_url).await? {
        Postgres::create_database(admin_url).await?;
    }
    Ok(())
}

/// Runs the bootstrap, then the platform's and the service's pending migrations as the schema's owner.
/// `admin_url` logs in a role that may create roles. A second run changes nothing; two at once queue up.
pub async fn migrate(admin_url: &str, service: &str, migrations: &Migrator) -> Result<(), Error> {
    let schema = schema(service);
    let named = schema.starts_with(|c: char| c.is_ascii_lowercase())
        && schema.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if !named {
        return Err(Error::Name(service.to_owned()));
    }
    let merged = merged(migrations)?;
    let options = PgConnectOptions::from_str(admin_url)?.application_name("sitepass migrate");
    let mut conn = PgConnection::connect_with(&options).await?;
    bootstrap(&mut conn, &schema).await?;
    let owner = format!("SET ROLE sitepass_{schema}_owner; SET search_path TO {schema}");
    sqlx::raw_sql(AssertSqlSafe(owner)).execute(&mut conn).await?;
    merged.run_direct(None, &mut conn, false).await?;
    conn.close().await?;
    Ok(())
}

/// Sets the password the service's pool logs in with.
pub async fn set_password(admin_url: &str, service: &str, password: &str) -> Result<(), Error> {
    let mut conn = PgConnection::connect(admin_url).await?;
    let statement: String =
        sqlx::query_scalar("SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)")
            .bind(format!("sitepass_{}_app", schema(service)))
            .bind(password)
            .fetch_one(&mut conn)
            .await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
    Ok(())
}

fn merged(migrations: &Migrator) -> Result<Migrator, Error> {
    if let Some(early) = migrations.iter().find(|migration| migration.version < FIRST_OF_A_SERVICE)
    {
        return Err(Error::Version(early.version));
    }
    let mut all: Vec<Migration> = PLATFORM.iter().chain(migrations.iter()).cloned().collect();
    all.sort();
    Ok(Migrator { migrations: Cow::Owned(all), ..Migrator::DEFAULT })
}

async fn bootstrap(conn: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let script = BOOTSTRAP.replace("{service}", schema);
    let mut attempt = 1;
    loop {
        let Err(err) = sqlx::raw_sql(AssertSqlSafe(script.clone())).execute(&mut *conn).await
        else {
            return Ok(());
        };
        sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await?;
        // XX000 is "tuple concurrently updated": PostgreSQL's catalogue does not wait for the other writer.
        let raced = err
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| code == "XX000");
        if !raced || attempt == BOOTSTRAP_ATTEMPTS {
            return Err(Error::Bootstrap(err));
        }
        attempt += 1;
    }
}
