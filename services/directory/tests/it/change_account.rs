#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use auth::Caller;
use futures::future::join_all;
use proto::directory::v1 as pb;
use types::Role;

use crate::world::{PASSWORD, World, bad_fields, code};

fn disable(account: &pb::Account) -> pb::ChangeAccountRequest {
    pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: account.version,
        disabled: Some(true),
        reason: "离职".to_owned(),
        ..Default::default()
    }
}

fn role(account: &pb::Account, role: &str) -> pb::ChangeAccountRequest {
    pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: account.version,
        role: role.to_owned(),
        ..Default::default()
    }
}

fn caller(account: &pb::Account) -> Caller {
    Caller::account(account.account_id.parse().unwrap(), Role::SysAdmin, vec![], None)
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_comes_back_when_enabled() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let account = world.create_account("inspector", "Auditor", vec![site.to_string()]).await;
    let signed_in = world.sign_in("inspector", PASSWORD).await.unwrap();
    let holds = world.check_sign_in(&signed_in.family_id).await.unwrap();
    assert_eq!((holds.account_id, holds.account_version), (account.account_id.clone(), 1));

    let disabled = world.change_account(&world.sysadmin, disable(&account)).await.unwrap();
    assert!(disabled.disabled && disabled.version == 2);
    assert_eq!(code(&world.check_sign_in(&signed_in.family_id).await), 40101);
    assert_eq!(code(&world.refresh(&signed_in.refresh_token).await), 40101);
    assert_eq!(code(&world.sign_in("inspector", PASSWORD).await), 40103);
    let facts = world.facts::<pb::AccountChanged>().await;
    let of_ids = pb::Account { username: String::new(), ..disabled.clone() };
    assert_eq!(facts[1], pb::AccountChanged { account: Some(of_ids) });
    let record = world.records("account.change").await.remove(0);
    assert_eq!(
        (record.before.as_str(), record.after.as_str()),
        (r#"{"disabled":false}"#, r#"{"disabled":true}"#)
    );
    assert_eq!(record.reason, "离职");

    let enable = pb::ChangeAccountRequest { disabled: Some(false), ..disable(&disabled) };
    world.change_account(&world.sysadmin, enable).await.unwrap();
    assert!(world.sign_in("inspector", PASSWORD).await.is_ok());
    assert_eq!(
        code(&world.refresh(&signed_in.refresh_token).await),
        40101,
        "the sign-ins before stay ended"
    );
    world.stop().await;
}

#[tokio::test]
async fn fifty_who_disable_an_account_at_once_disable_it_once() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let account = world.create_account("inspector", "Auditor", vec![site.to_string()]).await;
    let all = (0..50).map(|_| world.change_account(&world.sysadmin, disable(&account)));
    let mut codes: Vec<u32> = join_all(all).await.iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [vec![0], vec![40901; 49]].concat());
    assert_eq!(world.facts::<pb::AccountChanged>().await.len(), 2);
    assert_eq!(world.records("account.change").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn nobody_disables_themselves_and_of_two_who_run_the_system_one_is_left() {
    let world = World::new().await;
    let one = world.create_account("one", "SysAdmin", vec![]).await;
    let two = world.create_account("two", "SysAdmin", vec![]).await;
    assert_eq!(code(&world.change_account(&caller(&one), disable(&one)).await), 40902);
    let (first, second) = (caller(&one), caller(&two));
    let both = futures::join!(
        world.change_account(&first, disable(&two)),
        world.change_account(&second, disable(&one)),
    );
    let mut codes = [code(&both.0), code(&both.1)];
    codes.sort_unstable();
    assert_eq!(codes, [0, 40902]);
    let left =
        "SELECT count(*) FROM directory.accounts WHERE role = 'SysAdmin' AND disabled_at IS NULL";
    assert_eq!(world.count(left).await, 1);
    world.stop().await;
}

#[tokio::test]
async fn another_role_takes_what_it_needs_along_and_makes_earlier_tokens_stale() {
    let world = World::new().await;
    let (site, other) = (world.site("一号工地").await, world.site("二号工地").await);
    let contractor = world.contractor("示例一建", &[site]).await;
    let foreman = world.account("foreman", site, contractor).await;
    let signed_in = world.sign_in("foreman", PASSWORD).await.unwrap();

    let auditor = world.change_account(&world.sysadmin, role(&foreman, "Auditor")).await.unwrap();
    assert_eq!((auditor.role.as_str(), auditor.contractor_id.as_str()), ("Auditor", ""));
    assert_eq!(auditor.site_ids, [site.to_string()]);
    let holds = world.check_sign_in(&signed_in.family_id).await.unwrap();
    assert_eq!(holds.account_version, 2, "a token of version 1 is refused");
    let refreshed = world.refresh(&signed_in.refresh_token).await.unwrap();
    assert_eq!(refreshed.account.unwrap(), auditor);

    let bare = world.change_account(&world.sysadmin, role(&auditor, "ContractorAdmin")).await;
    assert_eq!(bad_fields(bare), ["contractor_id"]);
    let elsewhere = pb::ChangeAccountRequest {
        sites: Some(pb::SiteIds { site_ids: vec![other.to_string()] }),
        contractor_id: Some(contractor.to_string()),
        ..role(&auditor, "ContractorAdmin")
    };
    let elsewhere = world.change_account(&world.sysadmin, elsewhere).await;
    assert_eq!(bad_fields(elsewhere), ["contractor_id"], "not a contractor of that site");
    let moved = pb::ChangeAccountRequest {
        sites: Some(pb::SiteIds { site_ids: vec![other.to_string()] }),
        ..role(&auditor, "")
    };
    let moved = world.change_account(&world.sysadmin, moved).await.unwrap();
    assert_eq!(moved.site_ids, [other.to_string()]);
    let raised = world.change_account(&world.sysadmin, role(&moved, "SysAdmin")).await.unwrap();
    assert_eq!(raised.site_ids.len(), 2, "every site there is");
    world.stop().await;
}
