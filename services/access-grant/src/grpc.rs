//! The edge: requests in, answers out. No rule lives here.

use std::time::Duration;

use proto::access_grant::v1 as pb;
use proto::access_grant::v1::access_grant_service_server::AccessGrantService;
use service::grpc::{Access, Policy, caller};
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::{AccessGroupId, Page, Permission};

use crate::app::{App, Ask, DoorChange, Error, MAX_WAIT};
use crate::store::grants::Filter;
use crate::wire;

pub const POLICY: Policy = &[
    (
        "/sitepass.access_grant.v1.AccessGrantService/ListGrants",
        Access::Permission(Permission::GrantRead),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/ResyncGrant",
        Access::Permission(Permission::GrantResync),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/ReleaseLateGrant",
        Access::Permission(Permission::GrantRelease),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/AwaitAuthorized",
        Access::Any(&[Access::Worker, Access::Service]),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/Decide",
        Access::Any(&[Access::Device, Access::Service]),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/Explain",
        Access::Permission(Permission::ExplainRead),
    ),
    ("/sitepass.access_grant.v1.AccessGrantService/GetPass", Access::Worker),
    (
        "/sitepass.access_grant.v1.AccessGrantService/GetOutlook",
        Access::Any(&[Access::Permission(Permission::ReportRead), Access::Service]),
    ),
    (
        "/sitepass.access_grant.v1.AccessGrantService/ListDoorChanges",
        Access::Any(&[Access::Device, Access::Service]),
    ),
];

const STATUSES: [&str; 4] = ["PENDING_SYNC", "SYNCED", "SYNC_FAILED", "REVOKED"];
const LONGEST_REASON: usize = 500;
const MAX_GROUPS: usize = 200;
const MAX_CHANGES: u32 = 1000;
const DEFAULT_CHANGES: u32 = 500;

/// The service's calls.
#[derive(Debug, Clone)]
pub struct Api {
    app: App,
}

impl Api {
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl AccessGrantService for Api {
    async fn list_grants(
        &self,
        request: Request<pb::ListGrantsRequest>,
    ) -> Result<Response<pb::ListGrantsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let filter = Filter {
            contractor: None,
            site: fields.parse_optional("site_id", &message.site_id),
            ticket: fields.parse_optional("ticket_id", &message.ticket_id),
            day: fields.parse_optional("daily_ticket_id", &message.daily_ticket_id),
            worker: fields.parse_optional("worker_id", &message.worker_id),
            area: fields.parse_optional("area_id", &message.area_id),
            status: Some(message.status.as_str()).filter(|status| !status.is_empty()),
        };
        fields.check(
            filter.status.is_none_or(|status| STATUSES.contains(&status)),
            "status",
            "is unknown",
        );
        let page = message.page.unwrap_or_default();
        let page = match Page::from_wire(page.page, page.page_size) {
            Ok(page) => page,
            Err(problem) => {
                fields.problem(&problem.field, problem.problem);
                Page::default()
            }
        };
        fields.finish()?;
        let (grants, total) = self.app.list_grants(&caller, filter, page).await.map_err(status)?;
        let grants = grants.iter().map(wire::grant).collect();
        Ok(Response::new(pb::ListGrantsResponse {
            grants,
            total: u32::try_from(total).unwrap_or(u32::MAX),
        }))
    }

    async fn resync_grant(
        &self,
        request: Request<pb::ResyncGrantRequest>,
    ) -> Result<Response<pb::ResyncGrantResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let id = fields.parse("grant_id", &request.get_ref().grant_id);
        fields.finish()?;
        let Some(id) = id else { return Err(status(Error::NotFound)) };
        let grant = self.app.resync_grant(&caller, id).await.map_err(status)?;
        Ok(Response::new(pb::ResyncGrantResponse { grant: Some(wire::grant(&grant)) }))
    }

    async fn release_late_grant(
        &self,
        request: Request<pb::ReleaseLateGrantRequest>,
    ) -> Result<Response<pb::ReleaseLateGrantResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let day = fields.parse("daily_ticket_id", &message.daily_ticket_id);
        let worker = fields.parse("worker_id", &message.worker_id);
        let reason = fields.text("reason", &message.reason, LONGEST_REASON);
        fields.finish()?;
        let (Some(day), Some(worker), Some(reason)) = (day, worker, reason) else {
            return Err(status(Error::NotFound));
        };
        let grants =
            self.app.release_late_grant(&caller, day, worker, &reason).await.map_err(status)?;
        Ok(Response::new(pb::ReleaseLateGrantResponse {
            grants: grants.iter().map(wire::grant).collect(),
        }))
    }

    async fn await_authorized(
        &self,
        request: Request<pb::AwaitAuthorizedRequest>,
    ) -> Result<Response<pb::AwaitAuthorizedResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let day = fields.parse("daily_ticket_id", &message.daily_ticket_id);
        let worker = fields.parse("worker_id", &message.worker_id);
        fields.finish()?;
        let (Some(day), Some(worker)) = (day, worker) else { return Err(status(Error::NotFound)) };
        let wait = Duration::from_millis(message.wait_ms.into());
        let found = self.app.await_authorized(&caller, day, worker, wait).await.map_err(status)?;
        let pending_area_ids = found.pending.iter().map(ToString::to_string).collect();
        Ok(Response::new(pb::AwaitAuthorizedResponse {
            authorized: found.authorized,
            pending_area_ids,
        }))
    }

    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::DecideResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let device = fields.parse("device_id", &message.device_id);
        let site = fields.parse("site_id", &message.site_id);
        let area = fields.parse("area_id", &message.area_id);
        let face = fields.parse("face_id", &message.face_id);
        let direction = match message.direction.as_str() {
            "IN" => Some(decision::Direction::In),
            "OUT" => Some(decision::Direction::Out),
            _ => None,
        };
        fields.check(direction.is_some(), "direction", "is neither IN nor OUT");
        fields.finish()?;
        let (Some(device), Some(site), Some(area), Some(face), Some(direction)) =
            (device, site, area, face, direction)
        else {
            return Err(status(Error::NotFound));
        };
        let asked_at = proto::instant(message.at.as_ref());
        let controlled_both_ways = message.controlled_both_ways;
        let ask = Ask { device, site, area, face, direction, asked_at, controlled_both_ways };
        let decided = self.app.decide(&caller, ask).await.map_err(status)?;
        let decision = &decided.decision;
        Ok(Response::new(pb::DecideResponse {
            allow: decision.allow,
            reason_code: wire::reason(decision),
            detail: wire::detail(&decision.detail),
            failing: wire::failing(decision),
            until: decision.until.map(proto::timestamp),
            decision_id: decided.id.to_string(),
        }))
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::ExplainResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let worker = fields.parse("worker_id", &message.worker_id);
        let area = fields.parse("area_id", &message.area_id);
        fields.finish()?;
        let (Some(site), Some(worker), Some(area)) = (site, worker, area) else {
            return Err(status(Error::NotFound));
        };
        let at = proto::instant(message.at.as_ref());
        let explained = self.app.explain(&caller, site, worker, area, at).await.map_err(status)?;
        let decision = &explained.decision;
        Ok(Response::new(pb::ExplainResponse {
            allow: decision.allow,
            reason_code: wire::reason(decision),
            detail: wire::detail(&decision.detail),
            failing: wire::failing(decision),
            until: decision.until.map(proto::timestamp),
            as_of: Some(proto::timestamp(explained.as_of)),
            because_daily_ticket_ids: wire::ids(&decision.because),
        }))
    }

    async fn get_pass(
        &self,
        request: Request<pb::GetPassRequest>,
    ) -> Result<Response<pb::GetPassResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &request.get_ref().worker_id);
        fields.finish()?;
        let Some(worker) = worker.or(caller.worker_id()) else {
            return Err(status(Error::NotFound));
        };
        let lines = self.app.get_pass(&caller, worker).await.map_err(status)?;
        let lines = lines
            .iter()
            .map(|line| wire::pass_line(line.site, line.area, line.day, &line.decision));
        Ok(Response::new(pb::GetPassResponse { lines: lines.collect() }))
    }

    async fn get_outlook(
        &self,
        request: Request<pb::GetOutlookRequest>,
    ) -> Result<Response<pb::GetOutlookResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let at = proto::instant(message.at.as_ref());
        fields.check(at.is_some(), "at", "is required");
        fields.finish()?;
        let (Some(site), Some(at)) = (site, at) else { return Err(status(Error::NotFound)) };
        let outlook = self.app.get_outlook(&caller, site, at).await.map_err(status)?;
        let refused = outlook.refused.iter();
        let refused: Vec<_> = refused
            .map(|(worker, area, day, decision)| wire::outlook_line(*worker, *area, *day, decision))
            .collect();
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        Ok(Response::new(pb::GetOutlookResponse {
            at: Some(proto::timestamp(outlook.at)),
            expected: count(outlook.expected),
            would_pass: count(outlook.expected - refused.len()),
            refused,
        }))
    }

    async fn list_door_changes(
        &self,
        request: Request<pb::ListDoorChangesRequest>,
    ) -> Result<Response<pb::ListDoorChangesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let groups: Vec<AccessGroupId> =
            fields.parse_list("access_group_ids", &message.access_group_ids);
        fields.check(
            (1..=MAX_GROUPS).contains(&message.access_group_ids.len()),
            "access_group_ids",
            "not 1 to 200",
        );
        fields.check(message.limit <= MAX_CHANGES, "limit", "is above 1000");
        fields.check(
            u128::from(message.wait_ms) <= MAX_WAIT.as_millis(),
            "wait_ms",
            "is above 25000",
        );
        fields.finish()?;
        let cursor = Some(message.cursor.as_str()).filter(|cursor| !cursor.is_empty());
        let limit = if message.limit == 0 { DEFAULT_CHANGES } else { message.limit };
        let wait = Duration::from_millis(message.wait_ms.into());
        let groups = groups.into_iter().collect();
        let found = self
            .app
            .list_door_changes(&caller, &groups, cursor, limit, wait)
            .await
            .map_err(status)?;
        let changes = found.changes.iter().map(|change| {
            let (kind, grant) = match change {
                DoorChange::Upsert(grant) => ("UPSERT", grant),
                DoorChange::Remove(grant) => ("REMOVE", grant),
            };
            pb::DoorChange { kind: kind.to_owned(), grant: Some(wire::grant(grant)) }
        });
        let changes = changes.collect();
        Ok(Response::new(pb::ListDoorChangesResponse {
            changes,
            cursor: found.cursor,
            more: found.more,
        }))
    }
}

fn status(err: Error) -> Status {
    Refusal::from(err).into()
}

#[cfg(test)]
mod tests {
    use super::POLICY;

    #[test]
    fn every_call_has_a_policy() {
        let named: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
        assert_eq!(named, proto::methods("access_grant"));
    }
}
