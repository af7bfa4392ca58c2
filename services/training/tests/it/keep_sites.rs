use proto::directory::v1::SiteSettings;

use crate::phone::Phone;
use crate::world::{World, day};

fn pacing(seconds: u32) -> SiteSettings {
    SiteSettings {
        check_min_seconds: seconds,
        check_max_seconds: seconds,
        ..SiteSettings::default()
    }
}

#[tokio::test]
async fn checks_follow_the_sites_settings() {
    let world = World::new().await;
    world.settings(1, pacing(20)).await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    assert_eq!(phone.play().await.status, "IN_LEARNING");
    let progress = phone.play().await;
    assert_eq!((progress.status.as_str(), progress.valid_watch_sec), ("WAITING_VERIFY", 20));
}

#[tokio::test]
async fn an_older_version_of_the_settings_changes_nothing() {
    let world = World::new().await;
    world.settings(2, pacing(20)).await;
    world.settings(1, pacing(5)).await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    assert_eq!(phone.play().await.valid_watch_sec, 10);
}
