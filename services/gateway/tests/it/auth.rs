use proto::directory::v1::{
    Account, GetAccountRequest, GetAccountResponse, ListSitesRequest, ListSitesResponse,
    RefreshSignInRequest, RefreshSignInResponse, SignInRequest, SignInResponse, SignOutRequest,
    SignOutResponse, Site,
};
use reqwest::Method;
use serde_json::json;
use types::ErrorCode;

use crate::help::{Edge, edge, keys};

fn account(edge: &Edge) -> Account {
    Account {
        account_id: edge.account.to_string(),
        username: "admin".to_owned(),
        role: "SysAdmin".to_owned(),
        site_ids: vec![edge.site.to_string()],
        version: 1,
        ..Account::default()
    }
}

fn play(edge: &Edge) {
    let (account, expires_at) =
        (account(edge), proto::timestamp(edge.now() + chrono::Duration::days(7)));
    let signed_in = SignInResponse {
        account: Some(account.clone()),
        refresh_token: "refresh-1".to_owned(),
        refresh_expires_at: Some(expires_at),
        family_id: "family-1".to_owned(),
    };
    edge.fakes.on("DirectoryService/SignIn", move |_: SignInRequest| Ok(signed_in.clone()));
    edge.fakes.on("DirectoryService/RefreshSignIn", move |request: RefreshSignInRequest| {
        Ok(RefreshSignInResponse {
            account: Some(account.clone()),
            refresh_token: format!("{}+", request.refresh_token),
            refresh_expires_at: Some(expires_at),
            family_id: "family-1".to_owned(),
        })
    });
    edge.fakes.on("DirectoryService/SignOut", |_: SignOutRequest| Ok(SignOutResponse {}));
}

#[tokio::test]
async fn a_browser_s_refresh_token_is_a_cookie_that_scripts_cannot_read() {
    let edge = edge().await;
    play(&edge);
    let login = json!({"username": "admin", "password": "secret"});
    let signed_in = edge.post("", "/api/admin/auth/login", &login).await;
    assert_eq!(keys(signed_in.data()), ["access_token", "account", "expires_in"]);
    assert_eq!(signed_in.data()["expires_in"], 600);
    assert_eq!(signed_in.data()["account"]["role"], "SysAdmin");
    assert_eq!(
        signed_in.headers["set-cookie"],
        "sitepass_refresh=refresh-1; Path=/api/admin/auth; Max-Age=604800; HttpOnly; SameSite=Strict"
    );
    let token = signed_in.data()["access_token"].as_str().unwrap();
    edge.get(token, "/api/admin/sites").await;
    assert_eq!(
        edge.fakes.only("DirectoryService/ListSites").caller.account_id(),
        Some(edge.account)
    );

    let refresh = edge
        .request(Method::POST, "/api/admin/auth/refresh")
        .header("cookie", "a=b; sitepass_refresh=refresh-1");
    let refreshed = edge.send(refresh).await;
    assert!(refreshed.data()["access_token"].is_string());
    assert!(refreshed.headers["set-cookie"].to_str().unwrap().contains("=refresh-1+;"));

    let left =
        edge.send(edge.request(Method::POST, "/api/admin/auth/logout").bearer_auth(token)).await;
    assert_eq!(*left.data(), json!({}));
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let ended: SignOutRequest = edge.fakes.only("DirectoryService/SignOut").message();
    assert_eq!(ended.family_id, "family-1");
}

#[tokio::test]
async fn a_client_without_cookies_gets_the_refresh_token_in_the_body() {
    let edge = edge().await;
    play(&edge);
    let login = json!({"username": "admin", "password": "secret", "token_in_body": true});
    let signed_in = edge.post("", "/api/admin/auth/login", &login).await;
    assert_eq!(signed_in.data()["refresh_token"], "refresh-1");
    assert!(!signed_in.headers.contains_key("set-cookie"));
    let refresh = json!({"refresh_token": "refresh-1", "token_in_body": true});
    let refreshed = edge.post("", "/api/admin/auth/refresh", &refresh).await;
    assert_eq!(refreshed.data()["refresh_token"], "refresh-1+");
    let none = edge.post("", "/api/admin/auth/refresh", &json!({})).await;
    assert_eq!((none.status, none.code()), (401, 40101));
}

#[tokio::test]
async fn bad_credentials_are_401_and_leave_no_cookie() {
    let edge = edge().await;
    edge.fakes.refuse("DirectoryService/SignIn", ErrorCode::BadCredentials);
    let login = json!({"username": "admin", "password": "wrong"});
    let refused = edge.post("", "/api/admin/auth/login", &login).await;
    assert_eq!((refused.status, refused.code()), (401, 40103));
    assert!(!refused.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn me_tells_role_permissions_and_sites() {
    let edge = edge().await;
    let (account, site_id) = (account(&edge), edge.site.to_string());
    edge.fakes.on("DirectoryService/GetAccount", move |_: GetAccountRequest| {
        Ok(GetAccountResponse { account: Some(account.clone()) })
    });
    edge.fakes.on("DirectoryService/ListSites", move |_: ListSitesRequest| {
        let site =
            Site { site_id: site_id.clone(), name: "一号工地".to_owned(), ..Site::default() };
        Ok(ListSitesResponse { sites: vec![site] })
    });
    let me = edge.get(&edge.sysadmin(), "/api/admin/auth/me").await;
    assert_eq!(
        keys(me.data()),
        [
            "account_id",
            "contractor_id",
            "contractor_name",
            "must_change_password",
            "permissions",
            "role",
            "site_ids",
            "sites",
            "username"
        ]
    );
    assert_eq!(me.data()["sites"][0]["name"], "一号工地");
    assert!(me.data()["permissions"].as_array().unwrap().contains(&json!("grant.release")));
}
