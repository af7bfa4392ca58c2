use chrono::NaiveDate;
use proto::directory::v1::SearchWorkersRequest;
use proto::ticket::v1::ListTicketsRequest;
use serde::Deserialize;
use types::Page;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::work_tickets::TicketRow;
use crate::answer::{Answer, Enveloped, Items, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, id, page, wire};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(search_work_tickets))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TicketSearch {
    site_id: Option<Uuid>,
    contractor_id: Option<Uuid>,
    area_id: Option<Uuid>,
    worker_id: Option<Uuid>,
    /// A name, or a whole phone or identity number, of somebody the tickets name; takes a `site_id`.
    worker: Option<String>,
    date_from: Option<NaiveDate>,
    date_to: Option<NaiveDate>,
    /// DRAFT, ACTIVE or CANCELLED.
    status: Option<String>,
    /// A part of the title.
    keyword: Option<String>,
    /// As of the list.
    sort: Option<String>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    #[schema(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
}

/// The list with words that are personal and therefore stand in the body.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/search",
    tag = "work tickets",
    request_body = TicketSearch,
    responses((status = 200, body = Enveloped<Items<TicketRow>>))
)]
async fn search_work_tickets(
    call: Call,
    Command(search): Command<TicketSearch>,
) -> Answer<Items<TicketRow>> {
    let shown = page(search.page, search.page_size)?;
    match search.site_id {
        Some(site) => call.looks_at(&site.to_string()).await?,
        None => call.looks_everywhere().await?,
    }
    let worker = search.worker.as_deref().map(str::trim).filter(|worker| !worker.is_empty());
    let worker_ids = match (worker, search.site_id) {
        (None, _) => Vec::new(),
        (Some(_), None) => return Err(Failure::field("site_id", "is required with worker")),
        (Some(_), _) if search.worker_id.is_some() => {
            return Err(Failure::field("worker", "is not for a search by worker_id"));
        }
        (Some(worker), Some(site_id)) => match meant(&call, site_id, worker).await? {
            none if none.is_empty() => {
                return answer(Items::new(Vec::<proto::ticket::v1::TicketRow>::new(), 0, shown));
            }
            meant => meant,
        },
    };
    let date = |date: Option<NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
    let message = ListTicketsRequest {
        site_id: id(search.site_id),
        contractor_id: id(search.contractor_id),
        area_id: id(search.area_id),
        date_from: date(search.date_from),
        date_to: date(search.date_to),
        status: search.status.unwrap_or_default(),
        keyword: search.keyword.unwrap_or_default(),
        worker_id: id(search.worker_id),
        page: Some(wire(shown)),
        worker_ids,
        sort: search.sort.unwrap_or_default(),
    };
    let found = ask!(call.ticket.list_tickets(message)).await?;
    answer(Items::new(found.tickets, found.total, shown))
}

/// Everybody with this name or number who is on the site's roster or was: tickets name them still.
async fn meant(call: &Call, site_id: Uuid, worker: &str) -> Result<Vec<String>, Failure> {
    let page = Page { page: 1, page_size: Page::MAX_SIZE };
    let message = SearchWorkersRequest {
        site_id: site_id.to_string(),
        keyword: worker.to_owned(),
        page: Some(wire(page)),
        departed_too: true,
        ..SearchWorkersRequest::default()
    };
    let found = ask!(call.directory.search_workers(message)).await;
    let found = found.map_err(|mut failure| {
        for problem in failure.0.fields.iter_mut().filter(|problem| problem.field == "keyword") {
            "worker".clone_into(&mut problem.field);
        }
        failure
    })?;
    if found.total > Page::MAX_SIZE {
        return Err(Failure::field("worker", "is the name of too many; give a number"));
    }
    Ok(found.workers.into_iter().map(|row| row.worker_id).collect())
}
