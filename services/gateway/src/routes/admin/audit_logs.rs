use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use futures::future::join_all;
use http::{HeaderValue, header};
use proto::audit::v1::{
    self as audit, ExportEntriesRequest, ListEntriesRequest, VerifyChainRequest,
};
use proto::directory::v1::GetAccountRequest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Scrolled, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Query, id};

/// A chain of many entries takes its time; the edge waits as long.
const PATIENCE: Duration = Duration::from_secs(55);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_audit_logs))
        .routes(routes!(verify_audit_logs))
        .routes(routes!(export_audit_logs))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    /// What belongs to no site when absent.
    site_id: Option<Uuid>,
    /// `account:<id>`, `worker:<id>`, `device:<id>` or `service:<name>`.
    actor: Option<String>,
    target_type: Option<String>,
    target_id: Option<String>,
    action: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 20 when not given.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// The same as `page_size`.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
struct ChainOf {
    /// What belongs to no site when absent.
    site_id: Option<Uuid>,
}

#[derive(Deserialize, IntoParams)]
struct PartOf {
    /// What belongs to no site when absent.
    site_id: Option<Uuid>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Entry {
    site_id: Option<String>,
    /// From 1, without gaps, per site.
    position: u64,
    event_id: String,
    event_type: String,
    actor: String,
    /// An account's user name or a worker's name; null where it cannot be told now.
    actor_name: Option<String>,
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
            actor_name: None,
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
    /// The last position that a checkpoint outside the database saw.
    witnessed: u64,
    /// How many checkpoints were compared.
    checkpoints: u64,
    newest_checkpoint: Option<u64>,
    checkpointed_at: Option<DateTime<Utc>>,
    /// What is wrong with the checkpoints themselves.
    checkpoint_problem: Option<String>,
}

/// Newest first by the time it happened. A page of long entries holds fewer than asked for; the last is the one without a
/// `next_cursor`.
#[utoipa::path(
    get,
    path = "/api/admin/audit-logs",
    tag = "audit",
    params(Filter),
    responses((status = 200, body = Enveloped<Scrolled<Entry>>))
)]
async fn list_audit_logs(call: Call, Query(filter): Query<Filter>) -> Answer<Scrolled<Entry>> {
    let message = ListEntriesRequest {
        site_id: id(filter.site_id),
        actor: filter.actor.unwrap_or_default(),
        target_type: filter.target_type.unwrap_or_default(),
        target_id: filter.target_id.unwrap_or_default(),
        action: filter.action.unwrap_or_default(),
        from: filter.from.map(proto::timestamp),
        to: filter.to.map(proto::timestamp),
        cursor: filter.cursor.unwrap_or_default(),
        limit: filter.limit.or(filter.page_size).unwrap_or(types::Page::DEFAULT_SIZE),
    };
    let found = ask!(call.audit.list_entries(message)).await?;
    let names = names(&call, &found.entries).await;
    let items = found.entries.into_iter().map(|entry| {
        let actor_name = names.get(&entry.actor).cloned();
        Entry { actor_name, ..entry.into() }
    });
    answer(Scrolled { items: items.collect(), next_cursor: some(found.next_cursor) })
}

/// The names of those who acted, by actor. Empty while `directory` is away.
async fn names(call: &Call, entries: &[audit::Entry]) -> HashMap<String, String> {
    let of = |kind: &str| -> BTreeSet<String> {
        let actors = entries.iter().filter_map(|entry| entry.actor.strip_prefix(kind));
        actors.map(str::to_owned).collect()
    };
    let accounts = of("account:").into_iter().map(|account_id| async move {
        let asked = call.as_gateway(GetAccountRequest { account_id: account_id.clone() });
        let account = call.directory().get_account(asked).await.ok()?.into_inner().account?;
        Some((format!("account:{account_id}"), account.username))
    });
    let workers = call.names(of("worker:")).await.into_iter();
    let mut names: HashMap<String, String> =
        workers.map(|(worker, row)| (format!("worker:{worker}"), row.name)).collect();
    names.extend(join_all(accounts).await.into_iter().flatten());
    names
}

/// Recomputes the hash chain of a site from its first entry and compares it with the checkpoints outside the database.
#[utoipa::path(
    get,
    path = "/api/admin/audit-logs/verify",
    tag = "audit",
    params(ChainOf),
    responses((status = 200, body = Enveloped<Chain>))
)]
async fn verify_audit_logs(call: Call, Query(of): Query<ChainOf>) -> Answer<Chain> {
    let mut asked = call.ask(VerifyChainRequest { site_id: id(of.site_id) });
    asked.set_timeout(PATIENCE);
    let chain = call.audit().verify_chain(asked).await?.into_inner();
    answer(Chain {
        intact: chain.intact,
        entries: chain.entries,
        head_hash: chain.head_hash,
        broken_at: (chain.broken_at != 0).then_some(chain.broken_at),
        problem: some(chain.problem),
        witnessed: chain.witnessed,
        checkpoints: chain.checkpoints,
        newest_checkpoint: (chain.newest_checkpoint != 0).then_some(chain.newest_checkpoint),
        checkpointed_at: instant(chain.checkpointed_at),
        checkpoint_problem: some(chain.checkpoint_problem),
    })
}

/// A site's entries of a time as lines of JSON that prove themselves without the database. The entries between the
/// first and the last that match stand in it whole. The export is an entry itself.
#[utoipa::path(
    get,
    path = "/api/admin/audit-logs/export",
    tag = "audit",
    params(PartOf),
    responses((status = 200, content_type = "application/x-ndjson", description = "The file"))
)]
async fn export_audit_logs(call: Call, Query(of): Query<PartOf>) -> Result<Response, Failure> {
    let site = id(of.site_id);
    let message = ExportEntriesRequest {
        site_id: site.clone(),
        from: of.from.map(proto::timestamp),
        to: of.to.map(proto::timestamp),
    };
    let mut asked = call.ask(message);
    asked.set_timeout(PATIENCE);
    let parts = call.audit().export_entries(asked).await?.into_inner();
    // A file that breaks off has no end, and whoever verifies it sees that.
    let mut response = Response::new(Body::from_stream(parts.map_ok(|part| part.part)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    let date = call.gateway.shell.system.now().format("%Y-%m-%d");
    let site = if site.is_empty() { "no-site" } else { &site };
    let name = format!("attachment; filename=\"audit-{site}-{date}.ndjson\"");
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
