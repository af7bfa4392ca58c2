//! Sites, contractors, areas and accounts: what the body says and what the services are asked.

use proto::directory::v1::{
    Account, Area, ChangeAccountRequest, ChangeAccountResponse, ChangeSiteRequest,
    ChangeSiteResponse, ListAccountsRequest, ListAccountsResponse, ListAreasRequest,
    ListAreasResponse, ListSitesRequest, ListSitesResponse, ResetPasswordRequest,
    ResetPasswordResponse, Site, SiteSettings,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::help::{Edge, edge, id};

async fn patch(edge: &Edge, path: &str, body: &Value) -> crate::help::Answered {
    edge.send(edge.request(Method::PATCH, path).bearer_auth(edge.sysadmin()).json(body)).await
}

#[tokio::test]
async fn what_a_change_does_not_name_is_absent_on_the_way() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/ChangeSite", |request: ChangeSiteRequest| {
        let site = Site { version: request.version + 1, ..Site::default() };
        Ok(ChangeSiteResponse { site: Some(site) })
    });
    let path = format!("/api/admin/sites/{}", id());
    let body = json!({
        "version": 4,
        "settings": {
            "daily_reminder": false, "fallback_ladder": ["SMS"], "wechat_appid": "", "realname_project": "P1",
        },
    });
    let changed = patch(&edge, &path, &body).await;
    assert_eq!(changed.data()["version"], 5);
    let asked: ChangeSiteRequest = edge.fakes.only("DirectoryService/ChangeSite").message();
    let settings = SiteSettings {
        daily_reminder: Some(false),
        fallback_ladder: vec!["SMS".to_owned()],
        wechat_appid: Some(String::new()),
        realname_project: Some("P1".to_owned()),
        ..SiteSettings::default()
    };
    assert_eq!((asked.name.as_str(), asked.settings), ("", Some(settings)));

    let bad = json!({"name": "", "settings": {"retention_days": 0, "check_mode": 7}});
    assert_eq!(
        patch(&edge, &path, &bad).await.fields(),
        ["name", "settings.check_mode", "settings.retention_days", "version"]
    );
}

#[tokio::test]
async fn places_are_found_by_a_part_of_their_name_and_areas_by_their_status() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/ListSites", |_: ListSitesRequest| {
        let site = |name: &str| Site { name: name.to_owned(), ..Site::default() };
        Ok(ListSitesResponse { sites: vec![site("一号工地"), site("二号工地")] })
    });
    edge.fakes.on("DirectoryService/ListAreas", |_: ListAreasRequest| {
        let area = |name: &str, status: &str| Area {
            name: name.to_owned(),
            status: status.to_owned(),
            ..Area::default()
        };
        Ok(ListAreasResponse { areas: vec![area("A区", "ACTIVE"), area("B区", "INACTIVE")] })
    });
    let names = async |path: &str| {
        let listed = edge.get(&edge.sysadmin(), path).await;
        let items = listed.data()["items"].as_array().unwrap();
        let names: Vec<String> =
            items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(listed.data()["total"], names.len());
        names
    };
    assert_eq!(names("/api/admin/sites?keyword=%E4%BA%8C%E5%8F%B7").await, ["二号工地"]);
    assert!(names("/api/admin/sites?keyword=x").await.is_empty());
    assert_eq!(names("/api/admin/areas?status=INACTIVE").await, ["B区"]);
    assert_eq!(names("/api/admin/areas?keyword=a").await, ["A区"]);
    let odd = edge.get(&edge.sysadmin(), "/api/admin/areas?status=CLOSED").await;
    assert_eq!(odd.fields(), ["status"]);
}

#[tokio::test]
async fn accounts_are_listed_changed_and_given_a_one_time_password() {
    let edge = edge().await;
    let account = Account { username: "foreman".to_owned(), version: 3, ..Account::default() };
    let (listed, changed, reset) = (account.clone(), account.clone(), account);
    edge.fakes.on("DirectoryService/ListAccounts", move |_: ListAccountsRequest| {
        Ok(ListAccountsResponse { accounts: vec![listed.clone()], total: 7 })
    });
    edge.fakes.on("DirectoryService/ChangeAccount", move |_: ChangeAccountRequest| {
        Ok(ChangeAccountResponse { account: Some(changed.clone()) })
    });
    edge.fakes.on("DirectoryService/ResetPassword", move |_: ResetPasswordRequest| {
        Ok(ResetPasswordResponse {
            account: Some(reset.clone()),
            one_time_password: "shown-once".to_owned(),
            expires_at: None,
        })
    });
    let path = "/api/admin/accounts?disabled=false&role=Auditor&page=2&page_size=3";
    let answered = edge.get(&edge.sysadmin(), path).await;
    assert_eq!((&answered.data()["total"], &answered.data()["page"]), (&json!(7), &json!(2)));
    let asked: ListAccountsRequest = edge.fakes.only("DirectoryService/ListAccounts").message();
    assert_eq!((asked.disabled.as_str(), asked.role.as_str()), ("false", "Auditor"));

    let path = format!("/api/admin/accounts/{}", id());
    let change = json!({"version": 2, "disabled": true, "reason": "离职"});
    patch(&edge, &path, &change).await.data();
    let asked: ChangeAccountRequest = edge.fakes.only("DirectoryService/ChangeAccount").message();
    assert_eq!((asked.version, asked.disabled, asked.sites), (2, Some(true), None));
    assert_eq!((asked.role.as_str(), asked.contractor_id), ("", None));

    let reset = edge.post(&edge.sysadmin(), &format!("{path}/reset-password"), &json!({})).await;
    assert_eq!(reset.data()["one_time_password"], "shown-once");
    assert_eq!(reset.headers["cache-control"], "no-store");
}
