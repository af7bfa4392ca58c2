use proto::audit::v1::audit_service_client::AuditServiceClient;
use proto::audit::v1::{ExportEntriesRequest, ListEntriesRequest, VerifyChainRequest};
use service::Refusal;
use service::grpc::Transport;
use test_support::Harness;
use types::{ContractorId, ErrorCode, SiteId};

use crate::outside::{Outside, config};
use crate::record::{published, record};

/// The service's calls.
pub(crate) async fn client(harness: &Harness, outside: &Outside) -> AuditServiceClient<Transport> {
    audit::testing::offer(&harness.shell, harness.store("audit").await, outside.archive());
    AuditServiceClient::new(harness.shell.peers.transport("audit"))
}

fn list(site: SiteId) -> ListEntriesRequest {
    ListEntriesRequest { site_id: site.to_string(), ..ListEntriesRequest::default() }
}

#[tokio::test]
async fn the_service_keeps_checkpoints_and_takes_its_own_commands_in() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    audit::serve(config(&harness, &outside), harness.shell.clone()).await.unwrap();
    let mut client = AuditServiceClient::new(harness.shell.peers.transport("audit"));
    let site = SiteId::new();
    let caller = harness.sysadmin(&[site]);
    let export =
        ExportEntriesRequest { site_id: site.to_string(), ..ExportEntriesRequest::default() };
    client.export_entries(harness.request(&caller, export)).await.unwrap();
    let client = &client;
    test_support::eventually("the export to be an entry", || async {
        let asked = harness.request(&caller, list(site));
        let page = client.clone().list_entries(asked).await.unwrap().into_inner();
        page.entries.iter().any(|entry| entry.action == "audit.export").then_some(())
    })
    .await;
    test_support::eventually("a checkpoint", || async {
        harness.shell.clock.advance(chrono::TimeDelta::minutes(1));
        outside.file(1).exists().then_some(())
    })
    .await;
    harness.stop().await;
}

#[tokio::test]
async fn entries_are_listed_newest_first_page_by_page() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let site = SiteId::new();
    record(&harness.store("audit").await, &[published(site), published(site), published(site)])
        .await;
    let caller = harness.sysadmin(&[site]);
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ask = ListEntriesRequest { limit: 2, cursor, ..list(site) };
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
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let (site, other) = (SiteId::new(), SiteId::new());
    let sysadmin = harness.sysadmin(&[site]);
    let status = client.list_entries(harness.request(&sysadmin, list(other))).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::NotFound);
    let export =
        ExportEntriesRequest { site_id: other.to_string(), ..ExportEntriesRequest::default() };
    let status =
        client.export_entries(harness.request(&sysadmin, export.clone())).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::NotFound);
    let contractor = harness.contractor_admin(other, ContractorId::new());
    let status = client.list_entries(harness.request(&contractor, list(other))).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    let status = client.export_entries(harness.request(&contractor, export)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    harness.stop().await;
}

#[tokio::test]
async fn what_belongs_to_no_site_is_shown_to_whoever_manages_sites() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let store = harness.store("audit").await;
    let mut delivery = published(SiteId::new());
    delivery.site = None;
    record(&store, &[delivery]).await;
    let caller = harness.sysadmin(&[]);
    let ask = ListEntriesRequest::default();
    let page = client.list_entries(harness.request(&caller, ask)).await.unwrap().into_inner();
    assert_eq!((page.entries.len(), page.entries[0].site_id.as_str()), (1, ""));
    harness.stop().await;
}

#[tokio::test]
async fn a_bad_request_names_every_field() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let caller = harness.sysadmin(&[SiteId::new()]);
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let ask = ListEntriesRequest {
        site_id: "x".to_owned(),
        cursor: "y".to_owned(),
        limit: 1000,
        from: time(2),
        to: time(1),
        ..ListEntriesRequest::default()
    };
    let status = client.list_entries(harness.request(&caller, ask)).await.unwrap_err();
    let refusal = Refusal::from_status(&status);
    let named: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(named, ["site_id", "cursor", "limit", "to"]);
    harness.stop().await;
}

#[tokio::test]
async fn a_cursor_of_another_question_or_an_earlier_release_has_expired() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let site = SiteId::new();
    record(&harness.store("audit").await, &[published(site), published(site)]).await;
    let caller = harness.sysadmin(&[site]);
    let ask = ListEntriesRequest { limit: 1, ..list(site) };
    let page = client.list_entries(harness.request(&caller, ask.clone())).await.unwrap();
    let cursor = page.into_inner().next_cursor;
    let other = ListEntriesRequest { cursor, action: "TicketPublished".to_owned(), ..ask.clone() };
    let earlier = ListEntriesRequest { cursor: "2".to_owned(), ..ask };
    for ask in [other, earlier] {
        let status = client.list_entries(harness.request(&caller, ask)).await.unwrap_err();
        assert_eq!(Refusal::from_status(&status).code, ErrorCode::CursorExpired);
    }
    harness.stop().await;
}
