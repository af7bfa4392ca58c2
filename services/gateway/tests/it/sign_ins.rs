//! An access token is believed for half a minute at a time.

use chrono::Duration;
use proto::directory::v1::{
    Account, ChangePasswordRequest, ChangePasswordResponse, CheckSignInRequest,
    CheckSignInResponse, ListSitesRequest, ListSitesResponse,
};
use serde_json::json;
use types::ErrorCode;

use crate::help::{CHECK_SIGN_IN, Edge, edge};

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
    let account_id = edge.account.to_string();
    edge.fakes.on(CHECK_SIGN_IN, move |_: CheckSignInRequest| {
        let account_id = account_id.clone();
        Ok(CheckSignInResponse { account_id, account_version: version, must_change_password })
    });
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
    assert_eq!(asked.family_id, "session-1");
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
    edge.fakes.on(CHECK_SIGN_IN, |_: CheckSignInRequest| {
        Ok(CheckSignInResponse {
            account_id: types::AccountId::new().to_string(),
            account_version: 1,
            must_change_password: false,
        })
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
    assert_eq!(asked.family_id, "session-1");
    let fresh = changed.data()["access_token"].as_str().unwrap();
    assert_eq!(code(&edge, fresh).await, 0, "at once, with the token answered");
    assert_eq!(code(&edge, &token).await, 40102);
}
