use proto::audit::v1::ListEntriesRequest;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::forger::force;
use crate::grpc::client;
use crate::outside::{Log, log};

/// A log whose entries differ: entry `n` happened `n` minutes after the start, by actor `n mod 3`, and so on.
async fn varied() -> Log {
    let log = log(12).await;
    force(
        &log.harness,
        "UPDATE audit.entries SET at = at + position * interval '1 minute', actor = 'account:' || position % 3,
             target_id = 't' || position % 4, target_type = 'type' || position % 2, action = 'act.' || position % 6;
         SELECT audit.reseal(1);",
    )
    .await;
    log
}

async fn found(log: &Log, ask: ListEntriesRequest) -> Vec<u64> {
    pages(log, ListEntriesRequest { limit: 2, ..ask }).await.concat()
}

/// The positions on each page, from the first to the last.
async fn pages(log: &Log, ask: ListEntriesRequest) -> Vec<Vec<u64>> {
    let mut client = log.client().await;
    let caller = log.harness.sysadmin(&[log.site]);
    let mut ask = ListEntriesRequest { site_id: log.site.to_string(), ..ask };
    let mut pages = Vec::new();
    loop {
        let page = client.list_entries(log.harness.request(&caller, ask.clone())).await.unwrap();
        let page = page.into_inner();
        pages.push(page.entries.iter().map(|entry| entry.position).collect());
        if page.next_cursor.is_empty() {
            return pages;
        }
        ask.cursor = page.next_cursor;
    }
}

impl Log {
    async fn client(
        &self,
    ) -> proto::audit::v1::audit_service_client::AuditServiceClient<service::grpc::Transport> {
        client(&self.harness, &self.outside).await
    }
}

#[tokio::test]
async fn each_filter_finds_its_entries_alone_and_with_others() {
    let log = varied().await;
    let text = |text: &str| text.to_owned();
    let minute = |minute: i64| {
        Some(prost_types::Timestamp { seconds: test_support::START + minute * 60, nanos: 0 })
    };
    let any = ListEntriesRequest::default;
    for (ask, wanted) in [
        (ListEntriesRequest { actor: text("account:1"), ..any() }, vec![10, 7, 4, 1]),
        (ListEntriesRequest { target_id: text("t1"), ..any() }, vec![9, 5, 1]),
        (ListEntriesRequest { target_type: text("type0"), ..any() }, vec![12, 10, 8, 6, 4, 2]),
        (ListEntriesRequest { action: text("act.5"), ..any() }, vec![11, 5]),
        (ListEntriesRequest { from: minute(5), to: minute(8), ..any() }, vec![7, 6, 5]),
        (
            ListEntriesRequest {
                actor: text("account:1"),
                target_type: text("type0"),
                from: minute(5),
                ..any()
            },
            vec![10],
        ),
        (ListEntriesRequest { target_id: text("t1"), actor: text("account:0"), ..any() }, vec![9]),
        (ListEntriesRequest { action: text("act.5"), target_type: text("type0"), ..any() }, vec![]),
        (
            ListEntriesRequest { action: text("act.5"), target_type: text("type1"), ..any() },
            vec![11, 5],
        ),
        (
            ListEntriesRequest { actor: text("account:2"), action: text("act.5"), ..any() },
            vec![11, 5],
        ),
        (ListEntriesRequest { actor: text("account:0"), action: text("act.5"), ..any() }, vec![]),
        (
            ListEntriesRequest {
                actor: text("account:2"),
                action: text("act.5"),
                target_type: text("type0"),
                ..any()
            },
            vec![],
        ),
        (
            ListEntriesRequest { actor: text("account:0"), target_type: text("type1"), ..any() },
            vec![9, 3],
        ),
        (any(), (1..=12).rev().collect()),
    ] {
        assert_eq!(found(&log, ask.clone()).await, wanted, "{ask:?}");
    }
    log.harness.stop().await;
}

#[tokio::test]
async fn a_page_of_long_entries_ends_early_and_the_next_goes_on_behind_it() {
    let log = log(60).await;
    force(&log.harness, r#"UPDATE audit.entries SET after = '"' || repeat('x', 80000) || '"'"#)
        .await;
    let pages = pages(&log, ListEntriesRequest { limit: 200, ..Default::default() }).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [39, 21]);
    assert_eq!(pages.concat(), (1..=60).rev().collect::<Vec<_>>());
    log.harness.stop().await;
}

/// What every statement of `store/search.rs` ends in.
const REST: &str =
    "AND at >= $6 AND (at, position) < ($7, $8) ORDER BY at DESC, position DESC LIMIT $9";

/// What the filters that lead make of it, the filters' values, and the index to be walked.
const LEADS: [(&str, &str, &str); 8] = [
    (
        "target_id = $2 AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR target_type = $5)",
        "'t1', NULL, NULL, NULL",
        "entries_by_target",
    ),
    (
        "$2::text IS NULL AND actor = $3 AND action = $4 AND ($5::text IS NULL OR target_type = $5)",
        "NULL, 'account:1', 'act.1', NULL",
        "entries_by_actor_and_action",
    ),
    (
        "$2::text IS NULL AND $4::text IS NULL AND actor = $3 AND target_type = $5",
        "NULL, 'account:1', NULL, 'type1'",
        "entries_by_actor_and_target_type",
    ),
    (
        "$2::text IS NULL AND $4::text IS NULL AND $5::text IS NULL AND actor = $3",
        "NULL, 'account:1', NULL, NULL",
        "entries_by_actor",
    ),
    (
        "$2::text IS NULL AND $3::text IS NULL AND action = $4 AND target_type = $5",
        "NULL, NULL, 'act.1', 'type1'",
        "entries_by_action_and_target_type",
    ),
    (
        "$2::text IS NULL AND $3::text IS NULL AND $5::text IS NULL AND action = $4",
        "NULL, NULL, 'act.1', NULL",
        "entries_by_action",
    ),
    (
        "$2::text IS NULL AND $3::text IS NULL AND $4::text IS NULL AND target_type = $5",
        "NULL, NULL, NULL, 'type1'",
        "entries_by_target_type",
    ),
    (
        "$2::text IS NULL AND $3::text IS NULL AND $4::text IS NULL AND $5::text IS NULL",
        "NULL, NULL, NULL, NULL",
        "entries_by_time",
    ),
];

/// The plan of such a statement for the service's own role, made for whatever its parameters will be.
async fn plan(log: &Log, lead: &str, value: &str) -> String {
    let role = log.harness.database.options().username("sitepass_audit_app");
    let mut conn = PgConnection::connect_with(&role).await.unwrap();
    let site = log.site;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE search (uuid, text, text, text, text, timestamptz, timestamptz, bigint, bigint) AS
         SELECT * FROM audit.entries WHERE site_id = $1 AND {lead} {REST};
         BEGIN; SET LOCAL app.sites = '{{{site}}}';"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut conn).await.unwrap();
    let explain =
        format!("EXPLAIN EXECUTE search ('{site}', {value}, '2026-01-01', '2027-01-01', 9, 21)");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut conn).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

/// A log with so many entries that a plan to read all of them is none to be made.
async fn long() -> Log {
    let log = varied().await;
    force(
        &log.harness,
        "INSERT INTO audit.entries
         SELECT site_id, 1000 + n, gen_random_uuid(), event_type, 'account:' || n % 50, role, 'act.' || n % 20,
                'type' || n % 10, 't' || n % 500, before, after, reason, address, trace_id,
                at + n * interval '1 second', previous_hash, hash
         FROM audit.entries, generate_series(1, 20000) AS n WHERE position = 1;
         ANALYZE audit.entries;",
    )
    .await;
    log
}

#[tokio::test]
async fn each_filter_walks_its_own_index_and_sorts_nothing() {
    let source = include_str!("../../src/store/search.rs");
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let log = long().await;
    assert!(source.contains(REST), "the statements end otherwise now");
    for (lead, value, index) in LEADS {
        assert!(source.contains(lead), "no statement is led by {lead}");
        let plan = plan(&log, lead, value).await;
        assert!(plan.contains(&format!("Backward using {index} ")), "{plan}");
        assert!(!plan.contains("Sort"), "{plan}");
        // The time and the cursor bound the walk: they are no filter of what was walked.
        let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap();
        assert!(condition.contains("ROW(at, ") && condition.contains("(at >= $6)"), "{plan}");
    }
}

#[tokio::test]
async fn the_last_place_of_each_site_is_found_without_reading_the_log() {
    let source = include_str!("../../src/store/entries.rs");
    let (_, statement) = source.split_once("r#\"WITH RECURSIVE").unwrap();
    let (statement, _) = statement.split_once("\"#").unwrap();
    let log = long().await;
    let role = log.harness.database.options().username("sitepass_audit_app");
    let mut conn = PgConnection::connect_with(&role).await.unwrap();
    let explain = format!("SET ROLE sitepass_audit_system; EXPLAIN WITH RECURSIVE {statement};");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut conn).await.unwrap();
    let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
    assert_eq!(plan.matches("Backward using entries_pkey").count(), 2, "{plan}");
    // A filter would pass every entry of a site on the way to the next.
    assert!(!["Seq Scan", "Sort", "Filter"].iter().any(|slow| plan.contains(slow)), "{plan}");
}
