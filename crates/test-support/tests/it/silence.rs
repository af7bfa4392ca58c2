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
async fn a_transaction_given_up_while_it_begins_leaves_its_scope_to_nobody() {
    let database = Database::create().await;
    let (proxy, store) = through_a_proxy(&database).await;
    proxy.set(NetFault::Latency(Duration::from_millis(300)));
    // As a request whose time is over.
    let begin = store.begin(Scope::System("a request"));
    assert!(tokio::time::timeout(Duration::from_millis(100), begin).await.is_err());
    proxy.set(NetFault::None);
    let mut next = store.begin(Scope::Sites(vec![])).await.unwrap();
    let role = sqlx::query_scalar::<_, String>("SELECT current_user::text");
    assert_eq!(role.fetch_one(&mut *next).await.unwrap(), "sitepass_probe_app");
}

#[tokio::test]
async fn a_statement_and_a_commit_without_an_answer_end_as_unavailable() {
    let (database, other_database) = tokio::join!(Database::create(), Database::create());
    let ((proxy, store), (other_proxy, other)) =
        tokio::join!(through_a_proxy(&database), through_a_proxy(&other_database));
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
async fn a_transaction_one_of_whose_answers_did_not_come_is_not_committed_when_the_way_is_there_again()
 {
    let database = Database::create().await;
    let (proxy, store) = through_a_proxy(&database).await;
    let mut tx = store.begin(Scope::Sites(vec![])).await.unwrap();
    // There and back in 18 s at least.
    proxy.set(NetFault::Latency(Duration::from_secs(12)));
    let asked = sqlx::query("SELECT 1").execute(&mut *tx).await.map_err(StoreError::from);
    assert!(matches!(asked, Err(StoreError::Unavailable)), "{asked:?}");
    proxy.set(NetFault::None);
    // Swallowed, as careless code might.
    let committed = tx.commit().await;
    assert!(matches!(committed, Err(StoreError::Unavailable)), "{committed:?}");
}

#[tokio::test]
async fn a_statement_whose_caller_has_gone_is_given_up_by_the_server_too() {
    let database = Database::create().await;
    let (_proxy, store) = through_a_proxy(&database).await;
    let mut given_up = store.begin(Scope::Sites(vec![])).await.unwrap();
    let begun = Instant::now();
    let asking = sqlx::query("SELECT pg_sleep(9.5)").execute(&mut *given_up);
    assert!(tokio::time::timeout(Duration::from_millis(100), asking).await.is_err());
    drop(given_up);
    eventually("the server to stop", async || {
        let works: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND query LIKE 'SELECT pg_sleep%')",
        )
        .fetch_one(&database.admin())
        .await
        .unwrap();
        (!works).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
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
