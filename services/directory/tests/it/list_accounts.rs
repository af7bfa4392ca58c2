use auth::Caller;
use proto::common::v1::PageRequest;
use proto::directory::v1 as pb;
use types::{AccountId, Role};

use crate::world::{World, bad_fields, code, told};

async fn list(
    world: &World,
    by: &Caller,
    message: pb::ListAccountsRequest,
) -> Result<(Vec<String>, u32), service::Refusal> {
    let answer = told(world.client.clone().list_accounts(world.by(by, message)).await)?;
    let names = answer.accounts.into_iter().map(|account| account.username);
    Ok((names.collect(), answer.total))
}

#[tokio::test]
async fn accounts_are_found_by_what_they_are_page_by_page() {
    let world = World::new().await;
    let (site, other) = (world.site("一号工地").await, world.site("二号工地").await);
    let contractor = world.contractor("示例一建", &[site]).await;
    world.account("foreman", site, contractor).await;
    world.create_account("root", "SysAdmin", vec![]).await;
    world.create_account("inspector", "Auditor", vec![other.to_string()]).await;
    let by = &world.sysadmin;
    let find = async |message: pb::ListAccountsRequest| list(&world, by, message).await.unwrap();
    let names = |names: &[&str], total: u32| {
        (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), total)
    };
    let all = find(pb::ListAccountsRequest::default()).await;
    assert_eq!(all, names(&["foreman", "inspector", "root"], 3));
    let role = pb::ListAccountsRequest { role: "Auditor".to_owned(), ..Default::default() };
    assert_eq!(find(role).await, names(&["inspector"], 1));
    let on_site = pb::ListAccountsRequest { site_id: site.to_string(), ..Default::default() };
    assert_eq!(find(on_site).await, names(&["foreman", "root"], 2));
    let theirs =
        pb::ListAccountsRequest { contractor_id: contractor.to_string(), ..Default::default() };
    assert_eq!(find(theirs).await, names(&["foreman"], 1));
    let by_name = pb::ListAccountsRequest { keyword: " O".to_owned(), ..Default::default() };
    assert_eq!(find(by_name).await, names(&["foreman", "inspector", "root"], 3));
    let page = |page| {
        let page = Some(PageRequest { page, page_size: 2 });
        pb::ListAccountsRequest { page, ..Default::default() }
    };
    assert_eq!(find(page(2)).await, names(&["root"], 3));
    assert_eq!(find(page(9)).await, names(&[], 3));
    let nobody = pb::ListAccountsRequest { disabled: "true".to_owned(), ..Default::default() };
    assert_eq!(find(nobody).await, names(&[], 0));
    let odd = pb::ListAccountsRequest {
        role: "Root".to_owned(),
        disabled: "maybe".to_owned(),
        ..Default::default()
    };
    assert_eq!(bad_fields(list(&world, by, odd).await), ["disabled", "role"]);
    world.stop().await;
}

#[tokio::test]
async fn an_auditor_sees_the_accounts_that_reach_their_sites_and_no_other() {
    let world = World::new().await;
    let (site, other) = (world.site("一号工地").await, world.site("二号工地").await);
    let (here, there) =
        (world.contractor("示例一建", &[site]).await, world.contractor("示例二建", &[other]).await);
    let seen = world.account("foreman", site, here).await;
    let hidden = world.account("stranger", other, there).await;
    world.create_account("root", "SysAdmin", vec![]).await;
    let auditor = Caller::account(AccountId::new(), Role::Auditor, vec![site], None);
    let (names, total) = list(&world, &auditor, pb::ListAccountsRequest::default()).await.unwrap();
    assert_eq!((names, total), (vec!["foreman".to_owned(), "root".to_owned()], 2));
    let elsewhere = pb::ListAccountsRequest { site_id: other.to_string(), ..Default::default() };
    assert_eq!(code(&list(&world, &auditor, elsewhere).await), 40400);
    let get = async |account: &pb::Account| {
        let message = pb::GetAccountRequest { account_id: account.account_id.clone() };
        code(&told(world.client.clone().get_account(world.by(&auditor, message)).await))
    };
    assert_eq!((get(&seen).await, get(&hidden).await), (0, 40400));
    let contractors = world.harness.contractor_admin(site, here);
    let refused = list(&world, &contractors, pb::ListAccountsRequest::default()).await;
    assert_eq!(code(&refused), 40301);
    world.stop().await;
}
