use proto::audit::v1::audit_service_server::AuditService;
use proto::audit::v1::{
    ListEntriesRequest, ListEntriesResponse, VerifyChainRequest, VerifyChainResponse,
};
use service::grpc::{Access, Policy, caller};
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::Permission;

use crate::app::{App, Error, ListEntries};
use crate::store::entries::Filter;
use crate::wire;

pub(crate) const POLICY: Policy = &[
    ("/sitepass.audit.v1.AuditService/ListEntries", Access::Permission(Permission::AuditRead)),
    ("/sitepass.audit.v1.AuditService/VerifyChain", Access::Permission(Permission::AuditVerify)),
];

const MAX_LIMIT: u32 = 200;

/// The edge: no rule lives here.
#[derive(Debug)]
pub(crate) struct Grpc {
    app: App,
}

impl Grpc {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl AuditService for Grpc {
    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let before = fields.parse_optional("cursor", &message.cursor);
        fields.check(message.limit <= MAX_LIMIT, "limit", "is above 200");
        fields.finish()?;
        let some = |text: String| (!text.is_empty()).then_some(text);
        let query = ListEntries {
            caller,
            // Parsed, or `finish` has refused.
            site: site.unwrap_or_else(|| types::SiteId::from_uuid(uuid::Uuid::nil())),
            filter: Filter {
                actor: some(message.actor),
                target_id: some(message.target_id),
                action: some(message.action),
                from: proto::instant(message.from.as_ref()),
                to: proto::instant(message.to.as_ref()),
            },
            before,
            limit: if message.limit == 0 { 20 } else { message.limit },
        };
        let (entries, next) = self.app.list_entries(query).await.map_err(status)?;
        Ok(Response::new(ListEntriesResponse {
            entries: entries.into_iter().map(wire::entry).collect(),
            next_cursor: next.map(|position| position.to_string()).unwrap_or_default(),
        }))
    }

    async fn verify_chain(
        &self,
        request: Request<VerifyChainRequest>,
    ) -> Result<Response<VerifyChainResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &request.get_ref().site_id);
        fields.finish()?;
        let Some(site) = site else { return Err(status(Error::NotFound)) };
        let report = self.app.verify_chain(&caller, site).await.map_err(status)?;
        Ok(Response::new(wire::report(report)))
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
        assert_eq!(named, proto::methods("audit"));
    }
}
