//! Whoever carries out a command leaves an entry of it in the audit log, found by the trace it was asked in.

use sqlx::{Connection, PgConnection};
use test_support::eventually;
use tokio::sync::Mutex;

/// What leaves none here, and why.
const SILENT: [(&str, &str); 4] = [
    ("POST /api/admin/work-tickets/search", "a question"),
    ("POST /api/admin/workers/search", "a question"),
    ("POST /api/admin/work-tickets/{ticket_id}/publish", "it was published when it was made"),
    ("PATCH /api/admin/contractors/{contractor_id}", "renamed, it would lose its people"),
];

/// What changes nothing where it is so already: one of its calls leaves an entry.
const ONCE: [&str; 2] = [
    "POST /api/admin/work-tickets/{ticket_id}/cancel",
    "POST /api/admin/work-tickets/{ticket_id}/workers",
];

/// A command that was carried out.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) route: String,
    pub(super) trace: String,
}

pub(super) async fn left_an_entry_each(database_url: &str, carried: &[Carried]) {
    let conn = Mutex::new(PgConnection::connect(database_url).await.unwrap());
    // Beside what services tell of it, and of a site being looked at.
    let is_recorded = async |traces: &[&str]| {
        let any = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM audit.entries WHERE trace_id = ANY ($1)
             AND event_type LIKE '%.CommandAudited' AND action <> 'site.cross')",
        );
        let any: bool = any.bind(traces).fetch_one(&mut *conn.lock().await).await.unwrap();
        any
    };
    let is_silent = |route: &str| SILENT.iter().any(|(silent, _)| *silent == route);
    for Carried { route, trace } in carried.iter().filter(|carried| !is_silent(&carried.route)) {
        let alike = carried.iter().filter(|one| one.route == *route);
        let traces: Vec<&str> = if ONCE.contains(&route.as_str()) {
            alike.map(|one| one.trace.as_str()).collect()
        } else {
            vec![trace]
        };
        // It reaches the log through the broker.
        let what = format!("an entry of {route}");
        eventually(&what, async || is_recorded(&traces).await.then_some(())).await;
    }
    for Carried { route, trace } in carried.iter().filter(|carried| is_silent(&carried.route)) {
        assert!(!is_recorded(&[trace]).await, "{route} left an entry: it is no exception");
    }
}
