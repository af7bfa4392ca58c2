use chrono::TimeDelta;
use prost::Message;
use proto::audit::v1::CrossSiteRequest;
use proto::common::v1::CommandAudited;
use service::Refusal;
use test_support::Harness;
use types::{ContractorId, ErrorCode, SiteId};

use crate::grpc::client;
use crate::outside::Outside;

#[tokio::test]
async fn an_hour_spent_on_a_site_is_one_entry_and_the_next_another() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let (site, other) = (SiteId::new(), SiteId::new());
    let caller = harness.sysadmin(&[site, other]);
    for (site, later) in [(site, 0), (site, 10), (other, 0), (site, 60)] {
        harness.shell.system.advance(TimeDelta::minutes(later));
        let ask = CrossSiteRequest { site_id: site.to_string() };
        client.cross_site(harness.request(&caller, ask)).await.unwrap();
    }
    let told = events::testing::outbox(&harness.store("audit").await).await;
    let told = told.iter().filter(|(name, _)| name == "CommandAudited");
    let told: Vec<_> = told
        .map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap())
        .map(|record| (record.action, record.actor, record.site_id))
        .collect();
    let entry =
        |site: SiteId| ("site.cross".to_owned(), caller.subject.to_string(), site.to_string());
    assert_eq!(told, [entry(site), entry(other), entry(site)]);
    harness.stop().await;
}

#[tokio::test]
async fn nobody_crosses_into_a_site_that_is_not_theirs() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let site = SiteId::new();
    let ask = CrossSiteRequest { site_id: site.to_string() };
    let sysadmin = harness.sysadmin(&[]);
    let status = client.cross_site(harness.request(&sysadmin, ask.clone())).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::NotFound);
    let contractor = harness.contractor_admin(site, ContractorId::new());
    let status = client.cross_site(harness.request(&contractor, ask)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    harness.stop().await;
}
