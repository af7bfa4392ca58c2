use events::testing::{announced, assert_takes_its_states};
use proto::training::v1::{TrainingCompleted, VideoChanged};
use training::announcer::Announcer;
use training::consumers::{KeepDays, KeepSites};

use crate::phone::Phone;
use crate::world::{World, day};

#[tokio::test]
async fn videos_and_completed_days_are_told_again() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    phone.finish().await.unwrap();
    let other = world.add_video().await;

    let told = announced(&world.store, &Announcer).await;
    let videos = told.iter().filter(|(kind, _)| *kind == "Video");
    let mut videos: Vec<VideoChanged> = videos.map(|(_, it)| it.decode().unwrap()).collect();
    let mut facts = world.facts::<VideoChanged>().await;
    let by_id = |fact: &VideoChanged| fact.video.clone().unwrap().video_id;
    videos.sort_by_key(by_id);
    facts.sort_by_key(by_id);
    assert_eq!(videos, facts);
    assert!(videos.iter().any(|fact| by_id(fact) == other.video_id));
    let days = told.iter().filter(|(kind, _)| *kind == "TrainingDay");
    let days: Vec<TrainingCompleted> = days.map(|(_, it)| it.decode().unwrap()).collect();
    assert_eq!(days, world.facts::<TrainingCompleted>().await);

    ticket.version += 1;
    ticket.daily_tickets[0].status = "EXPIRED".to_owned();
    world.publish(&ticket).await;
    let told = announced(&world.store, &Announcer).await;
    assert!(told.iter().all(|(kind, _)| *kind == "Video"), "a day that is over is no news");
}

#[test]
fn whichever_event_is_a_newest_state_is_taken() {
    assert_takes_its_states(&KeepDays);
    assert_takes_its_states(&KeepSites);
}
