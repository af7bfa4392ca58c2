use std::time::Duration;

use chrono::{DateTime, Utc};
use proto::directory::v1::{
    EngagementSpell, GetWorkerRequest, SearchWorkersRequest, SyncWorkersRequest,
    UnbindWorkerRequest, WorkerRow,
};
use serde::{Deserialize, Serialize};
use types::{ErrorCode, Page};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Done, Enveloped, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Listed, Query, id, page, wire};

/// For a roster of ten thousand people.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_workers))
        .routes(routes!(search_workers))
        .routes(routes!(sync_workers))
        .routes(routes!(unbind_worker))
        .routes(routes!(get_worker))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Uuid,
    contractor_id: Option<Uuid>,
    /// Whether the worker is bound to a WeChat identity; both when absent.
    bound: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    site_id: Uuid,
    contractor_id: Option<Uuid>,
    /// A name, or a whole phone or identity number.
    keyword: Option<String>,
    bound: Option<bool>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    #[schema(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Sync {
    site_id: Uuid,
    /// Believes the roster also where it lacks all, or more than half of many, of the site's people. Without it such a
    /// roster is refused with 50301, and the last one stays.
    accept_departures: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Unbind {
    #[schema(min_length = 1)]
    reason: String,
}

/// Numbers are masked.
#[derive(Serialize, ToSchema)]
pub(super) struct Worker {
    worker_id: String,
    name: String,
    id_no: String,
    phone: String,
    contractor_id: Option<String>,
    /// The roster names a contractor that is none of the site's. Only who sees every contractor's people sees these.
    contractor_unknown: bool,
    trade: String,
    team: String,
    bound: bool,
    face_id: Option<String>,
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        Self {
            worker_id: row.worker_id,
            name: row.name,
            id_no: row.id_no_masked,
            phone: row.phone_masked,
            contractor_id: some(row.contractor_id),
            contractor_unknown: row.contractor_unknown,
            trade: row.trade,
            team: row.team,
            bound: row.bound,
            face_id: some(row.face_id),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Workers {
    items: Vec<Worker>,
    total: u32,
    page: u32,
    page_size: u32,
    /// When the roster was last read from the real-name system.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Synced {
    added: u32,
    changed: u32,
    unchanged: u32,
    gone: u32,
    /// Rows of the real-name system that tell nobody apart.
    left_out: u32,
    synced_at: Option<DateTime<Utc>>,
    reading_id: String,
}

/// A time on a site's roster.
#[derive(Serialize, ToSchema)]
struct Engagement {
    site_id: String,
    contractor_id: Option<String>,
    trade: String,
    team: String,
    /// The last day, as the real-name system has it; null where it has none.
    until: Option<String>,
    /// Null where nobody wrote it down.
    engaged_at: Option<DateTime<Utc>>,
    /// Null while it lasts.
    left_at: Option<DateTime<Utc>>,
    /// When the site's roster was last read from the real-name system.
    roster_synced_at: Option<DateTime<Utc>>,
}

impl From<EngagementSpell> for Engagement {
    fn from(spell: EngagementSpell) -> Self {
        Self {
            site_id: spell.site_id,
            contractor_id: some(spell.contractor_id),
            trade: spell.trade,
            team: spell.team,
            until: some(spell.until),
            engaged_at: instant(spell.engaged_at),
            left_at: instant(spell.left_at),
            roster_synced_at: instant(spell.roster_synced_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct WorkerDetail {
    #[serde(flatten)]
    worker: Worker,
    /// ACTIVE, or INACTIVE: on no site's roster any more.
    status: String,
    /// Those that last first, then the latest to end.
    engagements: Vec<Engagement>,
    /// Null while not bound.
    bound_at: Option<DateTime<Utc>>,
    /// Whether the real-name system has a picture of them.
    has_photo: bool,
}

#[utoipa::path(
    get,
    path = "/api/admin/workers",
    tag = "workers",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Workers>))
)]
async fn list_workers(call: Call, Query(listed): Query<Listed<Filter>>) -> Answer<Workers> {
    let Filter { site_id, contractor_id, bound } = listed.filter;
    found(&call, site_id, contractor_id, String::new(), bound, listed.paging.page()?).await
}

/// The same with a keyword, which is personal and therefore stands in the body.
#[utoipa::path(
    post,
    path = "/api/admin/workers/search",
    tag = "workers",
    request_body = Search,
    responses((status = 200, body = Enveloped<Workers>))
)]
async fn search_workers(call: Call, Command(search): Command<Search>) -> Answer<Workers> {
    let page = page(search.page, search.page_size)?;
    let keyword = search.keyword.unwrap_or_default();
    call.looks_at(&search.site_id.to_string()).await?;
    found(&call, search.site_id, search.contractor_id, keyword, search.bound, page).await
}

async fn found(
    call: &Call,
    site_id: Uuid,
    contractor_id: Option<Uuid>,
    keyword: String,
    bound: Option<bool>,
    page: Page,
) -> Answer<Workers> {
    let message = SearchWorkersRequest {
        site_id: site_id.to_string(),
        contractor_id: id(contractor_id),
        keyword,
        bound: bound.map(|bound| bound.to_string()).unwrap_or_default(),
        page: Some(wire(page)),
        departed_too: false,
    };
    let found = ask!(call.directory.search_workers(message)).await?;
    answer(Workers {
        items: found.workers.into_iter().map(Into::into).collect(),
        total: found.total,
        page: page.page,
        page_size: page.page_size,
        roster_synced_at: instant(found.roster_synced_at),
    })
}

/// Reads the site's roster from the real-name system. A reading that takes longer than this call goes on, and its end stands
/// among the readings.
#[utoipa::path(
    post,
    path = "/api/admin/workers/sync",
    tag = "workers",
    request_body = Sync,
    responses((status = 200, body = Enveloped<Synced>))
)]
async fn sync_workers(call: Call, Command(sync): Command<Sync>) -> Answer<Synced> {
    let message = SyncWorkersRequest {
        site_id: sync.site_id.to_string(),
        accept_departures: sync.accept_departures.unwrap_or_default(),
    };
    let mut request = call.command(message);
    request.set_timeout(PATIENCE);
    let synced = call.directory().sync_workers(request).await?.into_inner();
    answer(Synced {
        added: synced.added,
        changed: synced.changed,
        unchanged: synced.unchanged,
        gone: synced.gone,
        left_out: synced.left_out,
        synced_at: instant(synced.synced_at),
        reading_id: synced.reading_id,
    })
}

/// One worker, numbers masked, with every engagement on the caller's sites.
#[utoipa::path(
    get,
    path = "/api/admin/workers/{worker_id}",
    tag = "workers",
    params(("worker_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<WorkerDetail>))
)]
async fn get_worker(call: Call, Id(worker_id): Id) -> Answer<WorkerDetail> {
    let found =
        ask!(call.directory.get_worker(GetWorkerRequest { worker_id: worker_id.clone() })).await?;
    for engagement in &found.engagements {
        call.looks_at(&engagement.site_id).await?;
    }
    answer(WorkerDetail {
        worker: found.worker.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into(),
        status: found.status,
        engagements: found.engagements.into_iter().map(Into::into).collect(),
        bound_at: instant(found.bound_at),
        has_photo: found.has_photo,
    })
}

/// Ends the worker's binding. Ending none changes nothing.
#[utoipa::path(
    delete,
    path = "/api/admin/workers/{worker_id}/binding",
    tag = "workers",
    params(("worker_id" = Uuid, Path)),
    request_body = Unbind,
    responses((status = 200, body = Enveloped<Done>))
)]
async fn unbind_worker(
    call: Call,
    Id(worker_id): Id,
    Command(unbind): Command<Unbind>,
) -> Answer<Done> {
    let message = UnbindWorkerRequest { worker_id, reason: unbind.reason };
    call.directory().unbind_worker(call.command(message)).await?;
    answer(Done {})
}
