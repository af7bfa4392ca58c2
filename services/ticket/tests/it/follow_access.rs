use chrono::TimeDelta;
use events::{Delivery, Outcome, deliver};
use proto::access_grant::v1::{
    AccessGranted, AccessRevoked, AccessSyncFailed, AccessSynced, Grant,
};
use proto::ticket::v1::WorkerProgress;
use ticket::consumers::FollowAccess;
use types::{AreaId, DailyTicketId, GrantId};

use crate::world::World;

struct Granting {
    world: World,
    ticket: String,
    day: String,
}

impl Granting {
    async fn new() -> Self {
        let world = World::new().await;
        let ticket = world.created(world.three_days()).await;
        let day = world.ticket(&ticket).await.daily_tickets[0].daily_ticket_id.clone();
        Self { world, ticket, day }
    }

    /// A grant of the first worker, to be told of at any version and status.
    fn grant(&self) -> Grant {
        Grant {
            grant_id: GrantId::new().to_string(),
            site_id: self.world.site.to_string(),
            daily_ticket_id: self.day.clone(),
            worker_id: self.world.workers[0].to_string(),
            area_id: AreaId::new().to_string(),
            ..Grant::default()
        }
    }

    async fn take(&self, delivery: &Delivery) {
        let outcome = deliver(&self.world.store, &FollowAccess, delivery).await;
        assert_eq!(outcome, Ok(Outcome::Handled));
    }

    async fn progress(&self) -> WorkerProgress {
        let view = self.world.daily(&self.world.admin, &self.day).await.unwrap();
        view.workers[0].clone()
    }
}

fn at(grant: &Grant, status: &str, version: u64) -> Grant {
    Grant { status: status.to_owned(), version, ..grant.clone() }
}

/// The fact became true that many minutes after the start.
fn minute(minutes: i64, event: &impl proto::Event) -> Delivery {
    let mut delivery = events::testing::delivery(event);
    delivery.at += TimeDelta::minutes(minutes);
    delivery
}

fn granted(grant: &Grant, version: u64) -> Delivery {
    minute(0, &AccessGranted { grant: Some(at(grant, "PENDING_SYNC", version)) })
}

fn synced(grant: &Grant, version: u64, authorized: bool, minutes: i64) -> Delivery {
    minute(minutes, &AccessSynced { grant: Some(at(grant, "SYNCED", version)), authorized })
}

fn failed(grant: &Grant, version: u64, minutes: i64) -> Delivery {
    minute(minutes, &AccessSyncFailed { grant: Some(at(grant, "SYNC_FAILED", version)) })
}

fn revoked(grant: &Grant, version: u64, minutes: i64) -> Delivery {
    minute(minutes, &AccessRevoked { grant: Some(at(grant, "REVOKED", version)) })
}

#[tokio::test]
async fn a_worker_is_authorized_when_access_grant_says_so_and_until_a_revocation() {
    let granting = Granting::new().await;
    let grant = granting.grant();
    granting.take(&granted(&grant, 1)).await;
    let progress = granting.progress().await;
    assert!(!progress.authorized);
    assert_eq!(progress.grants[0].status, "PENDING_SYNC");
    granting.take(&synced(&grant, 2, true, 1)).await;
    let progress = granting.progress().await;
    assert!(progress.authorized);
    assert_eq!(progress.grants[0].area_id, grant.area_id);
    granting.take(&revoked(&grant, 3, 2)).await;
    let progress = granting.progress().await;
    assert!(!progress.authorized);
    assert_eq!(progress.grants[0].status, "REVOKED");
}

#[tokio::test]
async fn proofs_of_two_areas_say_the_same_in_any_order() {
    for turned in [false, true] {
        let granting = Granting::new().await;
        let (first, second) = (granting.grant(), granting.grant());
        let mut facts = vec![
            granted(&first, 1),
            granted(&second, 1),
            synced(&first, 2, false, 1),
            synced(&second, 2, true, 2),
        ];
        if turned {
            facts.reverse();
        }
        for fact in &facts {
            granting.take(fact).await;
        }
        assert!(granting.progress().await.authorized, "turned: {turned}");
    }
}

#[tokio::test]
async fn an_older_fact_that_comes_late_changes_nothing() {
    let granting = Granting::new().await;
    let grant = granting.grant();
    granting.take(&revoked(&grant, 5, 3)).await;
    granting.take(&synced(&grant, 4, true, 4)).await;
    granting.take(&granted(&grant, 1)).await;
    let progress = granting.progress().await;
    assert!(!progress.authorized);
    assert_eq!(progress.grants[0].status, "REVOKED");
}

#[tokio::test]
async fn a_repeated_delivery_has_no_effect() {
    let granting = Granting::new().await;
    let delivery = synced(&granting.grant(), 2, true, 1);
    granting.take(&delivery).await;
    let again = deliver(&granting.world.store, &FollowAccess, &delivery).await;
    assert_eq!(again, Ok(Outcome::Repeated));
    assert!(granting.progress().await.authorized);
}

#[tokio::test]
async fn grants_are_counted_by_their_state() {
    let granting = Granting::new().await;
    let grants = [granting.grant(), granting.grant(), granting.grant(), granting.grant()];
    granting.take(&granted(&grants[0], 1)).await;
    granting.take(&synced(&grants[1], 2, false, 1)).await;
    granting.take(&failed(&grants[2], 2, 1)).await;
    granting.take(&revoked(&grants[3], 2, 1)).await;
    let view = granting.world.get(&granting.world.admin, &granting.ticket).await.unwrap();
    let counts = view.days[0].access.unwrap();
    let all = (counts.pending_sync, counts.synced, counts.sync_failed, counts.revoked);
    assert_eq!(all, (1, 1, 1, 1));
}

#[tokio::test]
async fn a_fact_about_a_day_not_heard_of_is_kept() {
    let mut granting = Granting::new().await;
    granting.day = DailyTicketId::new().to_string();
    granting.take(&synced(&granting.grant(), 2, true, 1)).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM ticket.grants")
        .fetch_one(&granting.world.harness.database.admin())
        .await
        .unwrap();
    assert_eq!(kept, 1);
}
