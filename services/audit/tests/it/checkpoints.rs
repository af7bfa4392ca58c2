use audit::{CheckpointReport, verify_all};
use prost::Message;
use proto::common::v1::{AlertCleared, AlertRaised};
use schedule::Outcome;
use types::SiteId;

use crate::forger::{entry_at, force};
use crate::outside::{Log, log};
use crate::record::{published, record};

/// Names and subjects of the alerts told so far, and their details.
async fn alerts(log: &Log) -> Vec<(String, String)> {
    let told = events::testing::outbox(&log.store).await;
    told.into_iter()
        .filter_map(|(name, data)| match name.as_str() {
            "AlertRaised" => {
                let alert = AlertRaised::decode(data.as_slice()).unwrap();
                assert_eq!(alert.kind, "AUDIT_BROKEN");
                Some((alert.about, alert.detail))
            }
            "AlertCleared" => {
                let alert = AlertCleared::decode(data.as_slice()).unwrap();
                Some((alert.about, "over".to_owned()))
            }
            _ => None,
        })
        .collect()
}

async fn checkpoints(log: &Log) -> CheckpointReport {
    log.verify().await.checkpoints
}

#[tokio::test]
async fn each_minute_the_heads_that_moved_are_kept_outside_the_database() {
    let log = log(3).await;
    record(&log.store, &[published(SiteId::new())]).await;
    assert_eq!(log.checkpoint().await, Outcome::Changed(2));
    assert_eq!(log.checkpoint().await, Outcome::Nothing);
    log.append(2).await;
    assert_eq!(log.checkpoint().await, Outcome::Changed(1));
    let report = log.verify().await;
    assert!(report.is_intact(), "{report:?}");
    let newest = report.checkpoints.newest.unwrap();
    assert_eq!((report.checkpoints.count, newest.0), (2, 2));
    let chain = report.chains.iter().find(|chain| chain.site == log.site).unwrap();
    assert_eq!((chain.entries, chain.witnessed), (5, 5));
    let file = std::fs::read_to_string(log.outside.file(2)).unwrap();
    assert!(file.contains(&chain.head_hash), "{file}");
}

/// What a superuser does who makes all hashes fit, and what the checkpoints say of it.
const FORGERIES: [(&str, &str, &str); 7] = [
    (
        "alter",
        "UPDATE audit.entries SET reason = 'sun' WHERE position = 2; SELECT audit.reseal(2);",
        "entry 3 is not the one that checkpoint 1 saw there",
    ),
    (
        "delete",
        "DELETE FROM audit.entries WHERE position = 2;
         UPDATE audit.entries SET position = position + 1000 WHERE position > 2;
         UPDATE audit.entries SET position = position - 1001 WHERE position > 1000;
         SELECT audit.reseal(2);",
        "entry 3 is not the one that checkpoint 1 saw there",
    ),
    (
        "insert",
        "UPDATE audit.entries SET position = position + 1000 WHERE position >= 2;
         UPDATE audit.entries SET position = position - 999 WHERE position > 1000;
         INSERT INTO audit.entries
         SELECT site_id, 2, gen_random_uuid(), event_type, actor, role, action, target_type, target_id, before, after,
                reason, address, trace_id, at, previous_hash, hash FROM audit.entries WHERE position = 1;
         SELECT audit.reseal(2);",
        "entry 3 is not the one that checkpoint 1 saw there",
    ),
    (
        "reorder",
        "UPDATE audit.entries SET position = 1000 WHERE position = 1;
         UPDATE audit.entries SET position = 1 WHERE position = 2;
         UPDATE audit.entries SET position = 2 WHERE position = 1000;
         SELECT audit.reseal(1);",
        "entry 3 is not the one that checkpoint 1 saw there",
    ),
    (
        "cut the tail, and the head with it",
        "DELETE FROM audit.entries WHERE position > 3; SELECT audit.reseal(4);",
        "the log ends at 3, checkpoint 2 saw entry 5",
    ),
    (
        "cut all",
        "DELETE FROM audit.entries; DELETE FROM audit.heads;",
        "the log ends at 0, checkpoint 2 saw entry 5",
    ),
    (
        "cut and grow again",
        "DELETE FROM audit.entries WHERE position > 4;
         INSERT INTO audit.entries
         SELECT site_id, 5, gen_random_uuid(), event_type, actor, role, action, target_type, target_id, before, after,
                reason, address, trace_id, at, previous_hash, hash FROM audit.entries WHERE position = 4;
         SELECT audit.reseal(5);",
        "entry 5 is not the one that checkpoint 2 saw there",
    ),
];

#[tokio::test]
async fn what_a_superuser_forges_whole_is_found_by_the_checkpoints_and_by_them_alone() {
    for (what, statements, found) in FORGERIES {
        let log = log(3).await;
        log.checkpoint().await;
        log.append(2).await;
        log.checkpoint().await;
        force(&log.harness, "SELECT audit.reseal(1);").await;
        assert_eq!(log.problem().await, None, "resealing what is untouched changes nothing");
        force(&log.harness, statements).await;
        assert_eq!(log.problem_unaided().await, None, "{what}: the forger's hashes fit");
        assert_eq!(log.problem().await.as_deref(), Some(found), "{what}");
    }
}

#[tokio::test]
async fn a_forged_chain_is_never_signed_and_is_found_within_a_minute() {
    for restarted in [false, true] {
        let mut log = log(3).await;
        log.checkpoint().await;
        force(
            &log.harness,
            "UPDATE audit.entries SET reason = 'sun' WHERE position = 2; SELECT audit.reseal(2);",
        )
        .await;
        log.append(1).await;
        if restarted {
            log.restart();
        }
        assert_eq!(log.checkpoint().await, Outcome::Nothing);
        let about = format!("growth of chain {}", log.site);
        let found = (about.clone(), "entry 4 does not follow the entry before it".to_owned());
        assert_eq!(alerts(&log).await, std::slice::from_ref(&found));
        // It goes on being refused, and is told once.
        log.append(1).await;
        assert_eq!(log.checkpoint().await, Outcome::Nothing);
        assert_eq!(alerts(&log).await, std::slice::from_ref(&found));
        assert_eq!(checkpoints(&log).await.newest.unwrap().0, 1);
        force(
            &log.harness,
            "UPDATE audit.entries SET reason = '' WHERE position = 2; SELECT audit.reseal(2);",
        )
        .await;
        assert_eq!(log.checkpoint().await, Outcome::Changed(1));
        assert_eq!(alerts(&log).await, [found, (about, "over".to_owned())]);
    }
}

#[tokio::test]
async fn a_cut_chain_is_told_within_a_minute() {
    let log = log(3).await;
    log.checkpoint().await;
    force(&log.harness, "DELETE FROM audit.entries WHERE position = 3; SELECT audit.reseal(3);")
        .await;
    assert_eq!(log.checkpoint().await, Outcome::Nothing);
    let (_, detail) = alerts(&log).await.remove(0);
    assert_eq!(detail, "the log ends at 2, checkpoint 1 saw entry 3");
}

#[tokio::test]
async fn an_entry_put_past_the_head_is_told_within_a_minute_and_its_chain_is_not_signed() {
    for (position, grows) in [(4, false), (1000, false), (1000, true)] {
        let log = log(3).await;
        log.checkpoint().await;
        force(&log.harness, &entry_at(position)).await;
        log.append(usize::from(grows)).await;
        let head = if grows { 4 } else { 3 };
        let found = format!("entry {position} lies outside the log, whose head is at {head}");
        assert_eq!(log.problem_unaided().await.as_ref(), Some(&found));
        assert_eq!(log.problem().await.as_ref(), Some(&found));
        assert_eq!(log.checkpoint().await, Outcome::Nothing);
        let about = format!("growth of chain {}", log.site);
        let told = (about.clone(), found);
        assert_eq!(alerts(&log).await, std::slice::from_ref(&told));
        let mend = format!("DELETE FROM audit.entries WHERE position = {position};");
        force(&log.harness, &mend).await;
        log.append(1).await;
        assert_eq!(log.checkpoint().await, Outcome::Changed(1));
        assert_eq!(alerts(&log).await, [told, (about, "over".to_owned())]);
    }
}

#[tokio::test]
async fn an_entry_put_before_the_first_is_found() {
    let log = log(3).await;
    let before = "ALTER TABLE audit.entries DROP CONSTRAINT entries_position_check;".to_owned();
    force(&log.harness, &(before + &entry_at(0))).await;
    let found = "entry 0 lies outside the log, whose head is at 3";
    assert_eq!(log.problem().await.as_deref(), Some(found));
}

#[tokio::test]
async fn an_entry_of_a_site_that_has_no_chain_is_told_within_a_minute() {
    let log = log(3).await;
    log.checkpoint().await;
    let (elsewhere, place) = (SiteId::new(), entry_at(1000));
    let moved = format!(
        "{place} UPDATE audit.entries SET site_id = '{elsewhere}', position = 1 WHERE position = 1000;
         UPDATE audit.entries SET previous_hash = decode(repeat('00', 32), 'hex') WHERE site_id = '{elsewhere}';
         UPDATE audit.entries SET hash = audit.hash_of(entries, previous_hash) WHERE site_id = '{elsewhere}';"
    );
    force(&log.harness, &moved).await;
    assert_eq!(log.checkpoint().await, Outcome::Nothing);
    let found = "the log ends at 1, its head is at 0".to_owned();
    assert_eq!(alerts(&log).await, [(format!("growth of chain {elsewhere}"), found)]);
}

#[tokio::test]
async fn the_daily_look_finds_what_lies_far_back_and_says_when_it_is_mended() {
    let log = log(3).await;
    log.checkpoint().await;
    assert_eq!(log.daily().await, Outcome::Nothing);
    force(&log.harness, "UPDATE audit.entries SET reason = 'sun' WHERE position = 1;").await;
    assert_eq!(log.checkpoint().await, Outcome::Nothing);
    assert!(alerts(&log).await.is_empty());
    for _ in 0..2 {
        assert_eq!(log.daily().await, Outcome::Changed(1));
    }
    let about = format!("chain {}", log.site);
    let found = (about.clone(), "entry 1 was altered".to_owned());
    assert_eq!(alerts(&log).await, std::slice::from_ref(&found));
    force(&log.harness, "UPDATE audit.entries SET reason = '' WHERE position = 1;").await;
    assert_eq!(log.daily().await, Outcome::Nothing);
    assert_eq!(alerts(&log).await, [found, (about, "over".to_owned())]);
}

#[tokio::test]
async fn an_altered_and_a_missing_checkpoint_are_found() {
    let log = log(1).await;
    for _ in 0..3 {
        log.append(1).await;
        log.checkpoint().await;
    }
    let (file, away) = (log.outside.file(2), log.outside.file(9).with_extension("away"));
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"position\":3", "\"position\":2")).unwrap();
    let found = checkpoints(&log).await.problem.unwrap();
    assert_eq!(found, "checkpoint 2 was altered: its signature is not of its content");
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(checkpoints(&log).await.problem.unwrap(), "checkpoint 2 cannot be read");
    std::fs::write(&file, good).unwrap();
    for number in 1..=3 {
        std::fs::rename(log.outside.file(number), &away).unwrap();
        let found = checkpoints(&log).await.problem.unwrap();
        assert_eq!(found, format!("checkpoint {number} is missing"));
        std::fs::rename(&away, log.outside.file(number)).unwrap();
    }
    assert_eq!(checkpoints(&log).await.problem, None);
}

#[tokio::test]
async fn a_checkpoint_whose_note_was_lost_in_a_crash_is_gone_on_from() {
    let mut log = log(1).await;
    log.checkpoint().await;
    force(&log.harness, "DELETE FROM audit.checkpoints;").await;
    log.restart();
    log.append(1).await;
    assert_eq!(log.checkpoint().await, Outcome::Changed(1));
    let report = log.verify().await;
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.checkpoints.newest.unwrap().0, 2);
}

#[tokio::test]
async fn where_the_files_are_gone_checkpoints_go_on_and_it_is_told() {
    let mut log = log(1).await;
    log.checkpoint().await;
    std::fs::remove_file(log.outside.file(1)).unwrap();
    log.restart();
    log.append(1).await;
    assert_eq!(log.checkpoint().await, Outcome::Changed(1));
    assert_eq!(
        alerts(&log).await,
        [("checkpoints".to_owned(), "checkpoint 1 is missing".to_owned())]
    );
    assert_eq!(checkpoints(&log).await.problem.unwrap(), "checkpoint 1 is missing");
    // Only what is left is looked at where a number is asked for.
    let report = verify_all(&log.store, &log.outside.archive(), Some(1)).await.unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.chains[0].witnessed, 2);
}

#[tokio::test]
async fn a_clock_set_back_does_not_put_a_checkpoint_before_the_last() {
    let log = log(1).await;
    log.checkpoint().await;
    let first = checkpoints(&log).await.newest.unwrap().1;
    log.harness.shell.system.advance(chrono::TimeDelta::hours(-5));
    log.append(1).await;
    assert_eq!(log.checkpoint().await, Outcome::Changed(1));
    let report = checkpoints(&log).await;
    assert_eq!((report.newest.unwrap(), report.problem), ((2, first), None));
}

#[tokio::test]
async fn checkpoints_of_a_key_that_is_not_trusted_any_more_are_found() {
    let log = log(1).await;
    log.checkpoint().await;
    let mut config = log.outside.config();
    config.secret = service::config::Secret::new(&[8; 32]);
    let rotated = audit::Archive::open(&config).unwrap();
    let report = verify_all(&log.store, &rotated, None).await.unwrap();
    let found = report.checkpoints.problem.unwrap();
    assert_eq!(found, "checkpoint 1 is signed with a key that is not trusted");
    config.trusted = vec![log.outside.archive().public_key()];
    let rotated = audit::Archive::open(&config).unwrap();
    assert!(verify_all(&log.store, &rotated, None).await.unwrap().is_intact());
}
