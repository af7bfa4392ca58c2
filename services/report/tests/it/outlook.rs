use proto::report::v1::report_service_client::ReportServiceClient;
use proto::report::v1::{GetDashboardRequest, GetOutlookRequest};
use report::Config;
use service::Refusal;
use test_support::Harness;
use types::{ErrorCode, SiteId};

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
