use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use proto::access_grant::v1::{self as access_grant, OutlookLine};
use proto::report::v1::report_service_client::ReportServiceClient;
use proto::report::v1::{GetDashboardRequest, GetOutlookRequest};
use report::Config;
use service::Refusal;
use service::grpc::{Access, Policy};
use test_support::Harness;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use types::{ErrorCode, SiteId};

/// Of them a message of tonic's usual 4 MiB has no room.
const REFUSED: usize = 20_000;
const POLICY: Policy =
    &[("/sitepass.access_grant.v1.AccessGrantService/GetOutlook", Access::Account)];

/// Stands in for access-grant at the moment before anybody was trained.
#[derive(Clone)]
struct Dawn;

impl UnaryService<access_grant::GetOutlookRequest> for Dawn {
    type Response = access_grant::GetOutlookResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<access_grant::GetOutlookRequest>) -> Self::Future {
        let refused = (0..REFUSED).map(|number| OutlookLine {
            worker_id: number.to_string(),
            reason_code: "TRAINING_INCOMPLETE".to_owned(),
            detail: "x".repeat(400),
            ..OutlookLine::default()
        });
        ready(Ok(Response::new(access_grant::GetOutlookResponse {
            refused: refused.collect(),
            ..access_grant::GetOutlookResponse::default()
        })))
    }
}

impl NamedService for Dawn {
    const NAME: &'static str = "sitepass.access_grant.v1.AccessGrantService";
}

impl Service<http::Request<Body>> for Dawn {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(tonic_prost::ProstCodec::default());
        Box::pin(async move { Ok(grpc.unary(Self, request).await) })
    }
}

#[tokio::test]
async fn the_outlook_of_a_site_where_nobody_would_pass_is_told_whole() {
    let harness = Harness::new().await;
    service::grpc::serve(&harness.shell, "access-grant", Routes::new(Dawn), POLICY, None);
    let config = Config { database: harness.database.config(), grpc_listen: None };
    report::serve(config, harness.shell.clone()).await.unwrap();
    let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"))
        .max_decoding_message_size(service::grpc::MAX_ANSWER_BYTES);
    let site = SiteId::new();
    let at = Some(proto::timestamp(harness.shell.clock.now()));
    let ask = GetOutlookRequest { site_id: site.to_string(), at };
    let caller = harness.sysadmin(&[site]);
    let told = client.get_outlook(harness.request(&caller, ask)).await.unwrap().into_inner();
    assert_eq!(told.refused.len(), REFUSED);
    let groups: Vec<u32> = told.groups.iter().map(|group| group.workers).collect();
    assert_eq!(groups, [20_000]);
    harness.stop().await;
}

#[tokio::test]
async fn a_bad_request_names_every_field_and_another_site_is_not_found() {
    let harness = Harness::new().await;
    let config = Config { database: harness.database.config(), grpc_listen: None };
    report::serve(config, harness.shell.clone()).await.unwrap();
    let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"));
    let caller = harness.sysadmin(&[SiteId::new()]);

    let ask = GetOutlookRequest { site_id: "x".to_owned(), at: None };
    let status = client.get_outlook(harness.request(&caller, ask)).await.unwrap_err();
    let named: Vec<String> =
        Refusal::from_status(&status).fields.into_iter().map(|problem| problem.field).collect();
    assert_eq!(named, ["site_id", "at"]);

    let ask =
        GetDashboardRequest { site_id: SiteId::new().to_string(), date: "2026-03-02".to_owned() };
    let status = client.get_dashboard(harness.request(&caller, ask)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::NotFound);
    harness.stop().await;
}
