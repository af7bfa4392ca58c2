use audit::{ChainReport, Record, verify_all};
use events::{AuditFact, Delivery, Outcome, deliver};
use proto::Event;
use proto::ticket::v1::{Ticket, TicketPublished};
use service::{Scope, Store};
use sqlx::Row;
use test_support::Harness;
use types::{EventId, SiteId};

use crate::outside::Outside;

pub(crate) fn published(site: SiteId) -> Delivery {
    let ticket = Ticket {
        ticket_id: "t".to_owned(),
        site_id: site.to_string(),
        version: 1,
        ..Ticket::default()
    };
    events::testing::delivery(&TicketPublished {
        ticket: Some(ticket),
        ..TicketPublished::default()
    })
}

pub(crate) async fn record(store: &Store, deliveries: &[Delivery]) {
    for delivery in deliveries {
        assert_eq!(
            deliver(store, &Record::of("ticket"), delivery).await.unwrap(),
            Outcome::Handled
        );
    }
}

async fn chains(store: &Store) -> Vec<ChainReport> {
    verify_all(store, &Outside::new().archive(), None).await.unwrap().chains
}

async fn problem(store: &Store) -> Option<(u64, String)> {
    chains(store).await.into_iter().find_map(|report| report.broken)
}

#[tokio::test]
async fn every_event_becomes_one_entry_however_often_it_comes() {
    let harness = Harness::new().await;
    let store = harness.store("audit").await;
    let (site, other) = (SiteId::new(), SiteId::new());
    let deliveries = [published(site), published(other), published(site)];
    record(&store, &deliveries).await;
    for delivery in &deliveries {
        assert_eq!(
            deliver(&store, &Record::of("ticket"), delivery).await.unwrap(),
            Outcome::Repeated
        );
    }
    let mut lengths: Vec<u64> = chains(&store).await.iter().map(|report| report.entries).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 2]);
    assert_eq!(problem(&store).await, None);
}

#[tokio::test]
async fn a_command_is_recorded_with_who_what_and_why() {
    let harness = Harness::new().await;
    let site = SiteId::new();
    let caller = harness.sysadmin(&[site]);
    let ticket = harness.store("ticket").await;
    let mut tx = ticket.begin(Scope::Site(site)).await.unwrap();
    let fact = AuditFact {
        context: "ticket",
        caller: &caller,
        action: "ticket.cancel",
        target_type: "work_ticket",
        target_id: "t-1".to_owned(),
        site: Some(site),
        before: Some(serde_json::json!({ "status": "ACTIVE" })),
        after: Some(serde_json::json!({ "status": "CANCELLED" })),
        reason: Some("rain"),
        at: harness.now(),
    };
    events::audit(&mut tx, fact).await.unwrap();
    tx.commit().await.unwrap();
    let (name, data) = events::testing::outbox(&ticket).await.remove(0);
    let delivery = Delivery { name, data, id: EventId::new(), ..published(site) };
    let store = harness.store("audit").await;
    record(&store, &[delivery]).await;
    let row = sqlx::query("SELECT actor, action, before, after, reason FROM audit.entries")
        .fetch_one(&harness.database.admin())
        .await
        .unwrap();
    let texts: Vec<String> = (0..5).map(|column| row.get(column)).collect();
    assert_eq!(
        texts,
        [
            caller.subject.to_string().as_str(),
            "ticket.cancel",
            r#"{"status":"ACTIVE"}"#,
            r#"{"status":"CANCELLED"}"#,
            "rain"
        ]
    );
}

#[tokio::test]
async fn a_fact_is_recorded_with_what_it_says_of_things_and_the_digest_of_its_body() {
    let harness = Harness::new().await;
    let (store, site) = (harness.store("audit").await, SiteId::new());
    record(&store, &[published(site)]).await;
    let after: String = sqlx::query_scalar("SELECT after FROM audit.entries")
        .fetch_one(&harness.database.admin())
        .await
        .unwrap();
    let after: serde_json::Value = serde_json::from_str(&after).unwrap();
    let said = serde_json::json!({ "ticket_id": "t", "site_id": site.to_string(), "version": 1 });
    assert_eq!(after["fact"], serde_json::json!({ "ticket": said }));
    assert_eq!(after["sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn the_service_cannot_change_the_log_and_the_owner_only_by_force() {
    let harness = Harness::new().await;
    let store = harness.store("audit").await;
    record(&store, &[published(SiteId::new())]).await;
    let mut tx = store.begin(Scope::System("try to cheat")).await.unwrap();
    let refused =
        sqlx::query("UPDATE audit.entries SET reason = 'sun'").execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    let admin = harness.database.admin();
    for statement in [
        "UPDATE audit.entries SET reason = 'sun'",
        "DELETE FROM audit.entries",
        "TRUNCATE audit.entries",
    ] {
        let refused = sqlx::query(statement).execute(&admin).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn what_a_superuser_changes_by_force_is_found() {
    for (statement, wanted) in [
        ("UPDATE audit.entries SET reason = 'sun' WHERE position = 2", "entry 2 was altered"),
        ("DELETE FROM audit.entries WHERE position = 2", "entry 2 is missing or out of place"),
        ("DELETE FROM audit.entries WHERE position = 3", "the log ends at 2, its head is at 3"),
        (
            "UPDATE audit.entries SET position = CASE position WHEN 1 THEN 20 ELSE 1 END WHERE position IN (1, 20)",
            "entry 1 is missing or out of place",
        ),
        ("DELETE FROM audit.heads", "the log ends at 3, its head is at 0"),
        (
            "INSERT INTO audit.entries
             SELECT site_id, 4, gen_random_uuid(), event_type, actor, role, action, target_type, target_id, before,
                    after, reason, address, trace_id, at, hash, hash FROM audit.entries WHERE position = 3",
            "entry 4 lies outside the log, whose head is at 3",
        ),
    ] {
        let harness = Harness::new().await;
        let store = harness.store("audit").await;
        let site = SiteId::new();
        record(&store, &[published(site), published(site), published(site)]).await;
        assert_eq!(problem(&store).await, None);
        let admin = harness.database.admin();
        sqlx::query("ALTER TABLE audit.entries DISABLE TRIGGER USER")
            .execute(&admin)
            .await
            .unwrap();
        sqlx::query(statement).execute(&admin).await.unwrap();
        let (_, found) = problem(&store).await.unwrap();
        assert_eq!(found, wanted, "{statement}");
    }
}

#[tokio::test]
async fn concurrent_entries_of_one_site_make_one_chain() {
    let harness = Harness::new().await;
    let store = harness.store("audit").await;
    let site = SiteId::new();
    let deliveries: Vec<Delivery> = (0..20).map(|_| published(site)).collect();
    let one = record(&store, &deliveries[..10]);
    let two = record(&store, &deliveries[10..]);
    tokio::join!(one, two);
    let reports = chains(&store).await;
    assert_eq!((reports[0].entries, &reports[0].broken), (20, &None));
    assert_eq!(TicketPublished::CONTEXT, "ticket");
}
