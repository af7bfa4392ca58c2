//! What the readings of a roster brought.

use chrono::{DateTime, Utc};
use proto::directory::v1::{
    self as directory, ListRosterChangesRequest, ListRosterReadingsRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::workers::Worker;
use crate::answer::{Answer, Enveloped, Items, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::request::{Id, Listed, Query, wire};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_roster_readings)).routes(routes!(list_roster_changes))
}

#[derive(Deserialize, IntoParams)]
struct OfSite {
    site_id: Uuid,
}

#[derive(Deserialize, IntoParams)]
struct OfChange {
    /// ADDED, CHANGED or GONE; all when absent.
    change: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Reading {
    reading_id: String,
    /// WHOLE or CHANGES: only a whole one finds who is gone without a word.
    kind: String,
    /// The account that asked for it; null where time did, and to a contractor's administrator.
    asked_by: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// RUNNING, DONE, AWAY (the real-name system gave no whole answer), SUSPECT (it lacked most of the site's people),
    /// `NO_PROJECT` (the site has no `realname_project`, and there are others), OVERTAKEN by a newer one, or FAILED.
    outcome: String,
    /// Counts are of what was written, also by a reading that did not come to its end. A contractor's administrator
    /// is told of their own people and those of none, as they are now.
    added: u32,
    changed: u32,
    /// 0 to a contractor's administrator.
    unchanged: u32,
    gone: u32,
    /// Rows of the real-name system that tell nobody apart; 0 to a contractor's administrator.
    left_out: u32,
}

impl From<directory::RosterReading> for Reading {
    fn from(reading: directory::RosterReading) -> Self {
        Self {
            reading_id: reading.reading_id,
            kind: reading.kind,
            asked_by: some(reading.asked_by),
            started_at: instant(reading.started_at),
            ended_at: instant(reading.ended_at),
            outcome: reading.outcome,
            added: reading.added,
            changed: reading.changed,
            unchanged: reading.unchanged,
            gone: reading.gone,
            left_out: reading.left_out,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Readings {
    items: Vec<Reading>,
    total: u32,
    page: u32,
    page_size: u32,
    /// When the roster was last read from the real-name system; null: never.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Change {
    /// ADDED, CHANGED or GONE.
    change: String,
    worker: Option<Worker>,
}

impl From<directory::RosterChange> for Change {
    fn from(change: directory::RosterChange) -> Self {
        Self { change: change.change, worker: change.worker.map(Into::into) }
    }
}

/// The readings of a site's roster, newest first; they are kept for thirty days.
#[utoipa::path(
    get,
    path = "/api/admin/workers/sync",
    tag = "workers",
    params(Listed<OfSite>),
    responses((status = 200, body = Enveloped<Readings>))
)]
async fn list_roster_readings(
    call: Call,
    Query(listed): Query<Listed<OfSite>>,
) -> Answer<Readings> {
    let page = listed.paging.page()?;
    let message = ListRosterReadingsRequest {
        site_id: listed.filter.site_id.to_string(),
        page: Some(wire(page)),
    };
    let found = ask!(call.directory.list_roster_readings(message)).await?;
    answer(Readings {
        items: found.readings.into_iter().map(Into::into).collect(),
        total: found.total,
        page: page.page,
        page_size: page.page_size,
        roster_synced_at: instant(found.roster_synced_at),
    })
}

/// Whom one reading found new, otherwise or gone, as they are now.
#[utoipa::path(
    get,
    path = "/api/admin/workers/sync/{reading_id}",
    tag = "workers",
    params(("reading_id" = Uuid, Path), Listed<OfChange>),
    responses((status = 200, body = Enveloped<Items<Change>>))
)]
async fn list_roster_changes(
    call: Call,
    Id(reading_id): Id,
    Query(listed): Query<Listed<OfChange>>,
) -> Answer<Items<Change>> {
    let page = listed.paging.page()?;
    let message = ListRosterChangesRequest {
        reading_id,
        change: listed.filter.change.unwrap_or_default(),
        page: Some(wire(page)),
    };
    let found = ask!(call.directory.list_roster_changes(message)).await?;
    call.looks_at(&found.site_id).await?;
    answer(Items::new(found.changes, found.total, page))
}
