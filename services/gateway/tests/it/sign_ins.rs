//! An access token is believed for half a minute at a time.

use auth::Sites;
use chrono::Duration;
use proto::directory::v1::{
    Account, ChangePasswordRequest, ChangePasswordResponse, CheckSignInRequest,
    CheckSignInResponse, CreateSiteRequest, CreateSiteResponse, ListSitesRequest,
    ListSitesResponse, SignInRequest, SignInResponse, SignOutRequest, SignOutResponse, Site,
};
use reqwest::Method;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use types::{AccountId, ErrorCode, Role, SiteId};

use crate::help::{CHECK_SIGN_IN, Edge, edge, sign_in};

const LIST: &str = "DirectoryService/ListSites";

async fn with_sites() -> Edge {
    let edge = edge().await;
    edge.fakes.on(LIST, |_: ListSitesRequest| Ok(ListSitesResponse::default()));
    edge
}

async fn code(edge: &Edge, token: &str) -> u64 {
    edge.get(token, "/api/admin/sites").await.code()
}

fn holds(edge: &Edge, version: u64, must_change_password: bool) {
    let holds = sign_in(edge.account, "SysAdmin", &[edge.site]);
    let holds = CheckSignInResponse { account_version: version, must_change_password, ..holds };
    edge.fakes.on(CHECK_SIGN_IN, move |_: CheckSignInRequest| Ok(holds.clone()));
}

#[tokio::test]
async fn a_sign_in_that_ended_is_refused_within_half_a_minute() {
    let edge = with_sites().await;
    let token = edge.sysadmin();
    assert_eq!(code(&edge, &token).await, 0);
    edge.fakes.refuse(CHECK_SIGN_IN, ErrorCode::NotSignedIn);
    assert_eq!(code(&edge, &token).await, 0, "seen to hold a moment ago");
    assert_eq!(edge.fakes.asked(CHECK_SIGN_IN).len(), 1);
    edge.system.advance(Duration::seconds(25));
    assert_eq!(code(&edge, &token).await, 40101);
    let asked: CheckSignInRequest = edge.fakes.asked(CHECK_SIGN_IN)[1].message();
    assert_eq!(asked.family_id, "SysAdmin");
    assert_eq!(edge.fakes.asked(CHECK_SIGN_IN)[1].caller.service_name(), Some("gateway"));
}

#[tokio::test]
async fn a_token_of_an_account_that_changed_is_stale() {
    let edge = with_sites().await;
    let token = edge.sysadmin();
    assert_eq!(code(&edge, &token).await, 0);
    holds(&edge, 2, false);
    edge.system.advance(Duration::seconds(25));
    assert_eq!(code(&edge, &token).await, 40102);
}

#[tokio::test]
async fn a_token_made_after_the_account_changed_holds_at_once_and_the_one_before_does_not() {
    let edge = with_sites().await;
    let (before, after) = (edge.sysadmin(), edge.admin_at(Role::SysAdmin, 2));
    assert_eq!(code(&edge, &before).await, 0);
    edge.fakes.refuse(CHECK_SIGN_IN, ErrorCode::StoreUnavailable);
    assert_eq!(code(&edge, &after).await, 50302, "nothing is known of what it describes");
    assert_eq!(code(&edge, &before).await, 0, "seen to hold a moment ago");
    holds(&edge, 2, false);
    let asked = edge.fakes.asked(CHECK_SIGN_IN).len();
    assert_eq!(code(&edge, &after).await, 0);
    assert_eq!(code(&edge, &before).await, 40102);
    assert_eq!(code(&edge, &after).await, 0);
    assert_eq!(edge.fakes.asked(CHECK_SIGN_IN).len(), asked + 1, "only by the newer token");

    // Of an account that is not there yet, as after a restored copy: asked once each time, and refused.
    assert_eq!(code(&edge, &edge.admin_at(Role::SysAdmin, 3)).await, 40102);
    assert_eq!(edge.fakes.asked(CHECK_SIGN_IN).len(), asked + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_while_a_sign_in_ends_does_not_keep_it_alive() {
    let edge = with_sites().await;
    let token = edge.sysadmin();
    let asks = edge.request(Method::GET, "/api/admin/sites").bearer_auth(&token);
    let fakes = edge.fakes.clone();
    edge.fakes.on("DirectoryService/SignOut", move |_: SignOutRequest| {
        let meanwhile = asks.try_clone().unwrap().send();
        let code = block_in_place(|| Handle::current().block_on(meanwhile)).unwrap().status();
        assert_eq!(code, 200, "it has not ended yet");
        fakes.refuse(CHECK_SIGN_IN, ErrorCode::NotSignedIn);
        Ok(SignOutResponse {})
    });
    edge.post(&token, "/api/admin/auth/logout", &json!({})).await.data();
    assert_eq!(code(&edge, &token).await, 40101);
}

#[tokio::test]
async fn while_directory_is_away_what_held_is_believed_for_less_than_a_minute() {
    let edge = with_sites().await;
    let token = edge.sysadmin();
    assert_eq!(code(&edge, &token).await, 0);
    edge.fakes.refuse(CHECK_SIGN_IN, ErrorCode::StoreUnavailable);
    edge.system.advance(Duration::seconds(49));
    assert_eq!(code(&edge, &token).await, 0);
    edge.system.advance(Duration::seconds(1));
    assert_eq!(code(&edge, &token).await, 50302);
    holds(&edge, 1, false);
    assert_eq!(code(&edge, &token).await, 0);
}

#[tokio::test]
async fn a_sign_in_of_another_account_does_not_carry_the_token() {
    let edge = with_sites().await;
    edge.fakes.on(CHECK_SIGN_IN, |asked: CheckSignInRequest| {
        Ok(sign_in(AccountId::new(), &asked.family_id, &[]))
    });
    assert_eq!(code(&edge, &edge.sysadmin()).await, 40101);
}

#[tokio::test]
async fn whoever_has_a_one_time_password_may_choose_a_new_one_and_nothing_else() {
    let edge = with_sites().await;
    holds(&edge, 1, true);
    let token = edge.sysadmin();
    let refused = edge.get(&token, "/api/admin/sites").await;
    assert_eq!((refused.status, refused.code()), (403, 40301));
    assert_eq!(refused.body["data"]["must_change_password"], true);

    let account = Account {
        account_id: edge.account.to_string(),
        role: "SysAdmin".to_owned(),
        version: 2,
        ..Account::default()
    };
    edge.fakes.on("DirectoryService/ChangePassword", move |_: ChangePasswordRequest| {
        Ok(ChangePasswordResponse { account: Some(account.clone()) })
    });
    holds(&edge, 2, false);
    let chosen = json!({"old_password": "given", "new_password": "another good password"});
    let changed = edge.post(&token, "/api/admin/auth/password", &chosen).await;
    let asked: ChangePasswordRequest = edge.fakes.only("DirectoryService/ChangePassword").message();
    assert_eq!(asked.family_id, "SysAdmin");
    let fresh = changed.data()["access_token"].as_str().unwrap();
    assert_eq!(code(&edge, fresh).await, 0, "at once, with the token answered");
    assert_eq!(code(&edge, &token).await, 40102);
}

/// Of the last question that `directory` was asked.
fn sites(edge: &Edge) -> Sites {
    edge.fakes.asked(LIST).pop().unwrap().caller.sites
}

fn reaches(edge: &Edge, sites: &[SiteId]) {
    let (account, sites) = (edge.account, sites.to_vec());
    edge.fakes.on(CHECK_SIGN_IN, move |asked: CheckSignInRequest| {
        Ok(sign_in(account, &asked.family_id, &sites))
    });
}

#[tokio::test]
async fn a_site_is_its_creator_s_at_once_and_another_s_within_half_a_minute() {
    let edge = with_sites().await;
    let (old, new) = (edge.site, SiteId::new());
    let (admin, auditor) = (edge.sysadmin(), edge.admin(Role::Auditor));
    for token in [&admin, &auditor] {
        assert_eq!(code(&edge, token).await, 0);
        assert_eq!(sites(&edge), Sites::Some(vec![old]));
    }
    edge.fakes.on("DirectoryService/CreateSite", move |asked: CreateSiteRequest| {
        let site = Site { site_id: new.to_string(), name: asked.name, ..Site::default() };
        Ok(CreateSiteResponse { site: Some(site) })
    });
    reaches(&edge, &[old, new]);
    edge.post(&admin, "/api/admin/sites", &json!({"name": "二号工地"})).await.data();
    code(&edge, &admin).await;
    assert_eq!(sites(&edge), Sites::Some(vec![old, new]));
    code(&edge, &auditor).await;
    assert_eq!(sites(&edge), Sites::Some(vec![old]), "seen to hold a moment ago");
    edge.system.advance(Duration::seconds(25));
    code(&edge, &auditor).await;
    assert_eq!(sites(&edge), Sites::Some(vec![old, new]));
}

#[tokio::test]
async fn role_and_contractor_are_those_of_the_account_and_a_role_that_is_none_opens_nothing() {
    let edge = with_sites().await;
    let contractor = types::ContractorId::new();
    let holds = sign_in(edge.account, "ContractorAdmin", &[edge.site]);
    let holds = CheckSignInResponse { contractor_id: contractor.to_string(), ..holds };
    edge.fakes.on(CHECK_SIGN_IN, move |_: CheckSignInRequest| Ok(holds.clone()));
    assert_eq!(code(&edge, &edge.sysadmin()).await, 0);
    let caller = edge.fakes.only(LIST).caller;
    assert_eq!((caller.role, caller.contractor), (Some(Role::ContractorAdmin), Some(contractor)));

    edge.system.advance(Duration::seconds(25));
    let holds = CheckSignInResponse {
        role: "Janitor".to_owned(),
        ..sign_in(edge.account, "SysAdmin", &[edge.site])
    };
    edge.fakes.on(CHECK_SIGN_IN, move |_: CheckSignInRequest| Ok(holds.clone()));
    assert_eq!(code(&edge, &edge.sysadmin()).await, 50000);
}

#[tokio::test]
async fn an_administrator_of_a_thousand_sites_has_a_short_token() {
    let edge = with_sites().await;
    let all: Vec<SiteId> = (0..1_000).map(|_| SiteId::new()).collect();
    reaches(&edge, &all);
    let account = Account {
        account_id: edge.account.to_string(),
        role: "SysAdmin".to_owned(),
        site_ids: all.iter().map(ToString::to_string).collect(),
        version: 1,
        ..Account::default()
    };
    edge.fakes.on("DirectoryService/SignIn", move |_: SignInRequest| {
        let family_id = "SysAdmin".to_owned();
        Ok(SignInResponse { account: Some(account.clone()), family_id, ..Default::default() })
    });
    let login = json!({"username": "admin", "password": "secret"});
    let signed_in = edge.post("", "/api/admin/auth/login", &login).await;
    assert_eq!(signed_in.data()["account"]["site_ids"].as_array().unwrap().len(), 1_000);
    let token = signed_in.data()["access_token"].as_str().unwrap();
    assert!(token.len() < 1_000, "{} bytes", token.len());
    assert_eq!(code(&edge, token).await, 0);
    assert_eq!(sites(&edge), Sites::Some(all));
}
