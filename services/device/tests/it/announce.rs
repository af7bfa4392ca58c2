use device::{Announcer, FollowAreas, FollowExplanations, FollowWorkers};
use events::testing::{announced, assert_takes_its_states};
use proto::device::v1::DeviceChanged;

use crate::bed::Bed;

#[tokio::test]
async fn every_controller_is_told_again() {
    let bed = Bed::new().await;
    for id in ["dev_01", "dev_02", "dev_03"] {
        bed.register(bed.registration(id)).await;
    }
    let told = announced(&bed.store, &Announcer).await;
    let told: Vec<DeviceChanged> = told.iter().map(|(_, it)| it.decode().unwrap()).collect();
    assert_eq!(told, bed.facts::<DeviceChanged>().await);
    bed.harness.stop().await;
}

#[test]
fn whichever_event_is_a_newest_state_is_taken() {
    assert_takes_its_states(&FollowAreas);
    assert_takes_its_states(&FollowWorkers);
    assert_takes_its_states(&FollowExplanations);
}
