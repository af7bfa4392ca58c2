use proto::training::v1::{Video, VideoChanged};
use ticket::consumers::FollowVideos;

use crate::world::World;

async fn take(world: &World, duration_sec: u32, version: u64) {
    let video = Video {
        video_id: world.video.to_string(),
        site_id: world.site.to_string(),
        duration_sec,
        version,
        ..Video::default()
    };
    let delivery = events::testing::delivery(&VideoChanged { video: Some(video) });
    events::deliver(&world.store, &FollowVideos, &delivery).await.unwrap();
}

#[tokio::test]
async fn the_newest_length_of_a_video_counts_in_whatever_order_it_is_told() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let needed = async || {
        let shown = world.get(&world.admin, &id).await.unwrap();
        shown.warnings.first().map(|warning| warning.needed_sec)
    };
    assert_eq!(needed().await, None);
    take(&world, 6_000, 3).await;
    assert_eq!(needed().await, Some(6_000));
    take(&world, 600, 2).await;
    take(&world, 6_000, 3).await;
    assert_eq!(needed().await, Some(6_000));
    take(&world, 600, 4).await;
    assert_eq!(needed().await, None);
}
