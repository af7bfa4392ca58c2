use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;

use crate::world::{World, bad_fields, told};

async fn enter(world: &World, mp_code: &str) -> Result<pb::EnterMiniProgramResponse, Refusal> {
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

#[tokio::test]
async fn a_bad_code_is_the_clients_to_mend_and_a_busy_platform_is_not() {
    let world = World::new().await;
    assert_eq!(bad_fields(enter(&world, "used").await), ["mp_code"]);
    assert_eq!(bad_fields(enter(&world, "").await), ["mp_code"]);
    let busy = enter(&world, "busy").await.unwrap_err();
    assert_eq!((busy.code.number(), &busy.data["upstream"]), (50301, &json!("wechat")));
    world.stop().await;
}
