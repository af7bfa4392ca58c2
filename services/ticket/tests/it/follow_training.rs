use events::{Failure, Outcome, deliver};
use proto::training::v1::{TrainingCompleted, TrainingFailed, TrainingReopened, TrainingStarted};
use ticket::consumers::FollowTraining;
use types::{DailyTicketId, WorkerId};

use crate::world::World;

struct Learning {
    world: World,
    ticket: String,
    day: String,
    worker: WorkerId,
}

impl Learning {
    async fn new() -> Self {
        let world = World::new().await;
        let ticket = world.created(world.three_days()).await;
        let day = world.ticket(&ticket).await.daily_tickets[0].daily_ticket_id.clone();
        let worker = world.workers[0];
        Self { world, ticket, day, worker }
    }

    fn started(&self, version: u64) -> TrainingStarted {
        TrainingStarted {
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.day.clone(),
            worker_id: self.worker.to_string(),
            version,
            ..TrainingStarted::default()
        }
    }

    fn failed(&self, version: u64) -> TrainingFailed {
        TrainingFailed {
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.day.clone(),
            worker_id: self.worker.to_string(),
            version,
            ..TrainingFailed::default()
        }
    }

    fn completed(&self, version: u64) -> TrainingCompleted {
        TrainingCompleted {
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.day.clone(),
            worker_id: self.worker.to_string(),
            version,
            in_time: true,
            completed_at: Some(proto::timestamp(self.world.harness.now())),
            ..TrainingCompleted::default()
        }
    }

    fn reopened(&self, version: u64) -> TrainingReopened {
        TrainingReopened {
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.day.clone(),
            worker_id: self.worker.to_string(),
            reopened_at: Some(proto::timestamp(self.world.harness.now())),
            version,
            ..TrainingReopened::default()
        }
    }

    async fn take<E: proto::Event>(&self, event: E) {
        let delivery = events::testing::delivery(&event);
        let outcome = deliver(&self.world.store, &FollowTraining, &delivery).await;
        assert_eq!(outcome, Ok(Outcome::Handled));
    }

    async fn status(&self) -> String {
        let view = self.world.daily(&self.world.admin, &self.day).await.unwrap();
        view.workers[0].training_status.clone()
    }
}

#[tokio::test]
async fn the_newest_fact_shows_and_the_counts_follow() {
    let learning = Learning::new().await;
    learning.take(learning.started(1)).await;
    assert_eq!(learning.status().await, "IN_LEARNING");
    learning.take(learning.failed(2)).await;
    assert_eq!(learning.status().await, "FAILED");
    learning.take(learning.completed(3)).await;
    assert_eq!(learning.status().await, "COMPLETED");
    let view = learning.world.get(&learning.world.admin, &learning.ticket).await.unwrap();
    let counts = view.days[0].training.unwrap();
    assert_eq!((counts.required, counts.completed, counts.not_started), (2, 1, 1));
    assert_eq!(view.days[1].training.unwrap().completed, 0);
}

#[tokio::test]
async fn a_repeated_delivery_has_no_effect() {
    let learning = Learning::new().await;
    let delivery = events::testing::delivery(&learning.started(1));
    for wanted in [Outcome::Handled, Outcome::Repeated, Outcome::Repeated] {
        assert_eq!(deliver(&learning.world.store, &FollowTraining, &delivery).await, Ok(wanted));
    }
    assert_eq!(learning.status().await, "IN_LEARNING");
}

#[tokio::test]
async fn an_older_fact_that_comes_late_changes_nothing() {
    let learning = Learning::new().await;
    learning.take(learning.failed(2)).await;
    learning.take(learning.started(1)).await;
    assert_eq!(learning.status().await, "FAILED");
}

#[tokio::test]
async fn what_is_completed_stays_so_in_any_order() {
    let learning = Learning::new().await;
    learning.take(learning.completed(3)).await;
    learning.take(learning.failed(2)).await;
    learning.take(learning.started(1)).await;
    assert_eq!(learning.status().await, "COMPLETED");
    learning.take(learning.started(4)).await;
    assert_eq!(learning.status().await, "COMPLETED");
}

#[tokio::test]
async fn a_completion_overtaken_by_watching_again_still_counts() {
    let learning = Learning::new().await;
    learning.take(learning.started(4)).await;
    learning.take(learning.completed(3)).await;
    assert_eq!(learning.status().await, "COMPLETED");
}

#[tokio::test]
async fn a_fact_about_a_day_not_heard_of_is_kept() {
    let mut learning = Learning::new().await;
    learning.day = DailyTicketId::new().to_string();
    learning.take(learning.completed(1)).await;
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ticket.worker_days WHERE training_status = 'COMPLETED'",
    )
    .fetch_one(&learning.world.harness.database.admin())
    .await
    .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn what_names_nobody_is_for_a_person_to_look_at() {
    let learning = Learning::new().await;
    let event = TrainingStarted { worker_id: "w_001".to_owned(), ..learning.started(1) };
    let delivery = events::testing::delivery(&event);
    let outcome = deliver(&learning.world.store, &FollowTraining, &delivery).await;
    assert!(matches!(outcome, Err(Failure::Park(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_reopened_training_begins_anew_in_whatever_order_it_is_told() {
    let learning = Learning::new().await;
    learning.take(learning.completed(2)).await;
    learning.take(learning.reopened(3)).await;
    assert_eq!(learning.status().await, "NOT_STARTED");
    // A completion of before, told again.
    learning.take(learning.completed(2)).await;
    assert_eq!(learning.status().await, "NOT_STARTED");
    learning.take(learning.started(4)).await;
    learning.take(learning.completed(5)).await;
    learning.take(learning.reopened(3)).await;
    assert_eq!(learning.status().await, "COMPLETED");
}
