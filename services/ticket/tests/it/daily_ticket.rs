use proto::common::v1::PageRequest;
use proto::ticket::v1::{CreateTicketRequest, GetDailyTicketRequest};
use proto::training::v1::{TrainingCompleted, TrainingStarted, VideoCompleted};
use ticket::consumers::FollowTraining;
use types::{VideoId, WorkerId};

use crate::world::{World, names};

/// A ticket of five workers and two videos, and its first day.
struct Day {
    world: World,
    id: String,
    workers: Vec<String>,
    videos: [VideoId; 2],
}

impl Day {
    async fn new(video_rule: &str) -> Self {
        let world = World::new().await;
        let workers: Vec<String> = (0..5).map(|_| WorkerId::new().to_string()).collect();
        let videos = [VideoId::new(), VideoId::new()];
        let ticket = world
            .created(CreateTicketRequest {
                worker_ids: workers.clone(),
                video_ids: videos.map(|id| id.to_string()).to_vec(),
                video_rule: video_rule.to_owned(),
                ..world.three_days()
            })
            .await;
        let id = world.ticket(&ticket).await.daily_tickets[0].daily_ticket_id.clone();
        Self { world, id, workers, videos }
    }

    fn asked(&self) -> GetDailyTicketRequest {
        GetDailyTicketRequest { daily_ticket_id: self.id.clone(), ..Default::default() }
    }

    /// The workers a request shows, and how many there are in all.
    async fn shown(&self, asked: GetDailyTicketRequest) -> (Vec<String>, u32) {
        let view = self.world.daily_page(&self.world.admin, asked).await.unwrap();
        (view.workers.into_iter().map(|each| each.worker_id).collect(), view.total)
    }

    async fn take<E: proto::Event>(&self, event: E) {
        let delivery = events::testing::delivery(&event);
        events::deliver(&self.world.store, &FollowTraining, &delivery).await.unwrap();
    }

    async fn watched(&self, video: VideoId) {
        self.take(VideoCompleted {
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.id.clone(),
            worker_id: self.workers[0].clone(),
            video_id: video.to_string(),
            version: 2,
            completed_at: Some(proto::timestamp(self.world.harness.now())),
            ..VideoCompleted::default()
        })
        .await;
    }

    /// Videos the first worker watched, and has to.
    async fn progress(&self) -> (u32, u32) {
        let view = self.world.daily_page(&self.world.admin, self.asked()).await.unwrap();
        (view.workers[0].completed_videos, view.workers[0].required_videos)
    }
}

#[tokio::test]
async fn a_day_s_workers_come_in_pages_in_the_ticket_s_order() {
    let day = Day::new("ALL").await;
    assert_eq!(day.shown(day.asked()).await, (day.workers.clone(), 5));
    let mut seen = Vec::new();
    for page in 1..=3 {
        let page = Some(PageRequest { page, page_size: 2 });
        let (workers, total) = day.shown(GetDailyTicketRequest { page, ..day.asked() }).await;
        assert_eq!(total, 5);
        seen.extend(workers);
    }
    assert_eq!(seen, day.workers);
    let page = Some(PageRequest { page: 9, page_size: 2 });
    let beyond = day.shown(GetDailyTicketRequest { page, ..day.asked() }).await;
    assert_eq!(beyond, (vec![], 5));
}

#[tokio::test]
async fn no_more_than_a_page_is_shown_where_no_page_is_asked_for() {
    let world = World::new().await;
    let workers: Vec<String> = (0..25).map(|_| WorkerId::new().to_string()).collect();
    let message = CreateTicketRequest { worker_ids: workers.clone(), ..world.three_days() };
    let ticket = world.created(message).await;
    let day = world.ticket(&ticket).await.daily_tickets[0].daily_ticket_id.clone();
    let shown = world.daily(&world.admin, &day).await.unwrap();
    let first: Vec<String> = shown.workers.into_iter().map(|each| each.worker_id).collect();
    assert_eq!((first.as_slice(), shown.total), (&workers[..20], 25));
}

#[tokio::test]
async fn only_those_whose_training_is_so_far_are_shown_and_counted() {
    let day = Day::new("ALL").await;
    day.take(TrainingStarted {
        site_id: day.world.site.to_string(),
        daily_ticket_id: day.id.clone(),
        worker_id: day.workers[3].clone(),
        version: 1,
        ..TrainingStarted::default()
    })
    .await;
    let so_far = |status: &str| GetDailyTicketRequest {
        training_status: status.to_owned(),
        page: Some(PageRequest { page: 1, page_size: 2 }),
        ..day.asked()
    };
    assert_eq!(day.shown(so_far("IN_LEARNING")).await, (vec![day.workers[3].clone()], 1));
    assert_eq!(day.shown(so_far("NOT_STARTED")).await, (day.workers[..2].to_vec(), 4));
    assert_eq!(day.shown(so_far("COMPLETED")).await, (vec![], 0));
    let bad = GetDailyTicketRequest {
        daily_ticket_id: "x".to_owned(),
        page: Some(PageRequest { page: 1, page_size: 201 }),
        training_status: "DONE".to_owned(),
    };
    let refusal = day.world.daily_page(&day.world.admin, bad).await.unwrap_err();
    assert_eq!(names(&refusal), ["daily_ticket_id", "training_status", "page_size"]);
}

#[tokio::test]
async fn a_watched_video_counts_once_and_only_if_the_ticket_asks_for_it() {
    let day = Day::new("ALL").await;
    assert_eq!(day.progress().await, (0, 2));
    day.watched(day.videos[0]).await;
    day.watched(day.videos[0]).await;
    day.watched(VideoId::new()).await;
    assert_eq!(day.progress().await, (1, 2));
    day.watched(day.videos[1]).await;
    assert_eq!(day.progress().await, (2, 2));
}

#[tokio::test]
async fn any_one_video_is_enough_where_the_rule_says_so() {
    let day = Day::new("ANY").await;
    day.watched(day.videos[1]).await;
    assert_eq!(day.progress().await, (1, 1));
}

#[tokio::test]
async fn when_the_day_was_complete_is_as_the_newest_fact_told() {
    let day = Day::new("ALL").await;
    let at = |seconds| {
        Some(proto::timestamp(day.world.harness.now() + chrono::TimeDelta::seconds(seconds)))
    };
    for (version, seconds) in [(4, 60), (3, 90)] {
        day.take(TrainingCompleted {
            site_id: day.world.site.to_string(),
            daily_ticket_id: day.id.clone(),
            worker_id: day.workers[0].clone(),
            completed_at: at(seconds),
            version,
            ..TrainingCompleted::default()
        })
        .await;
    }
    let view = day.world.daily_page(&day.world.admin, day.asked()).await.unwrap();
    assert_eq!(view.workers[0].completed_at, at(60));
    assert_eq!((view.workers[0].completed_videos, view.workers[1].completed_at), (2, None));
}
