//! Verifying while the log goes on.

use audit::testing;
use futures::future::join_all;
use proto::audit::v1::VerifyChainRequest;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use schedule::Outcome;
use service::Refusal;
use service::grpc::Transport;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use test_support::eventually;
use types::ErrorCode;

use crate::forger::{entry_at, force};
use crate::outside::{Log, log};

/// Its calls, on the connections that its jobs have too.
fn client(log: &Log) -> AuditServiceClient<Transport> {
    testing::offer(&log.harness.shell, log.store.clone(), log.outside.archive());
    AuditServiceClient::new(log.harness.shell.peers.transport("audit"))
}

/// Keeps everybody from the entries until the transaction ends.
async fn locked(log: &Log) -> Transaction<'static, Postgres> {
    let mut tx = log.harness.database.admin().begin().await.unwrap();
    let lock = "LOCK TABLE audit.entries IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *tx).await.unwrap();
    tx
}

/// Waits until so many wait for the entries.
async fn waits(log: &Log, many: i64) {
    let admin = &log.harness.database.admin();
    eventually("somebody to wait for the entries", || async move {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
             WHERE datname = current_database() AND relation = 'audit.entries'::regclass AND NOT granted",
        )
        .fetch_one(admin)
        .await
        .unwrap();
        (waiting >= many).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_written_while_the_log_is_verified_is_not_missed() {
    let log = log(3).await;
    log.checkpoint().await;
    log.append(1).await;
    log.checkpoint().await;
    let (file, away) = (log.outside.file(2), log.outside.file(2).with_extension("away"));
    std::fs::rename(&file, &away).unwrap();
    force(
        &log.harness,
        "CREATE TABLE audit.later AS SELECT * FROM audit.checkpoints WHERE number = 2;
         DELETE FROM audit.checkpoints WHERE number = 2;",
    )
    .await;
    let mut lock = locked(&log).await;
    let written = async {
        waits(&log, 1).await;
        std::fs::rename(&away, &file).unwrap();
        let note = "INSERT INTO audit.checkpoints SELECT * FROM audit.later";
        sqlx::query(note).execute(&mut *lock).await.unwrap();
        lock.commit().await.unwrap();
    };
    let (report, ()) = tokio::join!(log.verify(), written);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.checkpoints.newest.unwrap().0, 1);
    assert_eq!(log.verify().await.checkpoints.newest.unwrap().0, 2);
}

#[tokio::test]
async fn a_chain_that_begins_while_it_is_verified_is_whole() {
    let log = log(1).await;
    force(
        &log.harness,
        "CREATE TABLE audit.first_entry AS SELECT * FROM audit.entries; DELETE FROM audit.entries;
         CREATE TABLE audit.first_head AS SELECT * FROM audit.heads; DELETE FROM audit.heads;",
    )
    .await;
    let mut client = client(&log);
    let caller = log.harness.sysadmin(&[log.site]);
    let ask = VerifyChainRequest { site_id: log.site.to_string() };
    let mut lock = locked(&log).await;
    let begun = async {
        waits(&log, 1).await;
        let append = "INSERT INTO audit.entries SELECT * FROM audit.first_entry;
            INSERT INTO audit.heads SELECT * FROM audit.first_head;";
        sqlx::raw_sql(append).execute(&mut *lock).await.unwrap();
        lock.commit().await.unwrap();
    };
    let (report, ()) = tokio::join!(client.verify_chain(log.harness.request(&caller, ask)), begun);
    let report = report.unwrap().into_inner();
    assert!(report.intact, "{report:?}");
    log.harness.stop().await;
}

/// Appends a fourth entry, once a walk waits for the entries.
async fn append_a_fourth(log: &Log, mut lock: Transaction<'static, Postgres>) {
    waits(log, 1).await;
    let append = format!("{} SELECT audit.reseal(4);", entry_at(4));
    sqlx::raw_sql(AssertSqlSafe(append)).execute(&mut *lock).await.unwrap();
    lock.commit().await.unwrap();
}

#[tokio::test]
async fn an_entry_appended_while_a_chain_is_verified_or_signed_is_no_forgery() {
    let verified = log(3).await;
    force(&verified.harness, "").await;
    let mut client = client(&verified);
    let caller = verified.harness.sysadmin(&[verified.site]);
    let ask = VerifyChainRequest { site_id: verified.site.to_string() };
    let ask = verified.harness.request(&caller, ask);
    let lock = locked(&verified).await;
    let (report, ()) = tokio::join!(client.verify_chain(ask), append_a_fourth(&verified, lock));
    let report = report.unwrap().into_inner();
    assert!(report.intact && report.entries == 4, "{report:?}");
    verified.harness.stop().await;

    let signed = log(3).await;
    signed.checkpoint().await;
    force(&signed.harness, "").await;
    let lock = locked(&signed).await;
    let (outcome, ()) = tokio::join!(signed.checkpoint(), append_a_fourth(&signed, lock));
    assert_eq!(outcome, Outcome::Changed(1));
    assert_eq!(signed.verify().await.chains[0].witnessed, 4);
}

#[tokio::test]
async fn one_chain_is_verified_at_a_time_and_holds_no_job_up() {
    let log = log(3).await;
    log.checkpoint().await;
    let (client, caller) = (client(&log), log.harness.sysadmin(&[log.site]));
    let lock = locked(&log).await;
    let calls = join_all((0..8).map(|_| {
        let (mut client, site_id) = (client.clone(), log.site.to_string());
        let ask = log.harness.request(&caller, VerifyChainRequest { site_id });
        async move {
            let answer = client.verify_chain(ask).await;
            answer.map(|report| report.into_inner().intact)
        }
    }));
    let meanwhile = async {
        waits(&log, 1).await;
        // The job has a connection too, and comes as far as the walk did.
        let unlock = async {
            waits(&log, 2).await;
            lock.commit().await.unwrap();
        };
        let (outcome, ()) = tokio::join!(log.checkpoint(), unlock);
        assert_eq!(outcome, Outcome::Nothing);
    };
    let (answers, ()) = tokio::join!(calls, meanwhile);
    let (verified, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((verified.len(), refused.len()), (1, 7));
    assert!(verified[0].as_ref().unwrap());
    for status in refused.into_iter().map(Result::unwrap_err) {
        let refusal = Refusal::from_status(&status);
        assert_eq!(refusal.code, ErrorCode::TooManyRequests);
        assert_eq!(refusal.data["verifying"], true);
    }
    // The next one is not refused.
    let mut client = client;
    let ask = VerifyChainRequest { site_id: log.site.to_string() };
    let report = client.verify_chain(log.harness.request(&caller, ask)).await.unwrap();
    assert!(report.into_inner().intact);
    log.harness.stop().await;
}
