//! A server that is gone without a word: its connections stay open, and nothing comes on them any more.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions as NatsOptions, ServerAddr};
use service::config::DatabaseConfig;
use service::migrate::migrate;
use service::{Scope, Store, StoreError};
use sqlx::ConnectOptions;
use sqlx::migrate::Migrator;
use test_support::{Database, Nats, NetFault, Proxy, eventually};

/// On one pooled connection: whoever keeps it keeps every other from the database.
async fn through_a_proxy(database: &Database) -> (Proxy, Store) {
    migrate(&database.url(), "probe", &Migrator::with_migrations(vec![])).await.unwrap();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, database.options().get_port()));
    let proxy = Proxy::start(server, 1).await;
    let url = database.options().host("127.0.0.1").port(proxy.port()).to_url_lossy().to_string();
    let config = DatabaseConfig { url, max_connections: 1, ..database.config() };
    let store = Store::connect(&config, "probe").await.unwrap();
    store.ping().await.unwrap();
    eventually("the connection to be back in the pool", async || {
        let idle: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND usename = 'sitepass_probe_app' AND state = 'idle' AND query = 'ROLLBACK')",
        )
        .fetch_one(&database.admin())
        .await
        .unwrap();
        idle.then_some(())
    })
    .await;
    (proxy, store)
}

/// A connection made from now on works.
async fn until_it_answers(store: &Store) {
    eventually("a new connection", async || store.ping().await.ok()).await;
}

#[tokio::test]
async fn a_transaction_begun_on_a_dead_connection_is_refused_and_the_next_gets_a_new_one() {
    let database = Database::create().await;
    let (proxy, store) = through_a_proxy(&database).await;
    proxy.set(NetFault::HalfOpen);
    let begun = Instant::now();
    let refused = store.begin(Scope::Sites(vec![])).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    store.begin(Scope::Sites(vec![])).await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_statement_and_a_commit_without_an_answer_end_as_unavailable() {
    let database = Database::create().await;
    let ((proxy, store), (other_proxy, other)) =
        tokio::join!(through_a_proxy(&database), through_a_proxy(&database));
    let mut asking = store.begin(Scope::Sites(vec![])).await.unwrap();
    let committing = other.begin(Scope::Sites(vec![])).await.unwrap();
    let mut session = store.session(Duration::from_mins(1)).await.unwrap();
    proxy.set(NetFault::HalfOpen);
    other_proxy.set(NetFault::HalfOpen);
    let (asked, fetched, committed) = tokio::join!(
        sqlx::query("SELECT 1").execute(&mut *asking),
        sqlx::query("SELECT 1").fetch_optional(&mut session),
        committing.commit(),
    );
    for outcome in [
        asked.map(drop).map_err(StoreError::from),
        fetched.map(drop).map_err(StoreError::from),
        committed,
    ] {
        assert!(matches!(outcome, Err(StoreError::Unavailable)), "{outcome:?}");
    }
    drop(asking);
    until_it_answers(&store).await;
    until_it_answers(&other).await;
}

#[tokio::test]
async fn who_gives_up_a_transaction_on_a_dead_connection_takes_none_from_the_pool() {
    let database = Database::create().await;
    let (proxy, store) = through_a_proxy(&database).await;
    let mut given_up = store.begin(Scope::Sites(vec![])).await.unwrap();
    proxy.set(NetFault::HalfOpen);
    // As a request whose time is over.
    let asking = sqlx::query("SELECT 1").execute(&mut *given_up);
    assert!(tokio::time::timeout(Duration::from_millis(100), asking).await.is_err());
    drop(given_up);
    until_it_answers(&store).await;
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_connected_to_anew() {
    let broker = Nats::connect().await;
    let address: ServerAddr = broker.url().parse().unwrap();
    let proxy = Proxy::start((Ipv4Addr::LOCALHOST, address.port()).into(), 1).await;
    let url = format!("nats://127.0.0.1:{}", proxy.port());
    let nats = service::Nats::connect(NatsOptions::new(), &url).await.unwrap();
    let connects = nats.connects();
    proxy.set(NetFault::HalfOpen);
    let renewed = tokio::time::timeout(Duration::from_secs(20), nats.renewed(connects)).await;
    assert!(renewed.is_ok(), "it waits for a server that is gone");
}
