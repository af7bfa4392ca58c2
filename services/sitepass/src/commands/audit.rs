//! `sitepass audit`: proving that nobody changed the log. What was looked at and found changed exits 1; what could not
//! be looked at exits otherwise, so that nobody takes the one for the other.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use audit::{Archive, ChainReport, CheckpointConfig, CheckpointReport, FileProblem, FileReport};
use auth::PublicKey;
use chrono::SecondsFormat;
use clap::Subcommand;
use service::Store;
use service::config::{DatabaseConfig, Env};

use super::{all_keys, open, say};
use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recomputes every site's hash chain and compares it with the checkpoints outside the database, or an exported
    /// file. Exits 0 when all is as it was, 1 when something was changed, 66 when the file cannot be read, 69 when
    /// the database or the checkpoints cannot.
    Verify {
        /// An exported file instead of the database; needs no setting.
        #[arg(long)]
        file: Option<PathBuf>,
        /// With --file: a public key that may have signed it, as `sitepass audit key` prints it; may be repeated. Without
        /// one the file's own key is believed, which proves that the file is whole and not who wrote it.
        #[arg(long, requires = "file")]
        key: Vec<PublicKey>,
        /// Only the last so many checkpoints; all without it.
        #[arg(long, conflicts_with = "file")]
        checkpoints: Option<u64>,
    },
    /// Prints the public key that new checkpoints and exports are signed with. Note it where the database's
    /// administrators cannot change it.
    Key,
}

pub(crate) async fn run(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { file: Some(file), key, .. } => verify_file(&file, key),
        AuditCommand::Verify { checkpoints, .. } => verify(checkpoints).await,
        AuditCommand::Key => {
            let (_, archive) = opened().await?;
            say(&archive.public_key().to_string());
            Ok(())
        }
    }
}

async fn verify(count: Option<u64>) -> Result<(), Failure> {
    let (store, archive) = opened().await?;
    let report = audit::verify_all(&store, &archive, count).await;
    let report = report.context("the log cannot be checked").map_err(Failure::Unavailable)?;
    for chain in &report.chains {
        say(&line(chain));
    }
    say(&seen(&report.checkpoints));
    let mut found = Vec::new();
    if report.broken() > 0 {
        found.push(format!("{} of {} chains are broken", report.broken(), report.chains.len()));
    }
    found.extend(report.checkpoints.problem.clone());
    if found.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(found.join("; ")).into()) }
}

fn line(chain: &ChainReport) -> String {
    let verdict = match &chain.broken {
        None if chain.witnessed == 0 => {
            format!("intact, head {}, in no checkpoint yet", chain.head_hash)
        }
        None => format!(
            "intact, head {}, {} of them seen by a checkpoint",
            chain.head_hash, chain.witnessed
        ),
        Some((_, problem)) => format!("BROKEN: {problem}"),
    };
    format!("site {}: {} entries, {verdict}", chain.site, chain.entries)
}

fn seen(checkpoints: &CheckpointReport) -> String {
    let newest = checkpoints.newest.map(|(number, at)| {
        format!(", the newest {number} of {}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
    });
    let verdict = match &checkpoints.problem {
        None => "intact".to_owned(),
        Some(problem) => format!("BROKEN: {problem}"),
    };
    format!("checkpoints: {} compared{}, {verdict}", checkpoints.count, newest.unwrap_or_default())
}

fn verify_file(path: &Path, trusted: Vec<PublicKey>) -> Result<(), Failure> {
    let read = || format!("read {}", path.display());
    let file = File::open(path).with_context(read).map_err(Failure::NoInput)?;
    match audit::verify_file(BufReader::new(file), trusted) {
        Ok(report) => {
            for line in lines(&report) {
                say(&line);
            }
            Ok(())
        }
        Err(FileProblem::Broken { line, problem }) => {
            Err(anyhow::anyhow!("BROKEN: line {line}: {problem}").into())
        }
        Err(FileProblem::Unread(err)) => {
            Err(Failure::NoInput(anyhow::Error::from(err).context(read())))
        }
    }
}

fn lines(report: &FileReport) -> Vec<String> {
    let FileReport { site, entries, first, last, exported_by, witnessed, key, .. } = report;
    let at = report.exported_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let trusted = if report.key_was_trusted {
        "which is trusted"
    } else {
        "which only the file itself names: compare it with the one that was noted"
    };
    vec![
        format!("site {site}: {entries} entries, {first} to {last}, intact"),
        format!("exported {at} by {exported_by}"),
        format!("seen by a checkpoint up to entry {witnessed}, after it by this export alone"),
        format!("signed with {key}, {trusted}"),
    ]
}

/// The log's tables and its checkpoints, from the environment.
async fn opened() -> Result<(Store, Archive), Failure> {
    let mut env = Env::from_process();
    let database = DatabaseConfig::read(&mut env);
    let checkpoints = CheckpointConfig::read(&mut env);
    env.also_known(all_keys()?);
    env.finish().map_err(Failure::Config)?;
    let (Ok(database), Ok(checkpoints)) = (database, checkpoints) else {
        return Err(Failure::Config(Vec::new()));
    };
    let archive = Archive::open(&checkpoints);
    let archive = archive.context("open the checkpoints").map_err(Failure::Unavailable)?;
    Ok((open(&database, "audit").await?, archive))
}

#[cfg(test)]
mod tests {
    use audit::{ChainReport, CheckpointReport};
    use types::SiteId;

    use super::{line, seen};

    #[test]
    fn a_broken_chain_and_a_missing_checkpoint_stand_out() {
        let intact = ChainReport {
            site: SiteId::from_uuid(uuid::Uuid::nil()),
            entries: 3,
            head_hash: "ab".to_owned(),
            witnessed: 2,
            broken: None,
        };
        let shown = line(&intact);
        assert!(
            shown.ends_with("3 entries, intact, head ab, 2 of them seen by a checkpoint"),
            "{shown}"
        );
        let broken = ChainReport { broken: Some((2, "entry 2 was altered".to_owned())), ..intact };
        assert!(line(&broken).ends_with("BROKEN: entry 2 was altered"));
        let checkpoints = CheckpointReport {
            count: 7,
            newest: Some((7, "2026-03-02T00:00:00Z".parse().unwrap())),
            problem: Some("checkpoint 4 is missing".to_owned()),
        };
        assert_eq!(
            seen(&checkpoints),
            "checkpoints: 7 compared, the newest 7 of 2026-03-02T00:00:00Z, BROKEN: checkpoint 4 is missing"
        );
    }
}
