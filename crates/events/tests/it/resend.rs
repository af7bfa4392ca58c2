//! A parked event that was asked back while the database went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use events::{Delivery, Failure, Handler, async_trait, parked};
use service::Tx;
use sqlx::PgPool;
use test_support::eventually;

use crate::world::{CONTEXT, World};

/// Refuses an event at first, then loses its connection before it can commit, then takes it.
#[derive(Clone)]
struct Unlucky {
    calls: Arc<AtomicUsize>,
    admin: PgPool,
}

#[async_trait]
impl Handler for Unlucky {
    fn durable(&self) -> &'static str {
        "reader--unlucky"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call == 0 {
            return Err(Failure::Park("never".to_owned()));
        }
        sqlx::query("INSERT INTO effects (event_id, subject) VALUES ($1, $2)")
            .bind(delivery.id.as_uuid())
            .bind(&delivery.subject_id)
            .execute(&mut **tx)
            .await?;
        if call == 1 {
            let session: i32 =
                sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **tx).await?;
            sqlx::query("SELECT pg_terminate_backend($1)")
                .bind(session)
                .execute(&self.admin)
                .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_event_that_was_asked_back_stays_so_while_the_database_is_away() {
    let mut world = World::new().await;
    let handler = Unlucky { calls: Arc::default(), admin: world.database.admin() };
    world.relay().await;
    world.consume(handler.clone());
    world.publish(0..1).await;
    let parked = eventually("the event to be parked", async || {
        parked::list(&world.reader, None, 1).await.unwrap().pop()
    })
    .await;
    assert_eq!(parked::resend(&world.reader, parked.event).await.unwrap(), 1);
    world.until_effects(1).await;
    assert_eq!(handler.calls.load(Ordering::SeqCst), 3);
    world.shut_down().await;
}
