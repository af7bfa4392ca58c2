#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use proto::directory::v1 as pb;
use service::Refusal;
use service::idempotency::METADATA;
use types::SiteId;

use crate::world::{PASSWORD, World, bad_fields, code, told};

async fn create(world: &World, message: pb::CreateAccountRequest) -> Result<pb::Account, Refusal> {
    let answer =
        told(world.client.clone().create_account(world.by(&world.sysadmin, message)).await);
    answer.map(|answer| answer.account.unwrap())
}

fn account(role: &str, site_ids: Vec<String>, contractor_id: String) -> pb::CreateAccountRequest {
    let (username, password) = ("foreman".to_owned(), PASSWORD.to_owned());
    pb::CreateAccountRequest { username, password, role: role.to_owned(), site_ids, contractor_id }
}

#[tokio::test]
async fn an_account_is_told_of_without_its_password() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let made = create(&world, account("SysAdmin", vec![], String::new())).await.unwrap();
    assert_eq!(made.site_ids, [site.to_string()], "every site there is");
    let of_ids = pb::Account { username: String::new(), ..made.clone() };
    assert_eq!(
        world.facts::<pb::AccountChanged>().await,
        [pb::AccountChanged { account: Some(of_ids) }]
    );
    let again = create(&world, account("SysAdmin", vec![], String::new())).await;
    assert_eq!(bad_fields(again), ["username"]);

    let message = pb::GetAccountRequest { account_id: made.account_id.clone() };
    let caller = auth::Caller::account(
        made.account_id.parse().unwrap(),
        types::Role::SysAdmin,
        vec![site],
        None,
    );
    let read = told(world.client.clone().get_account(world.by(&caller, message)).await).unwrap();
    assert_eq!(read.account.unwrap(), made);
    world.stop().await;
}

#[tokio::test]
async fn a_contractors_administrator_reads_no_other_account() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[site]).await;
    let made = world.account("foreman", site, contractor).await;
    let caller = world.harness.contractor_admin(site, contractor);
    let message = pb::GetAccountRequest { account_id: made.account_id };
    assert_eq!(
        code(&told(world.client.clone().get_account(world.by(&caller, message)).await)),
        40400
    );
    world.stop().await;
}

#[tokio::test]
async fn what_a_role_needs_is_asked_for() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[]).await;
    let mut message = account("ContractorAdmin", vec![], String::new());
    message.password = "too short".to_owned();
    message.username = "多".to_owned();
    assert_eq!(
        bad_fields(create(&world, message).await),
        ["username", "password", "contractor_id", "site_ids"]
    );
    let message = account("SysAdmin", vec![site.to_string()], contractor.to_string());
    assert_eq!(bad_fields(create(&world, message).await), ["contractor_id", "site_ids"]);
    let message = account("ContractorAdmin", vec![site.to_string()], contractor.to_string());
    assert_eq!(
        bad_fields(create(&world, message).await),
        ["contractor_id"],
        "not a contractor of that site"
    );
    let message =
        account("ContractorAdmin", vec![SiteId::new().to_string()], contractor.to_string());
    assert_eq!(code(&create(&world, message).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn an_auditor_has_sites_and_no_contractor() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[site]).await;
    let message = account("Auditor", vec![], contractor.to_string());
    assert_eq!(bad_fields(create(&world, message).await), ["contractor_id", "site_ids"]);
    let message = account("Auditor", vec![site.to_string()], String::new());
    let made = create(&world, message).await.unwrap();
    assert_eq!((made.role.as_str(), made.site_ids), ("Auditor", vec![site.to_string()]));
    let nowhere = account("Auditor", vec![SiteId::new().to_string()], String::new());
    assert_eq!(code(&create(&world, nowhere).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_makes_one_account() {
    let world = World::new().await;
    let calls = (0..50).map(async |_| {
        let message = account("SysAdmin", vec![], String::new());
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, "key-1".parse().unwrap());
        told(world.client.clone().create_account(request).await)
    });
    let answers = futures::future::join_all(calls).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)));
    assert_eq!(world.count("SELECT count(*) FROM directory.accounts").await, 1);
    assert_eq!(world.facts::<pb::AccountChanged>().await.len(), 1);
    assert_eq!(world.records("account.create").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_key_with_another_password_is_another_request() {
    let world = World::new().await;
    let call = async |password: &str| {
        let mut message = account("SysAdmin", vec![], String::new());
        message.password = password.to_owned();
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, "key-1".parse().unwrap());
        told(world.client.clone().create_account(request).await)
    };
    let first = call(PASSWORD).await.unwrap();
    assert_eq!(call(PASSWORD).await.unwrap(), first);
    assert_eq!(code(&call("another password").await), 40903);
    world.stop().await;
}
