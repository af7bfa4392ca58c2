//! One-time passwords and new ones.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use auth::Caller;
use chrono::TimeDelta;
use futures::future::join_all;
use proto::directory::v1 as pb;
use service::Refusal;
use types::Role;

use crate::world::{PASSWORD, World, bad_fields, code, told};

const NEW: &str = "another good password";

async fn with_account() -> (World, pb::Account, Caller) {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let account = world.create_account("inspector", "Auditor", vec![site.to_string()]).await;
    let caller =
        Caller::account(account.account_id.parse().unwrap(), Role::Auditor, vec![site], None);
    (world, account, caller)
}

pub(crate) async fn reset(
    world: &World,
    by: &Caller,
    account: &pb::Account,
) -> Result<pb::ResetPasswordResponse, Refusal> {
    let message = pb::ResetPasswordRequest {
        account_id: account.account_id.clone(),
        reason: "忘记密码".to_owned(),
    };
    told(world.client.clone().reset_password(world.by(by, message)).await)
}

async fn change(
    world: &World,
    by: &Caller,
    (old, new): (&str, &str),
    family: &str,
) -> Result<pb::Account, Refusal> {
    let message = pb::ChangePasswordRequest {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
        family_id: family.to_owned(),
    };
    let answer = told(world.client.clone().change_password(world.by(by, message)).await);
    answer.map(|answer| answer.account.unwrap())
}

#[tokio::test]
async fn a_reset_ends_every_sign_in_and_asks_for_a_new_password() {
    let (world, account, caller) = with_account().await;
    let before = world.sign_in("inspector", PASSWORD).await.unwrap();
    let given = reset(&world, &world.sysadmin, &account).await.unwrap();
    assert!(given.account.unwrap().must_change_password);
    assert_eq!(code(&world.refresh(&before.refresh_token).await), 40101);
    assert_eq!(code(&world.check_sign_in(&before.family_id).await), 40101);
    assert_eq!(code(&world.sign_in("inspector", PASSWORD).await), 40103);

    let signed_in = world.sign_in("inspector", &given.one_time_password).await.unwrap();
    assert!(signed_in.account.unwrap().must_change_password);
    assert!(world.check_sign_in(&signed_in.family_id).await.unwrap().must_change_password);
    let chosen = (given.one_time_password.as_str(), NEW);
    let changed = change(&world, &caller, chosen, &signed_in.family_id).await.unwrap();
    assert!(!changed.must_change_password);
    assert!(!world.check_sign_in(&signed_in.family_id).await.unwrap().must_change_password);
    assert!(world.sign_in("inspector", NEW).await.is_ok());
    assert_eq!(code(&world.sign_in("inspector", &given.one_time_password).await), 40103);
    world.stop().await;
}

#[tokio::test]
async fn a_one_time_password_is_good_for_a_day_and_written_nowhere() {
    let (world, account, _) = with_account().await;
    let given = reset(&world, &world.sysadmin, &account).await.unwrap();
    let again = reset(&world, &world.sysadmin, &account).await.unwrap();
    assert_ne!(given.one_time_password, again.one_time_password);
    assert_eq!(code(&world.sign_in("inspector", &given.one_time_password).await), 40103);
    let told_of = world.events().await;
    let holds = |needle: &str| {
        let needle = needle.as_bytes();
        told_of.iter().any(|(_, data)| data.windows(needle.len()).any(|part| part == needle))
    };
    assert!(!holds(&again.one_time_password) && holds("忘记密码"));
    let records = world.records("account.reset_password").await;
    assert_eq!(records.len(), 2);

    let signed_in = world.sign_in("inspector", &again.one_time_password).await.unwrap();
    world.harness.shell.system.advance(TimeDelta::hours(24));
    assert_eq!(code(&world.sign_in("inspector", &again.one_time_password).await), 40103);
    assert_eq!(code(&world.refresh(&signed_in.refresh_token).await), 40101);
    assert_eq!(code(&world.check_sign_in(&signed_in.family_id).await), 40101);
    world.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_sign_ins_elsewhere_and_not_the_one_it_came_from() {
    let (world, _, caller) = with_account().await;
    let elsewhere = world.sign_in("inspector", PASSWORD).await.unwrap();
    let here = world.sign_in("inspector", PASSWORD).await.unwrap();
    let changed = change(&world, &caller, (PASSWORD, NEW), &here.family_id).await.unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!(code(&world.refresh(&elsewhere.refresh_token).await), 40101);
    assert_eq!(world.refresh(&here.refresh_token).await.unwrap().account.unwrap(), changed);
    assert_eq!(world.records("account.change_password").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn the_old_password_is_asked_for_and_guessing_it_is_limited() {
    let (world, _, caller) = with_account().await;
    let bad = change(&world, &caller, ("", "short"), "").await;
    assert_eq!(bad_fields(bad), ["old_password", "new_password"]);
    let same = change(&world, &caller, (PASSWORD, PASSWORD), "").await;
    assert_eq!(bad_fields(same), ["new_password"]);
    for _ in 0..10 {
        let wrong = change(&world, &caller, ("not the password", NEW), "").await;
        assert_eq!(bad_fields(wrong), ["old_password"]);
    }
    assert_eq!(code(&change(&world, &caller, (PASSWORD, NEW), "").await), 42901);
    world.harness.shell.system.advance(TimeDelta::minutes(15));
    assert!(change(&world, &caller, (PASSWORD, NEW), "").await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn fifty_who_choose_a_password_at_once_choose_one() {
    let (world, _, caller) = with_account().await;
    // No more than ten attempts count at once, so of fifty at most ten get as far as the password.
    let chosen: Vec<String> = (0..50).map(|number| format!("{NEW} {number}")).collect();
    let all = chosen.iter().map(|new| change(&world, &caller, (PASSWORD, new), ""));
    let outcomes = join_all(all).await;
    let winners: Vec<usize> =
        (0..outcomes.len()).filter(|index| outcomes[*index].is_ok()).collect();
    let [winner] = winners.as_slice() else { panic!("{winners:?}") };
    assert!(world.sign_in("inspector", &chosen[*winner]).await.is_ok());
    assert_eq!(world.records("account.change_password").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn of_fifty_resets_at_once_each_that_is_answered_is_one_and_the_last_counts() {
    let (world, account, _) = with_account().await;
    let all = (0..50).map(|_| reset(&world, &world.sysadmin, &account));
    let (given, refused): (Vec<_>, Vec<_>) =
        join_all(all).await.into_iter().partition(Result::is_ok);
    assert!(refused.iter().all(|answer| code(answer) == 40901));
    let mut given: Vec<(u64, String)> = given
        .into_iter()
        .map(Result::unwrap)
        .map(|given| (given.account.unwrap().version, given.one_time_password))
        .collect();
    given.sort();
    let versions: Vec<u64> = given.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (2..2 + given.len() as u64).collect::<Vec<_>>());
    assert_eq!(world.records("account.reset_password").await.len(), given.len());
    assert_eq!(world.facts::<pb::AccountChanged>().await.len(), 1 + given.len());
    let (_, last) = given.pop().unwrap();
    // More attempts than ten are not looked at.
    for (_, overtaken) in given.iter().rev().take(9) {
        assert_eq!(code(&world.sign_in("inspector", overtaken).await), 40103);
    }
    assert!(world.sign_in("inspector", &last).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_overlaps_a_reset_keeps_nothing_of_the_old_password() {
    let (world, account, _) = with_account().await;
    assert_eq!(code(&world.sign_in("inspector", "not the password").await), 40103);
    // The old password has been looked at, and found right, by when the sign-in waits for this row.
    let mut held = world.admin.begin().await.unwrap();
    sqlx::query("SELECT FROM directory.attempts FOR UPDATE").execute(&mut *held).await.unwrap();
    let reset_meanwhile = async {
        world.a_success_waits().await;
        reset(&world, &world.sysadmin, &account).await.unwrap();
        held.rollback().await.unwrap();
    };
    let (signed_in, ()) = futures::join!(world.sign_in("inspector", PASSWORD), reset_meanwhile);
    assert_eq!(code(&signed_in), 40103);
    assert_eq!(world.count("SELECT count(*) FROM directory.refresh_families").await, 0);
    world.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_overlaps_a_change_of_the_role_has_the_new_one() {
    let (world, account, _) = with_account().await;
    assert_eq!(code(&world.sign_in("inspector", "not the password").await), 40103);
    let mut held = world.admin.begin().await.unwrap();
    sqlx::query("SELECT FROM directory.attempts FOR UPDATE").execute(&mut *held).await.unwrap();
    let raise = pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: account.version,
        role: "SysAdmin".to_owned(),
        ..Default::default()
    };
    let raised_meanwhile = async {
        world.a_success_waits().await;
        let raised = world.change_account(&world.sysadmin, raise).await.unwrap();
        held.rollback().await.unwrap();
        raised
    };
    let (signed_in, raised) =
        futures::join!(world.sign_in("inspector", PASSWORD), raised_meanwhile);
    assert_eq!(signed_in.unwrap().account.unwrap(), raised);
    world.stop().await;
}

#[tokio::test]
async fn nobody_resets_their_own() {
    let world = World::new().await;
    let account = world.create_account("root", "SysAdmin", vec![]).await;
    let caller = Caller::account(account.account_id.parse().unwrap(), Role::SysAdmin, vec![], None);
    assert_eq!(code(&reset(&world, &caller, &account).await), 40902);
    world.stop().await;
}
