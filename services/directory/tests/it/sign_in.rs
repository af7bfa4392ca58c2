use chrono::TimeDelta;
use proto::directory::v1 as pb;
use service::Refusal;
use test_support::eventually;
use types::Role;

use crate::world::{PASSWORD, World, code, told};

async fn sign_in(
    world: &World,
    username: &str,
    password: &str,
) -> Result<pb::SignInResponse, Refusal> {
    world.sign_in(username, password).await
}

async fn refresh(world: &World, token: &str) -> Result<pb::RefreshSignInResponse, Refusal> {
    world.refresh(token).await
}

async fn with_account() -> (World, pb::Account) {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[site]).await;
    let account = world.account("foreman", site, contractor).await;
    (world, account)
}

#[tokio::test]
async fn the_right_password_signs_in_with_the_accounts_sites() {
    let (world, account) = with_account().await;
    let signed_in = sign_in(&world, " Foreman ", PASSWORD).await.unwrap();
    assert_eq!(signed_in.account.unwrap(), account);
    let left = proto::instant(signed_in.refresh_expires_at.as_ref()).unwrap()
        - world.harness.shell.system.now();
    assert_eq!(left, TimeDelta::days(7));
    assert_eq!(world.records("account.sign_in").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_a_disabled_account_answer_alike() {
    let (world, _) = with_account().await;
    let wrong = sign_in(&world, "foreman", "another password").await.unwrap_err();
    let unknown = sign_in(&world, "nobody", PASSWORD).await.unwrap_err();
    sqlx::query("UPDATE directory.accounts SET disabled_at = now()")
        .execute(&world.admin)
        .await
        .unwrap();
    let disabled = sign_in(&world, "foreman", PASSWORD).await.unwrap_err();
    assert_eq!(wrong.code.number(), 40103);
    assert_eq!((&wrong, &wrong), (&unknown, &disabled));
    world.stop().await;
}

#[tokio::test]
async fn ten_failures_close_a_user_name_for_a_quarter_of_an_hour_known_or_not() {
    let (world, _) = with_account().await;
    for username in ["foreman", "nobody"] {
        // All at once: none of them may count as an earlier one.
        let mut attempts = Vec::new();
        for _ in 0..16 {
            attempts.push(sign_in(&world, username, "another password"));
        }
        let mut codes = Vec::new();
        for answer in futures::future::join_all(attempts).await {
            codes.push(code(&answer));
        }
        codes.sort_unstable();
        assert_eq!(codes, [vec![40103; 10], vec![42901; 6]].concat(), "{username}");
    }
    let refused = sign_in(&world, "foreman", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code.number(), 42901);
    assert_eq!(refused.data["retry_after_sec"], 900);

    world.harness.shell.system.advance(TimeDelta::minutes(15));
    assert!(sign_in(&world, "foreman", PASSWORD).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn whoever_guesses_closes_a_user_name_to_themselves_and_many_guessers_close_it_to_all() {
    let (world, _) = with_account().await;
    let wrong = async |host: u32| {
        let address = format!("203.0.113.{host}");
        world.sign_in_from(&address, "foreman", "another password").await
    };
    for host in 1..=10 {
        let mut codes = Vec::new();
        for _ in 0..11 {
            codes.push(wrong(host).await);
        }
        assert_eq!(codes, [vec![40103; 10], vec![42901]].concat(), "of 203.0.113.{host}");
        let elsewhere = world.sign_in_from("198.51.100.1", "foreman", PASSWORD).await;
        assert_eq!(elsewhere, if host < 10 { 0 } else { 42901 }, "after {host}0 failures");
    }
    world.harness.shell.system.advance(TimeDelta::minutes(15));
    assert_eq!(world.sign_in_from("198.51.100.1", "foreman", PASSWORD).await, 0);
    world.stop().await;
}

#[tokio::test]
async fn fifty_user_names_tried_from_one_address_close_it_and_no_other() {
    let (world, _) = with_account().await;
    let (address, other) = ("203.0.113.1", "203.0.113.2");
    for number in 0..50 {
        let name = format!("name-{number}");
        assert_eq!(world.sign_in_from(address, &name, "a likely password").await, 40103);
        if number == 25 {
            // One password that is known covers for no guess.
            assert_eq!(world.sign_in_from(address, "foreman", PASSWORD).await, 0);
        }
    }
    assert_eq!(world.sign_in_from(address, "name-50", "a likely password").await, 42901);
    assert_eq!(world.sign_in_from(address, "foreman", PASSWORD).await, 42901);
    assert_eq!(world.sign_in_from(other, "foreman", PASSWORD).await, 0);
    world.stop().await;
}

#[tokio::test]
async fn two_replicas_count_the_same_failures_and_end_the_same_families() {
    let (world, _) = with_account().await;
    let other = world.replica().await;
    let wrong = || pb::SignInRequest {
        username: "foreman".to_owned(),
        password: "another password".to_owned(),
    };
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    let attempts = (0..16).map(|number| {
        let mut client = if number % 2 == 0 { world.client.clone() } else { other.clone() };
        let request = world.public(wrong());
        async move { code(&told(client.sign_in(request).await)) }
    });
    let mut codes = futures::future::join_all(attempts).await;
    codes.sort_unstable();
    assert_eq!(codes, [vec![40103; 10], vec![42901; 6]].concat());

    let refreshes = (0..4).map(|number| {
        let mut client = if number % 2 == 0 { world.client.clone() } else { other.clone() };
        let message = pb::RefreshSignInRequest { refresh_token: first.refresh_token.clone() };
        let request = world.public(message);
        async move { code(&told(client.refresh_sign_in(request).await)) }
    });
    let mut codes = futures::future::join_all(refreshes).await;
    codes.sort_unstable();
    assert_eq!(codes, [0, 40101, 40101, 40101]);
    assert_eq!(code(&world.check_sign_in(&first.family_id).await), 40101, "it ended");
    world.stop().await;
}

#[tokio::test]
async fn signing_in_forgets_the_failures_before() {
    let (world, _) = with_account().await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(code(&sign_in(&world, "foreman", "another password").await), 40103);
        }
        assert!(sign_in(&world, "foreman", PASSWORD).await.is_ok());
    }
    world.stop().await;
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next() {
    let (world, account) = with_account().await;
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    let second = refresh(&world, &first.refresh_token).await.unwrap();
    assert_eq!(second.account.unwrap(), account);
    assert_eq!(second.family_id, first.family_id);
    assert_ne!(second.refresh_token, first.refresh_token);
    assert!(refresh(&world, &second.refresh_token).await.is_ok());
    assert_eq!(code(&refresh(&world, "no token of ours").await), 40101);
    world.stop().await;
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_family() {
    let (world, _) = with_account().await;
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    let second = refresh(&world, &first.refresh_token).await.unwrap();
    assert_eq!(code(&refresh(&world, &first.refresh_token).await), 40101);
    assert_eq!(
        code(&refresh(&world, &second.refresh_token).await),
        40101,
        "the thief's chain ends too"
    );
    assert_eq!(world.records("account.end_sign_in").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn refreshes_at_once_with_one_token_end_the_family() {
    let (world, _) = with_account().await;
    for _ in 0..2 {
        let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
        let at_once = (0..50).map(|_| refresh(&world, &first.refresh_token));
        let (won, lost): (Vec<_>, Vec<_>) =
            futures::future::join_all(at_once).await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|answer| code(answer) == 40101), "{lost:?}");
        for winner in won.into_iter().flatten() {
            assert_eq!(code(&refresh(&world, &winner.refresh_token).await), 40101);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_refresh_token_ends_after_seven_days() {
    let (world, _) = with_account().await;
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    world.harness.shell.system.advance(TimeDelta::days(7));
    assert_eq!(code(&refresh(&world, &first.refresh_token).await), 40102);
    world.stop().await;
}

#[tokio::test]
async fn a_disabled_account_gets_no_new_token() {
    let (world, _) = with_account().await;
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    sqlx::query("UPDATE directory.accounts SET disabled_at = now()")
        .execute(&world.admin)
        .await
        .unwrap();
    assert_eq!(code(&refresh(&world, &first.refresh_token).await), 40101);
    world.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_family_once_however_often_it_is_asked() {
    let (world, _) = with_account().await;
    let first = sign_in(&world, "foreman", PASSWORD).await.unwrap();
    let at_once = (0..50).map(async |_| {
        let message = pb::SignOutRequest { family_id: first.family_id.clone() };
        told(world.client.clone().sign_out(world.public(message)).await).unwrap();
    });
    futures::future::join_all(at_once).await;
    assert_eq!(code(&refresh(&world, &first.refresh_token).await), 40101);
    assert_eq!(world.records("account.sign_out").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn the_first_start_makes_admin_once_with_every_site() {
    let world = World::with(Some(PASSWORD)).await;
    let signed_in =
        eventually("the first account", async || sign_in(&world, "admin", PASSWORD).await.ok())
            .await;
    let account = signed_in.account.unwrap();
    assert_eq!((account.role.as_str(), account.site_ids.len()), (Role::SysAdmin.as_str(), 0));
    let site = world.site("一号工地").await;
    let again = refresh(&world, &signed_in.refresh_token).await.unwrap().account.unwrap();
    assert_eq!(
        again.site_ids,
        [site.to_string()],
        "a new site is one of theirs at the next refresh"
    );
    world.stop().await;
}
