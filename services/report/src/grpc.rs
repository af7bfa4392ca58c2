use chrono::{Datelike, NaiveDate};
use proto::report::v1::report_service_server::ReportService;
use proto::report::v1::{
    GetDashboardRequest, GetDashboardResponse, GetOutlookRequest, GetOutlookResponse,
};
use service::grpc::{Access, Policy, caller};
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::Permission;

use crate::app::{App, Error, GetDashboard, GetOutlook};
use crate::wire;

pub(crate) const POLICY: Policy = &[
    ("/sitepass.report.v1.ReportService/GetDashboard", Access::Permission(Permission::ReportRead)),
    ("/sitepass.report.v1.ReportService/GetOutlook", Access::Permission(Permission::ReportRead)),
];

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
impl ReportService for Grpc {
    async fn get_dashboard(
        &self,
        request: Request<GetDashboardRequest>,
    ) -> Result<Response<GetDashboardResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let date: Option<NaiveDate> = fields.parse_optional("date", &message.date);
        let kept = date.is_none_or(|date| (1..=9999).contains(&date.year()));
        fields.check(kept, "date", "is not between the years 1 and 9999");
        fields.finish()?;
        let Some(site) = site else { return Err(status(Error::NotFound)) };
        let dashboard =
            self.app.get_dashboard(GetDashboard { caller, site, date }).await.map_err(status)?;
        Ok(Response::new(wire::dashboard(dashboard)))
    }

    async fn get_outlook(
        &self,
        request: Request<GetOutlookRequest>,
    ) -> Result<Response<GetOutlookResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let at = proto::instant(message.at.as_ref());
        fields.check(at.is_some(), "at", "is required");
        fields.finish()?;
        let (Some(site), Some(at)) = (site, at) else { return Err(status(Error::NotFound)) };
        let outlook =
            self.app.get_outlook(GetOutlook { caller, site, at }).await.map_err(status)?;
        Ok(Response::new(wire::outlook(outlook.judged, outlook.groups)))
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
        assert_eq!(named, proto::methods("report"));
    }
}
