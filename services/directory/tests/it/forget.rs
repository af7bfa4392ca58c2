use chrono::TimeDelta;
use proto::directory::v1 as pb;
use service::idempotency::METADATA;
use test_support::eventually;

use crate::outside::phone;
use crate::send_sms_code::send;
use crate::world::{PASSWORD, World, code, told};

/// Attempts, codes, tokens, sign-ins and answers under a key.
async fn rows(world: &World) -> [i64; 5] {
    [
        world.count("SELECT count(*) FROM directory.attempts").await,
        world.count("SELECT count(*) FROM directory.sms_codes").await,
        world.count("SELECT count(*) FROM directory.refresh_tokens").await,
        world.count("SELECT count(*) FROM directory.refresh_families").await,
        world.count("SELECT count(*) FROM directory.idempotency_keys").await,
    ]
}

#[tokio::test]
async fn what_is_over_is_forgotten_once_a_day_and_what_holds_is_kept() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.create_account("inspector", "Auditor", vec![site.to_string()]).await;
    let leave = async |number: u32| {
        let message = pb::CreateContractorRequest {
            name: format!("示例{number}建"),
            ..pb::CreateContractorRequest::default()
        };
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, format!("key-{number}").parse().unwrap());
        told(world.client.clone().create_contractor(request).await).unwrap();
        assert_eq!(code(&world.sign_in("nobody", PASSWORD).await), 40103);
        send(&world, &phone(number)).await.unwrap();
        world.sign_in("inspector", PASSWORD).await.unwrap()
    };
    let first = leave(1).await;
    let of_one = rows(&world).await;
    assert!(of_one.iter().all(|rows| *rows > 0), "{of_one:?}");
    // The last token of the sign-in has been over for thirty days.
    world.harness.shell.system.advance(TimeDelta::days(37) + TimeDelta::seconds(1));
    let second = leave(2).await;
    assert_eq!(rows(&world).await, of_one.map(|rows| 2 * rows));

    world.harness.shell.clock.advance(TimeDelta::days(1));
    eventually("old rows to go", async || (rows(&world).await == of_one).then_some(())).await;
    assert_eq!(code(&world.refresh(&first.refresh_token).await), 40101);
    assert!(world.refresh(&second.refresh_token).await.is_ok());
    assert_eq!(code(&send(&world, &phone(2)).await), 42901, "the minute is still waited for");
    world.stop().await;
}
