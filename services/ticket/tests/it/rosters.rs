//! An amendment reaches days that are not over. Those that are keep whom they named and what they asked for.

use chrono::{DateTime, TimeDelta};
use proto::common::v1::PageRequest;
use proto::ticket::v1::{
    AmendTicketRequest, DayCounts, ExportTicketRequest, ExportedDay, Ids, WorkerProgress,
};
use proto::training::v1::{TrainingCompleted, VideoCompleted};
use test_support::START;
use ticket::consumers::FollowTraining;
use types::{VideoId, WorkerId};

use crate::world::World;

/// A ticket of two workers of whom the second finished its first day.
struct Job {
    world: World,
    ticket: String,
    days: Vec<String>,
}

/// All that is told of one day.
#[derive(Debug, PartialEq)]
struct Told {
    workers: Vec<WorkerProgress>,
    total: u32,
    counts: DayCounts,
    /// Each worker's row of the export, by worker.
    exported: Vec<(String, ExportedDay)>,
}

impl Job {
    async fn new() -> Self {
        let world = World::new().await;
        let ticket = world.created(world.three_days()).await;
        let days = world.ticket(&ticket).await.daily_tickets;
        let days = days.into_iter().map(|day| day.daily_ticket_id).collect();
        let job = Self { world, ticket, days };
        job.finished(1).await;
        job
    }

    /// One of the first two workers finished the first day.
    async fn finished(&self, worker: usize) {
        let (site_id, daily_ticket_id) = (self.world.site.to_string(), self.days[0].clone());
        let worker_id = self.world.workers[worker].to_string();
        let watched = VideoCompleted {
            site_id: site_id.clone(),
            daily_ticket_id: daily_ticket_id.clone(),
            worker_id: worker_id.clone(),
            video_id: self.world.video.to_string(),
            version: 1,
            completed_at: Some(proto::timestamp(self.world.harness.now())),
            ..VideoCompleted::default()
        };
        let completed = TrainingCompleted {
            site_id,
            daily_ticket_id,
            worker_id,
            completed_at: Some(proto::timestamp(self.world.harness.now())),
            in_time: true,
            version: 2,
            ..TrainingCompleted::default()
        };
        for delivery in [events::testing::delivery(&watched), events::testing::delivery(&completed)]
        {
            events::deliver(&self.world.store, &FollowTraining, &delivery).await.unwrap();
        }
    }

    /// Five past midnight after so many days: those are over, and the next begins.
    async fn overnight(&self, days: i64) {
        let eight = DateTime::from_timestamp(START, 0).unwrap();
        let five_past = eight + TimeDelta::days(days) - TimeDelta::minutes(7 * 60 + 55);
        self.world.harness.shell.clock.set(five_past, 0.0);
        self.world.run_lifecycle().await;
    }

    /// The second worker goes and another comes, and another video is to be watched.
    async fn swap(&self) -> String {
        let came = WorkerId::new().to_string();
        let worker_ids = vec![self.world.workers[0].to_string(), came.clone()];
        let video_ids = vec![VideoId::new().to_string(), self.world.video.to_string()];
        let amendment = AmendTicketRequest {
            worker_ids: Some(Ids { ids: worker_ids }),
            video_ids: Some(Ids { ids: video_ids }),
            ..self.world.amendment(&self.ticket).await
        };
        self.world.amend(&self.world.sysadmin(), amendment).await.unwrap();
        came
    }

    async fn told(&self, day: usize) -> Told {
        let (world, id) = (&self.world, &self.days[day]);
        let shown = world.daily(&world.admin, id).await.unwrap();
        let counts = world.get(&world.admin, &self.ticket).await.unwrap().days.remove(day);
        let page = Some(PageRequest { page: 1, page_size: 200 });
        let message = ExportTicketRequest { ticket_id: self.ticket.clone(), page };
        let export = world.export(&world.admin, message).await.unwrap();
        let mut exported: Vec<(String, ExportedDay)> = Vec::new();
        for worker in export.workers {
            let of_day = worker.days.into_iter().filter(|day| day.daily_ticket_id == *id);
            exported.extend(of_day.map(|day| (worker.worker_id.clone(), day)));
        }
        exported.sort_by(|(one, _), (other, _)| one.cmp(other));
        Told { workers: shown.workers, total: shown.total, counts, exported }
    }

    async fn named(&self, day: usize) -> Vec<String> {
        self.told(day).await.workers.into_iter().map(|each| each.worker_id).collect()
    }
}

#[tokio::test]
async fn a_day_that_is_over_stays_as_it_was_when_a_worker_is_replaced() {
    let job = Job::new().await;
    job.overnight(1).await;
    let before = job.told(0).await;
    assert_eq!((before.total, before.exported.len()), (2, 2));
    assert_eq!((before.workers[1].completed_videos, before.workers[1].required_videos), (1, 1));
    let training = before.counts.training.unwrap();
    assert_eq!((training.required, training.completed, training.not_started), (2, 1, 1));

    let came = job.swap().await;
    assert_eq!(job.told(0).await, before);
    let first = job.world.workers[0].to_string();
    assert_eq!(job.named(1).await, [first.clone(), came.clone()]);
    assert_eq!(job.told(1).await.workers[0].required_videos, 2);

    // Again on the next day: each day keeps its own.
    job.overnight(2).await;
    let (second, last) = (job.told(1).await, job.swap().await);
    assert_eq!((job.told(0).await, job.told(1).await), (before, second));
    assert_eq!(job.named(2).await, [first, last]);
}

#[tokio::test]
async fn a_fact_that_comes_late_still_counts_on_the_day_it_is_about() {
    let job = Job::new().await;
    job.overnight(1).await;
    job.swap().await;
    job.finished(0).await;
    let told = job.told(0).await;
    assert_eq!(told.counts.training.unwrap().completed, 2);
    assert!(told.workers.iter().all(|worker| worker.training_status == "COMPLETED"));
}

#[tokio::test]
async fn a_day_whose_end_the_clock_has_not_written_yet_keeps_its_own_too() {
    let job = Job::new().await;
    let named = job.named(0).await;
    job.world.harness.shell.clock.advance(TimeDelta::minutes(16 * 60 + 5));
    job.swap().await;
    assert_eq!(job.named(0).await, named);
}

#[tokio::test]
async fn a_cancelled_day_stays_as_it_was_too() {
    let job = Job::new().await;
    job.world.cancel_day(&job.world.admin, &job.days[1], false).await.unwrap();
    let before = job.told(1).await;
    job.swap().await;
    assert_eq!(job.told(1).await, before);
    assert_eq!(job.named(2).await.len(), 2);
    assert_ne!(job.named(0).await, job.named(1).await, "the day that runs is reached");
}
