//! Keys change; what was sealed before stays findable and readable, and is sealed anew.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use chrono::TimeDelta;
use proto::directory::v1 as pb;
use service::config::{Env, Secret, SecretRing};

use crate::enter_mini_program::{enter, unionid};
use crate::outside::{id_no, name, person, phone};
use crate::world::{PASSWORD, ROOT, World, code, told};

const SECOND: &[u8] = b"the second root secret of this site";

fn rotated() -> SecretRing {
    SecretRing::of_one(Secret::new(ROOT)).followed_by(Secret::new(SECOND))
}

/// The second key is known and not used yet.
fn behind() -> SecretRing {
    let secrets = [
        ("SITEPASS_VAULT_SECRET".to_owned(), String::from_utf8(ROOT.to_vec()).unwrap()),
        ("SITEPASS_VAULT_NEXT_SECRET".to_owned(), String::from_utf8(SECOND.to_vec()).unwrap()),
    ];
    Env::from_pairs(secrets).secret_ring("SITEPASS_VAULT", 32).unwrap()
}

/// How many rows of this table are sealed under each key version.
async fn versions(world: &World, table: &str) -> Vec<(u8, u64)> {
    let store = world.harness.store("directory").await;
    let all = directory::sealed_under(&store).await.unwrap();
    all.into_iter().filter(|row| row.0 == table).map(|(_, key, count)| (key, count)).collect()
}

async fn sealed_as(world: &World, table: &str, expected: &[(u8, u64)]) {
    test_support::eventually("what an earlier key sealed to be sealed anew", async || {
        (versions(world, table).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn after_a_change_of_keys_everybody_is_found_bound_and_sealed_anew() {
    let mut world = World::with(Some(PASSWORD)).await;
    let (site, workers) = world.staffed(1..=3).await;
    world.bind("a", 1).await.unwrap();
    let events = world.events().await.len();
    world.restart(|config| config.vault = rotated()).await;

    for keyword in [name(2), phone(2), id_no(2)] {
        assert_eq!(world.find(site, &keyword).await.workers[0].worker_id, workers[1], "{keyword}");
    }
    world.harness.shell.clock.advance(TimeDelta::minutes(10));
    sealed_as(&world, "workers", &[(2, 3)]).await;
    sealed_as(&world, "wechat_users", &[(2, 1)]).await;
    assert_eq!(world.sync(site).await.unwrap().unchanged, 3);
    assert_eq!(world.facts::<pb::WorkerChanged>().await.len(), 3, "they are the same people");
    world.bind("a", 1).await.unwrap();
    assert_eq!(world.events().await.len(), events + 1, "the reading's record alone is new");
    assert_eq!(world.count("SELECT count(*) FROM directory.wechat_users").await, 1);
    for keyword in [name(2), phone(2), id_no(2)] {
        assert_eq!(world.find(site, &keyword).await.workers[0].worker_id, workers[1], "{keyword}");
    }

    // Nothing is under the first key any more: it may be retired, and the second keeps its place.
    let retired = [
        ("SITEPASS_VAULT_FORMER_SECRETS".to_owned(), "-".to_owned()),
        ("SITEPASS_VAULT_SECRET".to_owned(), String::from_utf8(SECOND.to_vec()).unwrap()),
    ];
    let retired = Env::from_pairs(retired).secret_ring("SITEPASS_VAULT", 32).unwrap();
    world.restart(|config| config.vault = retired).await;
    assert_eq!(world.find(site, &phone(3)).await.workers[0].worker_id, workers[2]);
    world.stop().await;
}

#[tokio::test]
async fn under_two_keys_people_are_found_by_either_index() {
    let mut world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    // The next key is known before it is used; rows under it come of a replica that is ahead.
    let ahead = rotated();
    world.restart(|config| config.vault = ahead).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(10));
    sealed_as(&world, "workers", &[(2, 2)]).await;
    world.restart(|config| config.vault = behind()).await;
    world.outside.set_roster(&[person(1), person(2), person(3)]);
    let read = world.sync(site).await.unwrap();
    assert_eq!((read.added, read.unchanged, read.changed), (1, 2, 0));
    assert_eq!(world.count("SELECT count(*) FROM directory.workers").await, 3);
    assert_eq!(world.find(site, &id_no(2)).await.workers[0].worker_id, workers[1]);
    world.stop().await;
}

#[tokio::test]
async fn a_row_under_the_next_key_takes_no_unionid_under_the_one_before() {
    let mut world = World::new().await;
    enter(&world, "early-a").await.unwrap();
    world.restart(|config| config.vault = rotated()).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(10));
    sealed_as(&world, "wechat_users", &[(2, 1)]).await;
    let ring = rotated();
    let vault = ::vault::Vault::from_ring(&ring.expose(), ring.current).unwrap();
    world.restart(|config| config.vault = behind()).await;
    enter(&world, "demo-a").await.unwrap();
    assert_eq!(unionid(&world, &vault).await, None, "nothing would seal it anew");
    world.restart(|config| config.vault = rotated()).await;
    enter(&world, "demo-a").await.unwrap();
    assert_eq!(unionid(&world, &vault).await.as_deref(), Some("unionid-of-a"));
    world.stop().await;
}

#[tokio::test]
async fn a_sign_in_outlives_a_change_of_keys() {
    let mut world = World::with(Some(PASSWORD)).await;
    let signed_in = test_support::eventually("the first account", async || {
        let message =
            pb::SignInRequest { username: "admin".to_owned(), password: PASSWORD.to_owned() };
        told(world.client.clone().sign_in(world.public(message)).await).ok()
    })
    .await;
    world.restart(|config| config.vault = rotated()).await;
    let message = pb::RefreshSignInRequest { refresh_token: signed_in.refresh_token };
    let refreshed = world.client.clone().refresh_sign_in(world.public(message.clone())).await;
    assert!(told(refreshed).is_ok());
    let again = world.client.clone().refresh_sign_in(world.public(message)).await;
    assert_eq!(code(&told(again)), 40101, "a used one stays used");
    world.stop().await;
}

#[tokio::test]
async fn what_does_not_open_is_left_and_what_was_left_is_taken_up_again() {
    let mut world = World::new().await;
    let (site, workers) = world.staffed(1..=3).await;
    let damage = "UPDATE directory.workers SET name_sealed = set_byte(name_sealed, 20,
        get_byte(name_sealed, 20) # 1) WHERE worker_id = $1::uuid";
    let damage = async |world: &World| {
        sqlx::query(damage).bind(&workers[1]).execute(&world.admin).await.unwrap();
    };
    damage(&world).await;
    world.restart(|config| config.vault = rotated()).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(10));
    sealed_as(&world, "workers", &[(1, 1), (2, 2)]).await;
    test_support::eventually("the run's error", async || {
        let query = "SELECT count(*) FROM directory.job_runs
             WHERE job = 'directory.seal-anew' AND error LIKE '%do not open%'";
        (world.count(query).await > 0).then_some(())
    })
    .await;

    // Mended as it was damaged: the next run takes up what is left.
    damage(&world).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(10));
    sealed_as(&world, "workers", &[(2, 3)]).await;
    assert_eq!(world.find(site, &name(2)).await.workers[0].worker_id, workers[1]);
    world.stop().await;
}

#[tokio::test]
async fn a_value_moved_to_another_row_or_under_an_unknown_key_is_refused() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    let search = async |keyword: String| {
        let message =
            pb::SearchWorkersRequest { site_id: site.to_string(), keyword, ..Default::default() };
        told(world.client.clone().search_workers(world.by(&world.sysadmin, message)).await)
    };
    let move_one = "UPDATE directory.workers SET phone_sealed =
        (SELECT phone_sealed FROM directory.workers WHERE worker_id = $2::uuid) WHERE worker_id = $1::uuid";
    let moved = sqlx::query(move_one).bind(&workers[0]).bind(&workers[1]);
    moved.execute(&world.admin).await.unwrap();
    assert_eq!(code(&search(name(1)).await), 50000, "another's phone is not shown as theirs");
    assert_eq!(code(&search(name(2)).await), 0);

    let unknown = "UPDATE directory.workers SET name_sealed = set_byte(name_sealed, 0, 9)
        WHERE worker_id = $1::uuid";
    sqlx::query(unknown).bind(&workers[1]).execute(&world.admin).await.unwrap();
    assert_eq!(code(&search(name(2)).await), 50000);
    world.stop().await;
}
