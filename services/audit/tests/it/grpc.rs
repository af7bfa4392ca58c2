use audit::Config;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use proto::audit::v1::{ListEntriesRequest, VerifyChainRequest};
use service::Refusal;
use service::grpc::Transport;
use test_support::Harness;
use types::{ContractorId, ErrorCode, SiteId};

use crate::record::{published, record};

async fn start(harness: &Harness) -> AuditServiceClient<Transport> {
    let config = Config { database: harness.database.config(), grpc_listen: None };
    audit::serve(config, harness.shell.clone()).await.unwrap();
    AuditServiceClient::new(harness.shell.peers.transport("audit"))
}

#[tokio::test]
async fn entries_are_listed_newest_first_page_by_page() {
    let harness = Harness::new().await;
    let mut client = start(&harness).await;
    let site = SiteId::new();
    record(&harness.store("audit").await, &[published(site), published(site), published(site)])
        .await;
    let caller = harness.sysadmin(&[site]);
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ask = ListEntriesRequest {
            site_id: site.to_string(),
            limit: 2,
            cursor,
            ..ListEntriesRequest::default()
        };
        let page = client.list_entries(harness.request(&caller, ask)).await.unwrap().into_inner();
        seen.extend(page.entries.iter().map(|entry| entry.position));
        cursor = page.next_cursor;
    }
    assert_eq!((seen, cursor.as_str()), (vec![3, 2, 1], ""));
    let verify = VerifyChainRequest { site_id: site.to_string() };
    let report = client.verify_chain(harness.request(&caller, verify)).await.unwrap().into_inner();
    assert_eq!((report.intact, report.entries), (true, 3));
    harness.stop().await;
}

#[tokio::test]
async fn another_sites_log_is_not_found_and_a_contractor_may_not_look() {
    let harness = Harness::new().await;
    let mut client = start(&harness).await;
    let (site, other) = (SiteId::new(), SiteId::new());
    let ask = ListEntriesRequest { site_id: other.to_string(), ..ListEntriesRequest::default() };
    let sysadmin = harness.sysadmin(&[site]);
    let status = client.list_entries(harness.request(&sysadmin, ask.clone())).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::NotFound);
    let contractor = harness.contractor_admin(other, ContractorId::new());
    let status = client.list_entries(harness.request(&contractor, ask)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    harness.stop().await;
}

#[tokio::test]
async fn a_bad_request_names_every_field() {
    let harness = Harness::new().await;
    let mut client = start(&harness).await;
    let caller = harness.sysadmin(&[SiteId::new()]);
    let ask = ListEntriesRequest {
        site_id: "x".to_owned(),
        cursor: "y".to_owned(),
        limit: 1000,
        ..ListEntriesRequest::default()
    };
    let status = client.list_entries(harness.request(&caller, ask)).await.unwrap_err();
    let refusal = Refusal::from_status(&status);
    let named: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(named, ["site_id", "cursor", "limit"]);
    harness.stop().await;
}
