use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use proto::audit::v1::audit_service_server::AuditService;
use proto::audit::v1::{
    CrossSiteRequest, CrossSiteResponse, ExportEntriesRequest, ExportEntriesResponse,
    ListEntriesRequest, ListEntriesResponse, VerifyChainRequest, VerifyChainResponse,
};
use service::grpc::{Access, Policy, caller};
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::{ErrorCode, Permission};

use crate::app::{App, Error, ExportEntries, Exporting, ListEntries};
use crate::domain::{Cursor, Filter};
use crate::wire;

pub(crate) const POLICY: Policy = &[
    ("/sitepass.audit.v1.AuditService/ListEntries", Access::Permission(Permission::AuditRead)),
    ("/sitepass.audit.v1.AuditService/VerifyChain", Access::Permission(Permission::AuditVerify)),
    ("/sitepass.audit.v1.AuditService/ExportEntries", Access::Permission(Permission::AuditExport)),
    ("/sitepass.audit.v1.AuditService/CrossSite", Access::Permission(Permission::SiteManage)),
];

const MAX_LIMIT: u32 = 200;
/// Of one message; a line may be longer than that and goes on in the next.
const CHUNK_BYTES: usize = 256 * 1024;

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
    type ExportEntriesStream = BoxStream<'static, Result<ExportEntriesResponse, Status>>;

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse_optional("site_id", &message.site_id);
        let cursor = cursor(&mut fields, &message.cursor);
        fields.check(message.limit <= MAX_LIMIT, "limit", "is above 200");
        let (from, to) = times(&mut fields, message.from, message.to);
        fields.finish()?;
        let some = |text: String| (!text.is_empty()).then_some(text);
        let query = ListEntries {
            caller,
            site,
            filter: Filter {
                actor: some(message.actor),
                target_type: some(message.target_type),
                target_id: some(message.target_id),
                action: some(message.action),
                from,
                to,
            },
            cursor: cursor.transpose()?,
            limit: if message.limit == 0 { 20 } else { message.limit },
        };
        let (entries, next) = self.app.list_entries(query).await.map_err(status)?;
        Ok(Response::new(ListEntriesResponse {
            entries: entries.into_iter().map(wire::entry).collect(),
            next_cursor: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }

    async fn verify_chain(
        &self,
        request: Request<VerifyChainRequest>,
    ) -> Result<Response<VerifyChainResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let site = fields.parse_optional("site_id", &request.get_ref().site_id);
        fields.finish()?;
        let (chain, seen) = self.app.verify_chain(&caller, site).await.map_err(status)?;
        let chain = wire::report(chain);
        let (number, at) = seen.newest.unzip();
        Ok(Response::new(VerifyChainResponse {
            intact: chain.intact && seen.problem.is_none(),
            checkpoints: seen.count,
            newest_checkpoint: number.unwrap_or_default(),
            checkpointed_at: at.map(proto::timestamp),
            checkpoint_problem: seen.problem.unwrap_or_default(),
            ..chain
        }))
    }

    async fn export_entries(
        &self,
        request: Request<ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse_optional("site_id", &message.site_id);
        let (from, to) = times(&mut fields, message.from, message.to);
        fields.finish()?;
        let cmd = ExportEntries { caller, site, from, to };
        let exporting = self.app.export_entries(cmd).await.map_err(status)?;
        Ok(Response::new(messages(exporting)))
    }

    async fn cross_site(
        &self,
        request: Request<CrossSiteRequest>,
    ) -> Result<Response<CrossSiteResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let site = fields.parse_optional("site_id", &request.get_ref().site_id);
        fields.finish()?;
        self.app.cross_site(&caller, site).await.map_err(status)?;
        Ok(Response::new(CrossSiteResponse {}))
    }
}

/// A cursor of ours, perhaps of an earlier release: those were positions.
fn cursor(fields: &mut Fields, text: &str) -> Option<Result<Cursor, Status>> {
    if !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Err(Refusal::new(ErrorCode::CursorExpired).into()));
    }
    fields.parse_optional("cursor", text).map(Ok)
}

fn times(
    fields: &mut Fields,
    from: Option<prost_types::Timestamp>,
    to: Option<prost_types::Timestamp>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let (from, to) = (proto::instant(from.as_ref()), proto::instant(to.as_ref()));
    fields.check(from.zip(to).is_none_or(|(from, to)| from < to), "to", "is not after from");
    (from, to)
}

fn messages(exporting: Exporting) -> BoxStream<'static, Result<ExportEntriesResponse, Status>> {
    let lines = stream::try_unfold(exporting, async |mut exporting| {
        let lines = exporting.lines().await.map_err(status)?;
        Ok(lines.map(|lines| (lines, exporting)))
    });
    let chunks = lines.map(|lines: Result<Vec<u8>, Status>| match lines {
        Ok(lines) => {
            let part = |part: &[u8]| Ok(ExportEntriesResponse { part: part.to_vec() });
            stream::iter(lines.chunks(CHUNK_BYTES).map(part).collect::<Vec<_>>())
        }
        Err(status) => stream::iter(vec![Err(status)]),
    });
    chunks.flatten().boxed()
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
