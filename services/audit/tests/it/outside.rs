//! A log whose checkpoints lie in a folder of the test's own.

use audit::testing::Jobs;
use audit::{Archive, CheckpointConfig, Config, LogReport, verify_all};
use schedule::Outcome;
use service::Store;
use service::config::Secret;
use tempfile::TempDir;
use test_support::Harness;
use types::SiteId;

use crate::record::{published, record};

/// Where the database's superuser cannot write.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) folder: TempDir,
}

impl Outside {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn config(&self) -> CheckpointConfig {
        CheckpointConfig {
            dir: self.folder.path().to_owned(),
            secret: Secret::new(&[9; 32]),
            trusted: Vec::new(),
        }
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(&self.config()).unwrap()
    }

    /// The checkpoint's file.
    pub(crate) fn file(&self, number: u64) -> std::path::PathBuf {
        self.folder.path().join(format!("audit/checkpoints/000000/{number:09}.json"))
    }
}

pub(crate) fn config(harness: &Harness, outside: &Outside) -> Config {
    Config { database: harness.database.config(), grpc_listen: None, checkpoints: outside.config() }
}

/// A log of one site with entries and the jobs that keep its proof.
pub(crate) struct Log {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) outside: Outside,
    pub(crate) site: SiteId,
    pub(crate) jobs: Jobs,
}

pub(crate) async fn log(entries: usize) -> Log {
    let harness = Harness::new().await;
    let store = harness.store("audit").await;
    let outside = Outside::new();
    let jobs = Jobs::new(store.clone(), outside.archive(), harness.shell.system.clone());
    let log = Log { harness, store, outside, site: SiteId::new(), jobs };
    log.append(entries).await;
    log
}

impl Log {
    pub(crate) async fn append(&self, entries: usize) {
        let deliveries: Vec<_> = (0..entries).map(|_| published(self.site)).collect();
        record(&self.store, &deliveries).await;
    }

    /// A minute passes and the job runs.
    pub(crate) async fn checkpoint(&self) -> Outcome {
        self.harness.shell.system.advance(chrono::TimeDelta::minutes(1));
        self.jobs.write_checkpoint().await.unwrap()
    }

    /// The daily job runs.
    pub(crate) async fn daily(&self) -> Outcome {
        self.harness.shell.system.advance(chrono::TimeDelta::minutes(1));
        self.jobs.verify().await.unwrap()
    }

    /// The process ends and another begins.
    pub(crate) fn restart(&mut self) {
        let system = self.harness.shell.system.clone();
        self.jobs = Jobs::new(self.store.clone(), self.outside.archive(), system);
    }

    pub(crate) async fn verify(&self) -> LogReport {
        verify_all(&self.store, &self.outside.archive(), None).await.unwrap()
    }

    /// What is wrong with the one chain.
    pub(crate) async fn problem(&self) -> Option<String> {
        let report = self.verify().await;
        report.chains.into_iter().find_map(|chain| chain.broken).map(|(_, problem)| problem)
    }

    /// What is wrong with the one chain, seen without any checkpoint.
    pub(crate) async fn problem_unaided(&self) -> Option<String> {
        let none = Outside::new();
        let report = verify_all(&self.store, &none.archive(), None).await.unwrap();
        report.chains.into_iter().find_map(|chain| chain.broken).map(|(_, problem)| problem)
    }
}
