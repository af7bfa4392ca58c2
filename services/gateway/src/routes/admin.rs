//! For administrators, with an access token.

mod access_grants;
mod accounts;
mod areas;
mod audit_logs;
mod auth;
mod contractors;
mod daily_tickets;
mod devices;
mod explain;
mod notifications;
mod passages;
mod registrations;
mod reports;
mod roster_readings;
mod rosters;
mod sites;
mod ticket_export;
mod ticket_search;
mod videos;
mod work_tickets;
mod worker_files;
mod workers;

use utoipa_axum::router::OpenApiRouter;

use crate::call::Shared;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(auth::router())
        .merge(sites::router())
        .merge(contractors::router())
        .merge(areas::router())
        .merge(workers::router())
        .merge(accounts::router())
        .merge(work_tickets::router())
        .merge(daily_tickets::router())
        .merge(videos::router())
        .merge(notifications::router())
        .merge(access_grants::router())
        .merge(devices::router())
        .merge(passages::router())
        .merge(explain::router())
        .merge(reports::router())
        .merge(audit_logs::router())
        .merge(ticket_search::router())
        .merge(rosters::router())
        .merge(ticket_export::router())
        .merge(roster_readings::router())
        .merge(worker_files::router())
        .merge(registrations::router())
}
