use std::io::Write;
use std::process::Command;

use audit::{FileProblem, FileReport, verify_file};
use futures::TryStreamExt;
use prost::Message;
use proto::audit::v1::{ExportEntriesRequest, ExportEntriesResponse};
use proto::common::v1::CommandAudited;
use service::Refusal;
use tonic::{Response, Status, Streaming};
use types::ErrorCode;

use crate::forger::{entry_at, force};
use crate::grpc::client;
use crate::outside::{Log, log};

/// The whole file of the log's site, as its service tells it; with the time asked for, in seconds.
async fn export_of(log: &Log, from: Option<i64>, to: Option<i64>) -> String {
    let parts = asked(log, from, to).await.unwrap();
    let parts: Vec<_> = parts.into_inner().try_collect().await.unwrap();
    String::from_utf8(parts.into_iter().flat_map(|part| part.part).collect()).unwrap()
}

async fn asked(
    log: &Log,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<Response<Streaming<ExportEntriesResponse>>, Status> {
    let mut client = client(&log.harness, &log.outside).await;
    let caller = log.harness.sysadmin(&[log.site]);
    let time = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
    let ask = ExportEntriesRequest {
        site_id: log.site.to_string(),
        from: from.map(time),
        to: to.map(time),
    };
    client.export_entries(log.harness.request(&caller, ask)).await
}

async fn export(log: &Log) -> String {
    export_of(log, None, None).await
}

fn verify(log: &Log, file: &str) -> Result<FileReport, (u64, String)> {
    let trusted = vec![log.outside.archive().public_key()];
    verify_file(file.as_bytes(), trusted).map_err(|problem| match problem {
        FileProblem::Broken { line, problem } => (line, problem),
        FileProblem::Unread(err) => panic!("{err}"),
    })
}

/// The same question to the verifier that was written from `docs/audit-export.md` alone.
fn verify_elsewhere(log: &Log, file: &str) -> Result<String, (u64, String)> {
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit_verify.py");
    let key = log.outside.archive().public_key().to_string();
    let out =
        Command::new("python3").arg(script).args(["--key", &key]).arg(written.path()).output();
    let out = out.expect("python3 is there");
    let said = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    match out.status.code() {
        Some(0) => Ok(said),
        Some(1) => {
            let (line, problem) = said.strip_prefix("line ").unwrap().split_once(": ").unwrap();
            Err((line.parse().unwrap(), problem.to_owned()))
        }
        _ => panic!("{said} {}", String::from_utf8_lossy(&out.stderr)),
    }
}

/// A log of seven entries of which a checkpoint saw the first five.
async fn seven() -> Log {
    let log = log(5).await;
    log.checkpoint().await;
    log.append(2).await;
    log
}

#[tokio::test]
async fn an_export_proves_itself_without_a_database() {
    let log = seven().await;
    let file = export(&log).await;
    // What it is, a checkpoint, seven entries, the end.
    assert_eq!(file.lines().count(), 10);
    let report = verify(&log, &file).unwrap();
    assert_eq!((report.entries, report.first, report.last, report.witnessed), (7, 1, 7, 5));
    assert!(report.key_was_trusted);
    assert_eq!(
        verify_elsewhere(&log, &file).unwrap(),
        "intact: 7 entries, 1 to 7, a checkpoint saw 5"
    );
    let own = verify_file(file.as_bytes(), vec![]).unwrap();
    assert!(!own.key_was_trusted);
    let stranger = auth::Signer::from_root(&[1; 32], "x").unwrap().public_key();
    let refused = verify_file(file.as_bytes(), vec![stranger]).unwrap_err();
    assert_eq!(refused.to_string(), "line 1: the public key is not one of those that are trusted");
    log.harness.stop().await;
}

/// Whatever is done to the file, both verifiers name the same line.
#[tokio::test]
async fn whatever_is_done_to_the_file_both_verifiers_name_the_first_line_that_does_not_fit() {
    let log = seven().await;
    let file = export(&log).await;
    let lines: Vec<&str> = file.lines().collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        change(&mut lines);
        lines.join("\n") + "\n"
    };
    let replace = |at: usize, from: &'static str, to: &'static str| {
        with(&move |lines: &mut Vec<String>| {
            assert!(lines[at].contains(from), "{}", lines[at]);
            lines[at] = lines[at].replacen(from, to, 1);
        })
    };
    for (what, forged, line) in [
        ("another reason", replace(4, "\"reason\":\"\"", "\"reason\":\"sun\""), 5),
        ("another actor", replace(3, "\"actor\":\"s", "\"actor\":\"S"), 4),
        ("an entry less", with(&|lines| drop(lines.remove(5))), 6),
        ("the first entry less", with(&|lines| drop(lines.remove(2))), 3),
        ("an entry twice", with(&|lines| lines.insert(5, lines[4].clone())), 6),
        ("two entries swapped", with(&|lines| lines.swap(4, 6)), 5),
        ("the last entry less", with(&|lines| drop(lines.remove(8))), 9),
        ("cut short", with(&|lines| lines.truncate(7)), 8),
        ("the end less", with(&|lines| drop(lines.pop())), 10),
        ("nothing", String::new(), 1),
        ("the checkpoint less", with(&|lines| drop(lines.remove(1))), 9),
        ("another checkpoint", replace(1, "\"position\":5", "\"position\":4"), 2),
        ("another time of export", replace(0, "exported_at\":\"2026", "exported_at\":\"2027"), 10),
        ("another exporter", replace(0, "exported_by\":\"account", "exported_by\":\"Account"), 10),
        ("more than is hashed", replace(5, "{\"entry\":{", "{\"entry\":{\"note\":\"x\","), 6),
        ("another format", replace(0, "export 1", "export 2"), 1),
        ("something behind the end", with(&|lines| lines.push("{}".to_owned())), 11),
        ("no JSON", with(&|lines| lines.insert(2, "{".to_owned())), 3),
    ] {
        let ours = verify(&log, &forged).expect_err(what);
        let theirs = verify_elsewhere(&log, &forged).expect_err(what);
        assert_eq!((ours.0, theirs.0), (line, line), "{what}: {ours:?} {theirs:?}");
    }
    log.harness.stop().await;
}

#[tokio::test]
async fn a_part_of_a_chain_proves_itself_too() {
    let log = seven().await;
    let part = export(&log).await;
    let lines: Vec<&str> = part.lines().collect();
    let entry: serde_json::Value = serde_json::from_str(lines[4]).unwrap();
    assert_eq!(entry["entry"]["position"], 3);
    force(
        &log.harness,
        "UPDATE audit.entries SET at = at + position * interval '1 hour'; SELECT audit.reseal(1);",
    )
    .await;
    let start = test_support::START;
    let file = export_of(&log, Some(start + 3 * 3600), Some(start + 5 * 3600)).await;
    let report = verify(&log, &file).unwrap();
    assert_eq!((report.first, report.last, report.entries), (3, 4, 2));
    assert!(verify_elsewhere(&log, &file).is_ok());
    let none = export_of(&log, Some(start + 100 * 3600), None).await;
    let report = verify(&log, &none).unwrap();
    assert_eq!((report.first, report.entries, report.witnessed), (0, 0, 0));
    assert!(verify_elsewhere(&log, &none).unwrap().starts_with("intact: 0 entries"));
    log.harness.stop().await;
}

#[tokio::test]
async fn a_log_forged_whole_does_not_pass_in_an_export() {
    let log = seven().await;
    force(
        &log.harness,
        "UPDATE audit.entries SET reason = 'sun' WHERE position = 2; SELECT audit.reseal(2);",
    )
    .await;
    let file = export(&log).await;
    // Line 7 is entry 5.
    let found = verify(&log, &file).unwrap_err();
    assert_eq!(found, (7, "entry 5 is not the one that checkpoint 1 saw there".to_owned()));
    assert_eq!(verify_elsewhere(&log, &file).unwrap_err().0, 7);
    log.harness.stop().await;
}

#[tokio::test]
async fn an_entry_put_past_the_head_gets_no_place_in_a_file() {
    let log = seven().await;
    force(&log.harness, &entry_at(8)).await;
    let refused = Refusal::from_status(&asked(&log, None, None).await.unwrap_err());
    assert_eq!(refused.code, ErrorCode::StateConflict);
    assert_eq!(refused.data["broken_at"], 8);
    log.harness.stop().await;
}

#[tokio::test]
async fn an_export_is_an_entry_itself() {
    let log = seven().await;
    export(&log).await;
    let told = events::testing::outbox(&log.store).await;
    let commands = told.iter().filter(|(name, _)| name == "CommandAudited");
    let commands: Vec<_> =
        commands.map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap()).collect();
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0].action, "audit.export");
    assert_eq!(commands[0].site_id, log.site.to_string());
    let after: serde_json::Value = serde_json::from_str(&commands[0].after).unwrap();
    assert_eq!((&after["first"], &after["last"]), (&1.into(), &7.into()));
    log.harness.stop().await;
}
