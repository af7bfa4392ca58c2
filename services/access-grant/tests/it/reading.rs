use access_grant::app::Round;
use access_grant::domain::State;
use proto::access_grant::v1::{AccessSyncFailed, AccessSynced};
use proto::device::v1::PassageRecorded;
use schedule::LeaseLost;

use crate::fake_door::Mode;
use crate::world::{World, at, group};

#[tokio::test]
async fn a_round_of_reading_repairs_what_a_door_lost_and_removes_what_nobody_granted() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (kept, _) = world.granted("face-1", &[area]).await;
    let (lost, _) = world.granted("face-2", &[area]).await;
    let (mut ended, _) = world.granted("face-3", &[area]).await;
    world.push().await;
    let window = ended.window();
    world.hear(&ended.cancelled()).await;
    world.push().await;

    world.door.lose(world.grant_of(&lost).await.id);
    world.door.smuggle(&group("acg_01"), "g_5001", window);
    world.door.smuggle(&group("acg_01"), &types::GrantId::new().to_string(), window);
    world.door.smuggle(&group("acg_01"), &world.grant_of(&ended).await.id.to_string(), window);
    world.set_minute(30);
    let round = world.prove().await;
    assert_eq!(round, Round { right: 1, wrong: 1, extra: 3, unread: 0 });
    assert_eq!(world.grant_of(&kept).await.proved_at, Some(at(30)));
    assert_eq!(world.grant_of(&lost).await.state, State::Failed);
    assert!(matches!(world.grant_of(&ended).await.state, State::Revoked { proved_at: None, .. }));
    assert_eq!(world.told::<AccessSyncFailed>().await.len(), 1);

    world.set_minute(31);
    world.push().await;
    assert_eq!(world.grant_of(&lost).await.state, State::Synced);
    assert!(matches!(
        world.grant_of(&ended).await.state,
        State::Revoked { proved_at: Some(_), .. }
    ));
    assert_eq!(world.door.held(), 2);
    let round = world.prove().await;
    assert_eq!(round, Round { right: 2, ..Round::default() });
}

#[tokio::test]
async fn a_round_that_was_taken_over_takes_nothing_away_and_writes_nothing_down() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (kept, _) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.door.lose(world.grant_of(&kept).await.id);
    world.door.smuggle(&group("acg_01"), "g_5001", kept.window());
    let paused = world.run().await;
    world.run().await;
    assert!(matches!(world.proofs.prove_doors(&paused).await, Err(LeaseLost::TakenOver)));
    assert_eq!((world.door.held(), world.grant_of(&kept).await.state), (1, State::Synced));
    assert_eq!(world.prove().await, Round { wrong: 1, extra: 1, ..Round::default() });
}

#[tokio::test]
async fn a_door_that_cannot_be_read_refutes_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.push().await;
    world.door.set(Mode::Away);
    let round = world.prove().await;
    assert_eq!(round.unread, 1);
    assert_eq!(world.grant_of(&job).await.state, State::Synced);
}

#[tokio::test]
async fn a_passage_proves_the_grant_that_opened_the_door() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    world.door.set(Mode::Forgetful);
    let passage = |minute| PassageRecorded {
        passage: Some(world.passage(area, "face-1", "PASS", "", at(minute))),
    };
    world.hear(&passage(5)).await;
    assert_eq!(
        world.grant_of(&job).await.state,
        State::Pending,
        "nothing was sent that could have opened it"
    );
    world.push().await;
    assert_eq!(world.grant_of(&job).await.state, State::Failed);
    world.set_minute(6);
    world.hear(&passage(6)).await;
    let grant = world.grant_of(&job).await;
    assert_eq!((grant.state, grant.due_at), (State::Synced, None));
    assert!(world.told::<AccessSynced>().await[0].authorized);
}
