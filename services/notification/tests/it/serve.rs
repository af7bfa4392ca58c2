use std::time::Duration;

use notification::Config;
use service::config::{Env, Secret};
use test_support::eventually;

use crate::world::{TEMPLATE, World};

#[tokio::test]
async fn the_running_service_sends_what_becomes_due() {
    let world = World::new().await;
    let config = Config {
        database: world.harness.database.config(),
        grpc_listen: None,
        wechat: wechat::Config {
            url: format!("http://{}", world.wechat.address),
            appid: "wx0000000000000001".to_owned(),
            secret: Secret::new(b"secret"),
        },
        wechat_timeout: Duration::from_secs(5),
        ticket_published_template: TEMPLATE.to_owned(),
    };
    notification::serve(config, world.harness.shell.clone()).await.unwrap();
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    eventually("the message", || async { world.wechat.delivered().pop() }).await;
    eventually("the notice to be sent", || async {
        (world.only().await.status == "SENT").then_some(())
    })
    .await;
    world.harness.stop().await;
}

#[test]
fn what_the_environment_lacks_is_named() {
    let mut env = Env::from_pairs([]);
    assert!(Config::read(&mut env).is_err());
    let missing: Vec<String> =
        env.finish().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(
        missing,
        [
            "SITEPASS_DATABASE_URL",
            "SITEPASS_WECHAT_APPID",
            "SITEPASS_WECHAT_SECRET",
            "SITEPASS_WECHAT_URL"
        ]
    );
}
