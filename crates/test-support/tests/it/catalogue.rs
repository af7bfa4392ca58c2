use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use test_support::{Database, services};

/// A table, whether row-level security is enabled and forced, its app role's policies, the other roles with one.
type Guarded = (String, bool, bool, Option<String>, Option<String>);

const DENIED: &str = "42501";

/// Of each service, without a site: what its events, jobs and migrations go by.
const PLATFORM: [&str; 10] = [
    "_sqlx_migrations",
    "announcements",
    "consumers",
    "idempotency_keys",
    "inbox",
    "job_runs",
    "jobs",
    "outbox",
    "parked_events",
    "relay_state",
];

/// Tables whose rows are of no one site: people, firms and accounts are on several, their sign-ins and phones on none, and
/// what is counted or sealed is so for the whole installation. Whoever reads one asks by an id, or filters it.
const GLOBAL: [&str; 20] = [
    "access_grant.bindings",
    "access_grant.door_log",
    "access_grant.worker_versions",
    "audit.alarms",
    "audit.checkpoints",
    "device.nonces",
    "device.workers",
    "directory.accounts",
    "directory.attempts",
    "directory.bindings",
    "directory.contractors",
    "directory.refresh_families",
    "directory.refresh_tokens",
    "directory.sign_in_attempts",
    "directory.sms_codes",
    "directory.wechat_users",
    "directory.workers",
    "notification.consents",
    "notification.workers",
    "ticket.worker_bindings",
];

/// A schema's tables, and whether each is a partition: those open to nobody, only through their parent.
async fn tables(admin: &PgPool, schema: &str) -> Vec<(String, bool)> {
    sqlx::query_as(
        "SELECT relname::text, relispartition FROM pg_class
         WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p')",
    )
    .bind(schema)
    .fetch_all(admin)
    .await
    .unwrap()
}

async fn refusal(conn: &mut PgConnection, statement: String) -> Option<String> {
    let err = sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await.err()?;
    Some(err.as_database_error().unwrap().code().unwrap().into_owned())
}

#[tokio::test]
async fn no_service_can_read_another_services_tables() {
    let database = Database::create().await;
    let admin = database.admin();
    let schemas: Vec<String> =
        services().iter().map(|service| service::migrate::schema(service)).collect();
    assert!(schemas.len() > 1, "there are services to keep apart");
    for reader in &schemas {
        let options = database.options().username(&format!("sitepass_{reader}_app"));
        for role in ["app", "system"] {
            let mut conn = PgConnection::connect_with(&options).await.unwrap();
            let role = format!("SET ROLE sitepass_{reader}_{role}");
            assert_eq!(refusal(&mut conn, role).await, None);
            for owner in &schemas {
                for (table, partition) in tables(&admin, owner).await {
                    let own = owner == reader && !partition && table != "_sqlx_migrations";
                    let expected = (!own).then(|| DENIED.to_owned());
                    let read = format!("SELECT 1 FROM {owner}.{table} LIMIT 0");
                    assert_eq!(
                        refusal(&mut conn, read).await,
                        expected,
                        "{reader} reads {owner}.{table}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn no_service_can_become_another_role_than_its_own_two() {
    let database = Database::create().await;
    let schemas: Vec<String> =
        services().iter().map(|service| service::migrate::schema(service)).collect();
    for service in &schemas {
        let options = database.options().username(&format!("sitepass_{service}_app"));
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        for other in &schemas {
            for role in ["app", "system", "owner"] {
                let own = other == service && role != "owner";
                let expected = (!own).then(|| DENIED.to_owned());
                let become_role = format!("SET ROLE sitepass_{other}_{role}");
                assert_eq!(
                    refusal(&mut conn, become_role).await,
                    expected,
                    "{service} becomes {other} {role}"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_table_with_a_site_is_under_forced_row_level_security() {
    let database = Database::create().await;
    let tables: Vec<Guarded> = sqlx::query_as(
        "SELECT n.nspname || '.' || c.relname, c.relrowsecurity, c.relforcerowsecurity,
                (SELECT string_agg(p.qual || ' / ' || p.with_check, ';') FROM pg_policies p
                 WHERE p.schemaname = n.nspname AND p.tablename = c.relname
                   AND p.roles = ARRAY[format('sitepass_%s_app', n.nspname)::name]),
                (SELECT string_agg(p.roles::text, ';') FROM pg_policies p
                 WHERE p.schemaname = n.nspname AND p.tablename = c.relname
                   AND p.roles <> ARRAY[format('sitepass_%s_app', n.nspname)::name])
         FROM pg_attribute a
         JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE a.attname = 'site_id' AND n.nspname NOT LIKE 'pg\\_%'
         ORDER BY 1",
    )
    .fetch_all(&database.admin())
    .await
    .unwrap();
    assert!(!tables.is_empty(), "there are tables to look at");
    for (table, enabled, forced, of_app, of_others) in tables {
        let schema = table.split('.').next().unwrap();
        let sites =
            format!("(site_id = ANY (( SELECT {schema}.app_sites() AS app_sites)::uuid[]))");
        assert!(enabled && forced, "{table} has row-level security enabled and forced");
        assert_eq!(
            of_app.as_deref(),
            Some(format!("{sites} / {sites}").as_str()),
            "policy of {table}"
        );
        assert_eq!(
            of_others,
            Some(format!("{{sitepass_{schema}_system}}")),
            "{table} opens to the system role only"
        );
    }
}

#[tokio::test]
async fn a_table_that_every_site_s_transaction_sees_whole_is_listed_here() {
    let database = Database::create().await;
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND NOT c.relrowsecurity
           AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'",
    )
    .fetch_all(&database.admin())
    .await
    .unwrap();
    let found: BTreeSet<String> =
        tables.iter().map(|(schema, table)| format!("{schema}.{table}")).collect();
    let platform = services().into_iter().flat_map(|service| {
        let schema = service::migrate::schema(&service);
        PLATFORM.map(|table| format!("{schema}.{table}"))
    });
    let listed: BTreeSet<String> = platform.chain(GLOBAL.map(str::to_owned)).collect();
    let unlisted: Vec<&String> = found.difference(&listed).collect();
    let gone: Vec<&String> = listed.difference(&found).collect();
    assert!(unlisted.is_empty(), "give them a site, or say in GLOBAL why none: {unlisted:?}");
    assert!(gone.is_empty(), "no longer without a site: {gone:?}");
}

#[tokio::test]
async fn roles_that_serve_own_nothing_and_bypass_nothing() {
    let database = Database::create().await;
    let owned: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, r.rolname::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
         WHERE r.rolname LIKE 'sitepass\\_%\\_app' OR r.rolname LIKE 'sitepass\\_%\\_system'",
    )
    .fetch_all(&database.admin())
    .await
    .unwrap();
    assert_eq!(owned, []);
    let powers: Vec<(String, bool)> = sqlx::query_as(
        "SELECT rolname::text, rolsuper OR rolbypassrls OR rolinherit OR rolcreaterole OR rolcreatedb
                               OR (rolcanlogin AND rolname NOT LIKE '%\\_app')
         FROM pg_roles WHERE rolname LIKE 'sitepass\\_%'",
    )
    .fetch_all(&database.admin())
    .await
    .unwrap();
    assert!(!powers.is_empty());
    for (role, too_much) in powers {
        assert!(!too_much, "{role} holds no more than it needs");
    }
}
