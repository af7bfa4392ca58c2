use std::path::PathBuf;
use std::str::FromStr;

use service::config::{DatabaseConfig, Env};
use service::{Store, migrate};
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use types::EventId;

use crate::blocking::blocking;

const KEY: &str = "SITEPASS_TEST_DATABASE_URL";
/// Serialises the making of templates in one cluster.
const TEMPLATE_LOCK: i64 = 0x5174_e9a5;
const CONNECTIONS: u32 = 4;

/// A database of one's own with every service's schema, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Copies a fresh database from the template, which is made once for each state of the migrations.
    ///
    /// # Panics
    /// Without a test server, and when a migration fails.
    pub async fn create() -> Self {
        let url: Option<String> = Env::from_process().optional(KEY).ok().flatten();
        let url = url
            .unwrap_or_else(|| panic!("{KEY} is not set: run the tests with `cargo xtask test`"));
        let server = PgConnectOptions::from_str(&url).expect("a PostgreSQL URL");
        let name = format!("sitepass_test_{}", EventId::new().as_uuid().simple());
        let schemas = schemas();
        let template = format!("sitepass_template_{}", fingerprint(&schemas));
        let mut conn = PgConnection::connect_with(&server).await.expect("the test server answers");
        // Another state of the migrations may drop the template in between; then it is made again.
        for attempt in 1.. {
            make_template(&mut conn, &server, &template, &schemas).await;
            let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
            match sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut conn).await {
                Ok(_) => break,
                Err(err) if attempt == 5 => panic!("no copy of {template}: {err}"),
                Err(_) => {}
            }
        }
        // A copy has the template's tables and not its rights on the database itself.
        let roles: Vec<String> = schemas
            .iter()
            .map(|(service, _)| format!("sitepass_{}_app", migrate::schema(service)))
            .collect();
        let connect = format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {}",
            roles.join(", ")
        );
        run(&mut conn, connect).await;
        Self { server, name }
    }

    /// The tables of `service` as its own app role sees them.
    ///
    /// # Panics
    /// Never: the URL was parsed before.
    pub async fn store(&self, service: &'static str) -> Store {
        Store::connect(&self.config(), service).await.expect("the test server's URL parses")
    }

    /// What a service is configured with to use this database.
    pub fn config(&self) -> DatabaseConfig {
        DatabaseConfig { url: self.url(), password: None, max_connections: CONNECTIONS }
    }

    /// The database's URL, logging in as the test server's administrator.
    pub fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// A pool of the administrator, for looking behind row-level security.
    pub fn admin(&self) -> PgPool {
        PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(self.options())
    }

    /// How a role logs in to this database; under trust no password is asked.
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Best effort: the test's cluster is thrown away whole.
        blocking(async move {
            if let Ok(mut conn) = PgConnection::connect_with(&server).await {
                sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut conn).await.ok();
            }
        });
    }
}

/// Every service with migrations, by name: those are the schemas of a database.
pub fn services() -> Vec<String> {
    schemas().into_iter().map(|(service, _)| service).collect()
}

/// Brings every service's schema up to date on a server of a test's own; `admin_url` names the database.
///
/// # Panics
/// When a migration fails.
pub async fn migrate_all(admin_url: &str) {
    migrate::create_database(admin_url).await.expect("the database can be made");
    for (service, folder) in schemas() {
        let migrations = migrate::from_folder(&folder).await.expect("the migrations can be read");
        let migrated = migrate::migrate(admin_url, &service, &migrations).await;
        migrated.unwrap_or_else(|err| panic!("{service} cannot be migrated: {err:?}"));
    }
}

fn migrations() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

fn schemas() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(migrations()).expect("the workspace has migrations");
    let mut schemas: Vec<(String, PathBuf)> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|folder| {
            (folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), folder)
        })
        .filter(|(service, _)| service != "platform")
        .collect();
    schemas.sort();
    schemas
}

/// Changes with each migration file, the platform's and the bootstrap included.
fn fingerprint(schemas: &[(String, PathBuf)]) -> String {
    let bootstrap =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../service/src/migrate/bootstrap.sql");
    let mut files = vec![bootstrap];
    for folder in
        schemas.iter().map(|(_, folder)| folder.clone()).chain([migrations().join("platform")])
    {
        let entries = std::fs::read_dir(folder).expect("a folder of migrations");
        files.extend(entries.map(|entry| entry.expect("the folder can be read").path()));
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(&file).expect("a migration can be read"));
    }
    hex::encode(&hash.finalize()[..8])
}

async fn make_template(
    conn: &mut PgConnection,
    server: &PgConnectOptions,
    template: &str,
    schemas: &[(String, PathBuf)],
) {
    if exists(conn, template).await {
        return;
    }
    run(conn, format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    if !exists(conn, template).await {
        for old in templates(conn).await {
            // Fails while a copy is being taken from it; then it stays for another time.
            sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {old}")))
                .execute(&mut *conn)
                .await
                .ok();
        }
        let making = format!("{template}_making");
        run(conn, format!("CREATE DATABASE {making}")).await;
        let url = server.clone().database(&making).to_url_lossy().to_string();
        for (service, folder) in schemas {
            let migrations: Migrator =
                migrate::from_folder(folder).await.expect("the migrations can be read");
            let migrated = migrate::migrate(&url, service, &migrations).await;
            migrated.unwrap_or_else(|err| panic!("{service} cannot be migrated: {err:?}"));
        }
        run(conn, format!("ALTER DATABASE {making} RENAME TO {template}")).await;
    }
    run(conn, format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
}

async fn exists(conn: &mut PgConnection, database: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(conn)
        .await
        .expect("the test server answers")
}

/// Templates of other states of the migrations, and halves that a killed run left.
async fn templates(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'sitepass\\_template\\_%'",
    )
    .fetch_all(conn)
    .await
    .expect("the test server answers")
}

async fn run(conn: &mut PgConnection, statement: String) {
    let shown = statement.clone();
    let result = sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await;
    result.unwrap_or_else(|err| panic!("{shown}: {err}"));
}
