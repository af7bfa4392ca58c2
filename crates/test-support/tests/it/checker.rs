use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
use sqlx::{AssertSqlSafe, PgPool};
use test_support::{Checker, Database, Ledger, Nats};
use uuid::Uuid;

/// Minutes in which each slot of two jobs ran well; each run of the log's checkpoints wrote one.
struct World {
    admin: PgPool,
    checker: Checker,
    _database: Database,
    nats: Nats,
}

impl World {
    async fn new() -> Self {
        let (database, nats) = tokio::join!(Database::create(), Nats::connect());
        let mut checker = Checker::connect(&database.url(), nats.url(), &nats.prefix).await;
        checker.give_up_after(Duration::ZERO);
        let world = Self { admin: database.admin(), checker, _database: database, nats };
        for (service, job, outcome) in [
            ("ticket", "ticket.lifecycle", "nothing to do"),
            ("audit", "audit.checkpoint", "changed 1"),
        ] {
            // Half a minute from where the newest slot would be long past.
            world
                .does(format!(
                    "INSERT INTO {service}.jobs (job, cadence, last_slot)
                     VALUES ('{job}', 'every 60 s', date_trunc('minute', now() + interval '30 seconds'));
                     INSERT INTO {service}.job_runs
                         (job, slot, attempts, missed, started_at, finished_at, outcome)
                     SELECT '{job}', slot, 1, 0, slot, slot + interval '1 second', '{outcome}'
                     FROM generate_series(0, 3) AS ago,
                          LATERAL (SELECT date_trunc('minute', now() + interval '30 seconds') - ago * interval '1 minute' AS slot) AS slots"
                ))
                .await;
        }
        world.checkpoint("slot").await;
        world
    }

    /// One checkpoint in each run of their job, at an instant of it.
    async fn checkpoint(&self, at: &str) {
        self.does(format!(
            "INSERT INTO audit.checkpoints (number, at, hash)
             SELECT (SELECT count(*) FROM audit.checkpoints) + row_number() OVER (), {at}, decode(repeat('00', 32), 'hex')
             FROM audit.job_runs"
        ))
        .await;
    }

    async fn does(&self, sql: impl Into<String>) {
        sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(&self.admin).await.unwrap();
    }

    /// What is wrong with the slots.
    async fn problems(&self) -> Vec<String> {
        self.broken(10).await
    }

    /// How an invariant is broken.
    async fn broken(&self, invariant: u8) -> Vec<String> {
        let broken = self.checker.check(&Ledger::new(1)).await;
        broken.into_iter().filter(|one| one.invariant == invariant).map(|one| one.what).collect()
    }

    /// What is wrong with the slots once this was done.
    async fn after(sql: &str) -> String {
        let world = Self::new().await;
        world.does(sql).await;
        world.problems().await.join("; ")
    }
}

#[tokio::test]
async fn slots_that_each_ran_once_are_whole() {
    let world = World::new().await;
    assert_eq!(world.problems().await, Vec::<String>::new());
    // One that was missed while nobody ran, and made good by the next.
    world
        .does(
            "DELETE FROM ticket.job_runs WHERE slot = (SELECT last_slot FROM ticket.jobs) - interval '2 minutes';
             UPDATE ticket.job_runs SET missed = 1 WHERE slot = (SELECT last_slot FROM ticket.jobs) - interval '1 minute'",
        )
        .await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_slot_that_never_ran_is_seen() {
    let between = "DELETE FROM ticket.job_runs WHERE slot = (SELECT last_slot FROM ticket.jobs) - interval '2 minutes'";
    let said = World::after(between).await;
    assert!(said.contains("0 missed, and 2.00 slots since"), "{said}");

    let newest = "DELETE FROM ticket.job_runs WHERE slot = (SELECT last_slot FROM ticket.jobs)";
    let said = World::after(newest).await;
    assert!(said.contains("has no row"), "{said}");

    let stopped = "UPDATE ticket.jobs SET last_slot = last_slot - interval '5 minutes';
                   UPDATE ticket.job_runs SET slot = slot - interval '5 minutes'";
    let said = World::after(stopped).await;
    assert!(said.contains("ticket.lifecycle ran last at"), "{said}");

    let said = World::after("UPDATE ticket.jobs SET last_slot = NULL").await;
    assert!(said.contains("ticket.lifecycle has never run"), "{said}");
}

#[tokio::test]
async fn a_slot_that_ran_a_day_early_is_seen() {
    let ahead = "UPDATE ticket.jobs SET last_slot = last_slot + interval '1 day';
                 UPDATE ticket.job_runs SET slot = slot + interval '1 day'";
    let said = World::after(ahead).await;
    assert!(said.contains("ticket.lifecycle has run at"), "{said}");
    assert!(said.contains("which is to come"), "{said}");
}

#[tokio::test]
async fn a_slot_that_ran_twice_is_seen() {
    let good =
        "UPDATE ticket.job_runs SET missed = 1 WHERE slot = (SELECT last_slot FROM ticket.jobs)";
    let said = World::after(good).await;
    assert!(said.contains("1 missed, and 1.00 slots since"), "{said}");

    let begun =
        "UPDATE ticket.job_runs SET started_at = finished_at + interval '1 second', attempts = 2
                 WHERE slot = (SELECT last_slot FROM ticket.jobs)";
    let said = World::after(begun).await;
    assert!(said.contains("begun again after it had ended"), "{said}");
}

#[tokio::test]
async fn a_run_with_two_effects_is_seen() {
    let world = World::new().await;
    world.checkpoint("slot + interval '500 milliseconds'").await;
    let said = world.problems().await;
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].contains("(changed 1) wrote 2 checkpoints"), "{said:?}");
}

#[tokio::test]
async fn an_entry_of_the_log_that_no_outbox_told_is_seen() {
    let mut world = World::new().await;
    let told = Uuid::from_u128(1);
    let stray = Uuid::from_u128(2);
    for (position, event) in [(1, told), (2, stray)] {
        world
            .does(format!(
                "INSERT INTO audit.entries (site_id, position, event_id, event_type, actor, role, action, target_type,
                     target_id, before, after, reason, address, trace_id, at, previous_hash, hash)
                 VALUES ('00000000-0000-0000-0000-000000000000', {position}, '{event}', 'TrainingStarted', '', '', '', '',
                     '', '', '', '', '', '', now(), decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'))"
            ))
            .await;
    }
    world
        .does(format!(
            "INSERT INTO training.outbox (event_id, context, name, site, payload, created_at)
             VALUES ('{told}', 'training', 'TrainingStarted', '-', '', now())"
        ))
        .await;
    let seen = ["TrainingStarted is in the audit log and in no outbox"];
    assert_eq!(world.broken(2).await, seen);
    // A test's own, which it says nobody told.
    world.checker.expect_parked(stray);
    assert_eq!(world.broken(2).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_consumer_that_the_broker_has_lost_is_seen() {
    let world = World::new().await;
    world
        .does(
            "INSERT INTO training.consumers (consumer, context, kinds, primed_at, seen_at)
             VALUES ('training--follow-tickets', 'ticket', '{}', now(), now())",
        )
        .await;
    let seen = ["training--follow-tickets of ticket is not at the broker"];
    assert_eq!(world.broken(9).await, seen, "without its stream");
    let jetstream = jetstream::new(world.nats.client.clone());
    let stream = |context: &str| stream::Config {
        name: format!("{}_{context}", world.nats.prefix).to_uppercase(),
        subjects: vec![format!("{}.{context}.v1.>", world.nats.prefix)],
        ..Default::default()
    };
    let durable = || consumer::pull::Config {
        durable_name: Some("training--follow-tickets".to_owned()),
        ..Default::default()
    };
    let videos = jetstream.create_stream(stream("training")).await.unwrap();
    videos.create_consumer(durable()).await.unwrap();
    let tickets = jetstream.create_stream(stream("ticket")).await.unwrap();
    assert_eq!(world.broken(9).await, seen, "in another stream");
    tickets.create_consumer(durable()).await.unwrap();
    assert_eq!(world.broken(9).await, Vec::<String>::new());
}
