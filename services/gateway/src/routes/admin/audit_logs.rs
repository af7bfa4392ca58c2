use chrono::{DateTime, Utc};
use proto::audit::v1::{self as audit, ListEntriesRequest, VerifyChainRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Scrolled, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::request::Query;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_audit_logs)).routes(routes!(verify_audit_logs))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Uuid,
    actor: Option<String>,
    target_id: Option<String>,
    action: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 20 when not given.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
struct ChainOf {
    site_id: Uuid,
}

#[derive(Serialize, ToSchema)]
struct Entry {
    site_id: Option<String>,
    /// From 1, without gaps, per site.
    position: u64,
    event_id: String,
    event_type: String,
    actor: String,
    role: Option<String>,
    action: String,
    target_type: String,
    target_id: String,
    before: Value,
    after: Value,
    reason: Option<String>,
    address: Option<String>,
    trace_id: Option<String>,
    at: Option<DateTime<Utc>>,
    previous_hash: String,
    hash: String,
}

impl From<audit::Entry> for Entry {
    fn from(entry: audit::Entry) -> Self {
        // Empty where there is nothing to compare.
        let compared = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        Self {
            before: compared(&entry.before),
            after: compared(&entry.after),
            site_id: some(entry.site_id),
            position: entry.position,
            event_id: entry.event_id,
            event_type: entry.event_type,
            actor: entry.actor,
            role: some(entry.role),
            action: entry.action,
            target_type: entry.target_type,
            target_id: entry.target_id,
            reason: some(entry.reason),
            address: some(entry.address),
            trace_id: some(entry.trace_id),
            at: instant(entry.at),
            previous_hash: entry.previous_hash,
            hash: entry.hash,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Chain {
    intact: bool,
    entries: u64,
    head_hash: String,
    /// The first position that does not fit; null when intact.
    broken_at: Option<u64>,
    problem: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/admin/audit-logs",
    tag = "audit",
    params(Filter),
    responses((status = 200, body = Enveloped<Scrolled<Entry>>))
)]
async fn list_audit_logs(call: Call, Query(filter): Query<Filter>) -> Answer<Scrolled<Entry>> {
    let message = ListEntriesRequest {
        site_id: filter.site_id.to_string(),
        actor: filter.actor.unwrap_or_default(),
        target_id: filter.target_id.unwrap_or_default(),
        action: filter.action.unwrap_or_default(),
        from: filter.from.map(proto::timestamp),
        to: filter.to.map(proto::timestamp),
        cursor: filter.cursor.unwrap_or_default(),
        limit: filter.page_size.unwrap_or(types::Page::DEFAULT_SIZE),
    };
    let found = ask!(call.audit.list_entries(message)).await?;
    let items = found.entries.into_iter().map(Into::into).collect();
    answer(Scrolled { items, next_cursor: some(found.next_cursor) })
}

/// Recomputes the hash chain of a site from its first entry.
#[utoipa::path(
    get,
    path = "/api/admin/audit-logs/verify",
    tag = "audit",
    params(ChainOf),
    responses((status = 200, body = Enveloped<Chain>))
)]
async fn verify_audit_logs(call: Call, Query(of): Query<ChainOf>) -> Answer<Chain> {
    let message = VerifyChainRequest { site_id: of.site_id.to_string() };
    let chain = ask!(call.audit.verify_chain(message)).await?;
    answer(Chain {
        intact: chain.intact,
        entries: chain.entries,
        head_hash: chain.head_hash,
        broken_at: (chain.broken_at != 0).then_some(chain.broken_at),
        problem: some(chain.problem),
    })
}
