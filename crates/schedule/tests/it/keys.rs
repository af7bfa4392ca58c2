use chrono::{DateTime, TimeDelta, Utc};
use service::Scope;
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{World, start};

impl World {
    async fn keep_answers(&self, count: i32, at: DateTime<Utc>) {
        let mut tx = self.store.begin(Scope::System("keep answers")).await.unwrap();
        sqlx::query(
            "INSERT INTO idempotency_keys (caller, call, key, body_hash, answer, created_at)
             SELECT 'service:test', 'Create', $2::text || ' ' || number, '', '', $2 FROM generate_series(1, $1) AS number",
        )
        .bind(count)
        .bind(at)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn answers(&self) -> i64 {
        let mut tx = self.store.begin(Scope::System("count answers")).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM idempotency_keys")
            .fetch_one(&mut *tx)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn answers_under_a_key_are_forgotten_after_a_week_however_many_there_are() {
    let world = World::new().await;
    let week = TimeDelta::days(7);
    world.keep_answers(25_000, start() - week - TimeDelta::seconds(1)).await;
    world.keep_answers(3, start() - week).await;
    let job = schedule::forget_keys("ticket.forget-keys", &world.system);
    let stop = CancellationToken::new();
    let mut replicas = JoinSet::new();
    replicas.spawn(world.replica().await.run(vec![job], stop.clone()));
    eventually("old answers to go", async || (world.answers().await == 3).then_some(())).await;
    world.until_finished(1).await;
    assert_eq!(world.finished().await[0].1, "changed 25000");

    world.system.advance(TimeDelta::seconds(1));
    world.clock.advance(TimeDelta::days(1));
    eventually("the rest to go", async || (world.answers().await == 0).then_some(())).await;
    stop.cancel();
    replicas.join_all().await;
}
