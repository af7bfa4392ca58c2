//! Every table with a site, full of a day's rows, as its own service's role sees it: nothing without a scope, nothing
//! of another site.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use types::SiteId;

/// Rows of each table that a scope shows; none is no transaction's scope at all.
async fn rows(conn: &mut PgConnection, tables: &[String], scope: Option<&str>) -> Vec<i64> {
    if let Some(site) = scope {
        let begin = format!("BEGIN; SET LOCAL app.sites = '{{{site}}}'");
        conn.execute(AssertSqlSafe(begin)).await.unwrap();
    }
    let mut counts = Vec::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        counts.push(sqlx::query_scalar(count).fetch_one(&mut *conn).await.unwrap());
    }
    if scope.is_some() {
        conn.execute("COMMIT").await.unwrap();
    }
    counts
}

pub(super) async fn hold_a_site_apart(database_url: &str, site: &str, wrong: &mut Vec<String>) {
    let (mut seen, mut filled) = (0, 0);
    for service in test_support::services() {
        let schema = service::migrate::schema(&service);
        let options: PgConnectOptions = database_url.parse().unwrap();
        let options = options.username(&format!("sitepass_{schema}_app"));
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relrowsecurity AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
        )
        .bind(&schema)
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let own = rows(&mut conn, &tables, Some(site)).await;
        // On the connection that has just seen it all.
        let none = rows(&mut conn, &tables, None).await;
        let foreign = rows(&mut conn, &tables, Some(&SiteId::new().to_string())).await;
        seen += tables.len();
        filled += own.iter().filter(|count| **count > 0).count();
        for ((table, none), foreign) in tables.iter().zip(none).zip(foreign) {
            if none != 0 || foreign != 0 {
                wrong.push(format!(
                    "{table} shows {none} rows without a scope, {foreign} of another"
                ));
            }
        }
    }
    assert!(seen > 25 && filled > 15, "{seen} tables with a site, {filled} of them with rows");
}
