use chrono::TimeDelta;
use service::config::{Secret, SecretRing};
use test_support::eventually;

use crate::bed::Bed;

#[tokio::test]
async fn after_a_change_of_keys_controllers_are_known_and_their_secrets_sealed_anew() {
    let mut bed = Bed::new().await;
    let secret = bed.door("dev_01").await.secret;
    let ring = SecretRing::of_one(Secret::new(&[7; 32])).followed_by(Secret::new(&[8; 32]));
    bed.restart(ring).await;
    let heard =
        async |bed: &Bed| bed.door_of("dev_01", &secret).beat(bed.now(), TimeDelta::zero()).await;
    heard(&bed).await;
    bed.harness.shell.clock.advance(TimeDelta::minutes(10));
    eventually("the secret to be sealed anew", async || {
        let sealed = device::sealed_under(&bed.store).await.unwrap();
        (sealed == [("devices".to_owned(), 2, 1)]).then_some(())
    })
    .await;
    heard(&bed).await;
    bed.harness.stop().await;
}
