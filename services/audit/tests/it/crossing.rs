use chrono::TimeDelta;
use prost::Message;
use proto::audit::v1::CrossSiteRequest;
use proto::common::v1::CommandAudited;
use service::Refusal;
use test_support::Harness;
use types::{ContractorId, ErrorCode, SiteId};

use crate::grpc::client;
use crate::outside::Outside;
use crate::record::{published, record};

/// Each crossing told so far: who, to which site, and in whose chain.
async fn crossings(harness: &Harness) -> Vec<(String, String, String)> {
    let told = events::testing::outbox(&harness.store("audit").await).await;
    let told = told.iter().filter(|(name, _)| name == "CommandAudited");
    told.map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap())
        .filter(|record| record.action == "site.cross")
        .map(|record| (record.actor, record.target_id, record.site_id))
        .collect()
}

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
    let entry = |site: SiteId| (caller.subject.to_string(), site.to_string(), site.to_string());
    assert_eq!(crossings(&harness).await, [entry(site), entry(other), entry(site)]);
    harness.stop().await;
}

#[tokio::test]
async fn a_look_at_every_site_is_an_entry_of_each_that_was_not_looked_at_within_the_hour() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let sites = [SiteId::new(), SiteId::new(), SiteId::new()];
    let caller = harness.sysadmin(&sites);
    for site_id in [sites[1].to_string(), String::new(), String::new()] {
        let ask = CrossSiteRequest { site_id };
        client.cross_site(harness.request(&caller, ask)).await.unwrap();
    }
    let told = crossings(&harness).await;
    assert_eq!(told[0].1, sites[1].to_string());
    let mut told: Vec<String> = told.into_iter().map(|(_, site, _)| site).collect();
    told.sort_unstable();
    let mut each = sites.map(|site| site.to_string());
    each.sort_unstable();
    assert_eq!(told, each);
    harness.stop().await;
}

#[tokio::test]
async fn a_site_that_the_token_does_not_name_is_recorded_too_and_what_is_no_site_gets_no_chain() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let (made_since, nowhere) = (SiteId::new(), SiteId::new());
    let store = harness.store("audit").await;
    record(&store, &[published(made_since)]).await;
    let caller = harness.sysadmin(&[]);
    let ask =
        |site: SiteId| harness.request(&caller, CrossSiteRequest { site_id: site.to_string() });
    for site in [made_since, nowhere, nowhere] {
        client.cross_site(ask(site)).await.unwrap();
    }
    let actor = caller.subject.to_string();
    let entry = |site: SiteId, chain: String| (actor.clone(), site.to_string(), chain);
    let told = [entry(made_since, made_since.to_string()), entry(nowhere, String::new())];
    assert_eq!(crossings(&harness).await, told);
    // What was looked at before its first entry came is told in its chain too.
    record(&store, &[published(nowhere)]).await;
    client.cross_site(ask(nowhere)).await.unwrap();
    assert_eq!(crossings(&harness).await[2], entry(nowhere, nowhere.to_string()));
    harness.stop().await;
}

#[tokio::test]
async fn whoever_does_not_reach_every_site_crosses_none() {
    let (harness, outside) = (Harness::new().await, Outside::new());
    let mut client = client(&harness, &outside).await;
    let site = SiteId::new();
    let ask = CrossSiteRequest { site_id: site.to_string() };
    let contractor = harness.contractor_admin(site, ContractorId::new());
    let status = client.cross_site(harness.request(&contractor, ask)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    harness.stop().await;
}
