#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use chrono::TimeDelta;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;
use vault::Vault;

use crate::world::{ROOT, World, bad_fields, told};

pub(crate) async fn enter(
    world: &World,
    mp_code: &str,
) -> Result<pb::EnterMiniProgramResponse, Refusal> {
    let message = pb::EnterMiniProgramRequest { mp_code: mp_code.to_owned() };
    told(world.client.clone().enter_mini_program(world.public(message)).await)
}

#[tokio::test]
async fn who_comes_again_is_the_same_user_and_finds_their_worker() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    let first = enter(&world, "demo-a").await.unwrap();
    assert_eq!((first.worker_id.as_str(), first.site_ids.len()), ("", 0));
    world.bind("a", 1).await.unwrap();
    let again = enter(&world, "demo-a").await.unwrap();
    assert_eq!(again.wechat_user_id, first.wechat_user_id);
    assert_eq!((&again.worker_id, again.site_ids), (&workers[0], vec![site.to_string()]));
    assert_ne!(enter(&world, "demo-b").await.unwrap().wechat_user_id, first.wechat_user_id);
    world.stop().await;
}

async fn kept(world: &World) -> (uuid::Uuid, Option<Vec<u8>>) {
    let query = "SELECT wechat_user_id, unionid_sealed FROM directory.wechat_users";
    sqlx::query_as(query).fetch_one(&world.admin).await.unwrap()
}

/// What is kept of the one user's unionid, opened as what it is.
pub(crate) async fn unionid(world: &World, vault: &Vault) -> Option<String> {
    let (user, sealed) = kept(world).await;
    let opened = sealed.map(|sealed| vault.open("wechat.unionid", user, &sealed).unwrap());
    opened.map(|plain| String::from_utf8(plain.to_vec()).unwrap())
}

#[tokio::test]
async fn a_unionid_that_comes_later_is_kept_once() {
    let world = World::new().await;
    let vault = Vault::from_root(ROOT).unwrap();
    let first = enter(&world, "early-a").await.unwrap();
    assert_eq!(unionid(&world, &vault).await, None);
    let again = enter(&world, "demo-a").await.unwrap();
    assert_eq!(again.wechat_user_id, first.wechat_user_id);
    assert_eq!(unionid(&world, &vault).await.as_deref(), Some("unionid-of-a"));

    let before = kept(&world).await;
    for code in ["demo-a", "early-a"] {
        enter(&world, code).await.unwrap();
        assert_eq!(kept(&world).await, before, "{code}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_phone_whose_binding_ended_is_told_why_when_it_enters_again() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=2).await;
    world.bind("a", 1).await.unwrap();
    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    world.bind("b", 1).await.unwrap();
    let taken_at = world.harness.now();
    let told_of = async |mp_code| {
        let entered = enter(&world, mp_code).await.unwrap();
        (entered.worker_id, entered.ended_because, proto::instant(entered.ended_at.as_ref()))
    };
    let ended = |because: &str, at| (String::new(), because.to_owned(), Some(at));
    let bound = |worker: usize| (workers[worker].clone(), String::new(), None);
    assert_eq!(told_of("demo-a").await, ended("REPLACED", taken_at));
    assert_eq!(told_of("demo-b").await, bound(0));
    assert_eq!(told_of("demo-c").await, (String::new(), String::new(), None), "never bound");

    world.bind("a", 2).await.unwrap();
    assert_eq!(told_of("demo-a").await, bound(1), "what ended before is over");
    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    let message =
        pb::UnbindWorkerRequest { worker_id: workers[1].clone(), reason: "lost".to_owned() };
    told(world.client.clone().unbind_worker(world.by(&world.sysadmin, message)).await).unwrap();
    assert_eq!(told_of("demo-a").await, ended("BY_ADMIN", world.harness.now()), "the last of two");
    world.stop().await;
}

#[tokio::test]
async fn a_bad_code_is_the_clients_to_mend_and_a_busy_platform_is_not() {
    let world = World::new().await;
    assert_eq!(bad_fields(enter(&world, "used").await), ["mp_code"]);
    assert_eq!(bad_fields(enter(&world, "").await), ["mp_code"]);
    let busy = enter(&world, "busy").await.unwrap_err();
    assert_eq!((busy.code.number(), &busy.data["upstream"]), (50301, &json!("wechat")));
    world.stop().await;
}
