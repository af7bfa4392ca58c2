use std::borrow::Cow;
use std::time::Duration;

use futures::StreamExt;
use service::config::DatabaseConfig;
use service::migrate::{self, migrate};
use service::{Scope, Store, StoreError, Tx};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, Executor, PgConnection, SqlSafeStr};
use test_support::{Database, eventually};
use types::SiteId;

const THINGS: &str =
    "CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY, site_id uuid NOT NULL);
    SELECT protect_by_site('things');
    CREATE TABLE steps (id bigint PRIMARY KEY, site_id uuid NOT NULL);
    SELECT protect_by_site('steps', 'SELECT, INSERT');";

fn migrations(version: i64) -> Migrator {
    let name = Cow::Borrowed("things");
    Migrator::with_migrations(vec![Migration::new(
        version,
        name,
        MigrationType::Simple,
        THINGS.into_sql_str(),
        false,
    )])
}

/// A service of the test's own on one pooled connection, so that each transaction reuses it.
async fn probe(database: &Database) -> Store {
    migrate(&database.url(), "probe", &migrations(1001)).await.unwrap();
    let config = DatabaseConfig { max_connections: 1, ..database.config() };
    Store::connect(&config, "probe").await.unwrap()
}

async fn insert(tx: &mut Tx, site: SiteId) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO things (site_id) VALUES ($1)")
        .bind(site.as_uuid())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn insert_and_commit(store: &Store, site: SiteId) {
    let mut tx = store.begin(Scope::Site(site)).await.unwrap();
    insert(&mut tx, site).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seen(tx: &mut Tx) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(&mut **tx).await.unwrap()
}

#[tokio::test]
async fn a_transaction_sees_the_sites_of_its_scope_only() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let (here, there) = (SiteId::new(), SiteId::new());
    insert_and_commit(&store, here).await;
    insert_and_commit(&store, there).await;

    for (scope, rows) in [
        (Scope::Site(here), 1),
        (Scope::System("see all"), 2),
        (Scope::Sites(vec![]), 0),
        (Scope::Sites(vec![here, there]), 2),
        (Scope::Site(SiteId::new()), 0),
    ] {
        let mut tx = store.begin(scope.clone()).await.unwrap();
        assert_eq!(seen(&mut tx).await, rows, "{scope}");
    }
}

#[tokio::test]
async fn a_row_of_another_site_cannot_be_written() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let mut tx = store.begin(Scope::Site(SiteId::new())).await.unwrap();
    let refused = insert(&mut tx, SiteId::new()).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
}

#[tokio::test]
async fn an_error_names_its_cause_and_does_not_show_the_row() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let site = SiteId::new();
    let mut tx = store.begin(Scope::Site(site)).await.unwrap();
    let twice = sqlx::query(
        "INSERT INTO steps (id, site_id) SELECT 8675309, $1 FROM generate_series(1, 2)",
    )
    .bind(site.as_uuid())
    .execute(&mut *tx)
    .await;
    let refused = StoreError::from(twice.unwrap_err());
    for text in [refused.to_string(), format!("{refused:?}")] {
        assert!(text.contains("steps_pkey") && !text.contains("8675309"), "{text}");
    }
}

#[tokio::test]
async fn a_scope_ends_with_its_transaction() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let site = SiteId::new();
    insert_and_commit(&store, site).await;

    let options =
        database.options().username("sitepass_probe_app").options([("search_path", "probe")]);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let count = "SELECT count(*) FROM things";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut conn).await.unwrap(), 0);
    for end in ["COMMIT", "ROLLBACK"] {
        for begin in [
            format!("BEGIN; SET LOCAL app.sites = '{{{site}}}'"),
            "BEGIN; SET LOCAL ROLE sitepass_probe_system".to_owned(),
        ] {
            conn.execute(sqlx::AssertSqlSafe(begin)).await.unwrap();
            assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut conn).await.unwrap(), 1);
            conn.execute(end).await.unwrap();
            assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut conn).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_pooled_connection_carries_no_scope_over() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let (here, there) = (SiteId::new(), SiteId::new());
    insert_and_commit(&store, here).await;

    // Dropped, not committed: the rollback too must take the scope away.
    drop(store.begin(Scope::System("see all")).await.unwrap());
    let mut tx = store.begin(Scope::Site(there)).await.unwrap();
    assert_eq!(seen(&mut tx).await, 0);
    let user: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(user, "sitepass_probe_app");
    tx.commit().await.unwrap();
    let mut tx = store.begin(Scope::Sites(vec![])).await.unwrap();
    assert_eq!(seen(&mut tx).await, 0);
}

#[tokio::test]
async fn what_is_append_only_cannot_be_changed() {
    let database = Database::create().await;
    let store = probe(&database).await;
    for scope in [Scope::Site(SiteId::new()), Scope::System("try")] {
        for statement in ["UPDATE steps SET id = 2", "DELETE FROM steps", "TRUNCATE steps"] {
            let mut tx = store.begin(scope.clone()).await.unwrap();
            let refused = tx.execute(statement).await.unwrap_err();
            assert_eq!(
                refused.as_database_error().unwrap().code().as_deref(),
                Some("42501"),
                "{statement}"
            );
        }
    }
}

#[tokio::test]
async fn a_transaction_with_a_failed_statement_does_not_commit() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let site = SiteId::new();
    let mut tx = store.begin(Scope::Site(site)).await.unwrap();
    insert(&mut tx, site).await.unwrap();
    // Swallowed, as careless code might.
    tx.execute("SELECT 1 / 0").await.unwrap_err();
    assert!(tx.commit().await.is_err());
    let mut tx = store.begin(Scope::Site(site)).await.unwrap();
    assert_eq!(seen(&mut tx).await, 0);
}

#[tokio::test]
async fn commits_wake_those_who_watch() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let mut changed = store.changed();
    let site = SiteId::new();
    let mut tx = store.begin(Scope::Site(site)).await.unwrap();
    insert(&mut tx, site).await.unwrap();
    drop(tx);
    assert!(!changed.has_changed().unwrap());
    insert_and_commit(&store, site).await;
    changed.changed().await.unwrap();
}

#[tokio::test]
async fn connections_the_server_has_closed_are_replaced_unnoticed() {
    let database = Database::create().await;
    let store = probe(&database).await;
    store.ping().await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'sitepass_probe_app' AND datname = current_database()")
        .execute(&database.admin())
        .await
        .unwrap();
    let mut tx = store.begin(Scope::Sites(vec![])).await.unwrap();
    assert_eq!(seen(&mut tx).await, 0);
}

#[tokio::test]
async fn a_session_whose_process_stops_amid_a_large_answer_loses_its_locks() {
    let database = Database::create().await;
    let store = probe(&database).await;
    let mut stopped = store.session(Duration::from_millis(500)).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut stopped).await.unwrap();
    let much = "SELECT repeat('x', 1000000) FROM generate_series(1, 1000)";
    let mut answer = sqlx::query(much).fetch(&mut stopped);
    assert!(answer.next().await.is_some_and(|row| row.is_ok()));
    let admin = database.admin();
    eventually("the end of the session", async || {
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let held: i64 = sqlx::query_scalar(held).fetch_one(&admin).await.unwrap();
        (held == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_and_no_obstacle_to_starting() {
    let config = DatabaseConfig {
        url: "postgres://127.0.0.1:1/nowhere".to_owned(),
        password: None,
        max_connections: 1,
    };
    let store = Store::connect(&config, "probe").await.unwrap();
    let refused = store.begin(Scope::System("try")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
}

#[tokio::test]
async fn migrating_twice_changes_nothing_and_the_platforms_versions_are_its_own() {
    let database = Database::create().await;
    for _ in 0..2 {
        migrate(&database.url(), "probe", &migrations(1001)).await.unwrap();
    }
    let early = migrate(&database.url(), "probe", &migrations(7)).await;
    assert!(matches!(early, Err(migrate::Error::Version(7))), "{early:?}");
    let named = migrate(&database.url(), "probe; DROP", &migrations(1001)).await;
    assert!(matches!(named, Err(migrate::Error::Name(_))), "{named:?}");
}
