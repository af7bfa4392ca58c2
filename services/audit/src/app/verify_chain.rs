use std::collections::BTreeSet;

use auth::Caller;
use chrono::{DateTime, Utc};
use service::{Scope, Store, Tx};
use types::SiteId;

use super::{App, Error, walk};
use crate::archive::Archive;
use crate::domain::{BadCheckpoint, ChainReport, Trail};
use crate::store::{checkpoints, entries};

/// As many checkpoints are compared while someone waits: a chain of them proves the older ones.
const WHILE_SOMEONE_WAITS: u64 = 3_000;

/// What the log and the checkpoints outside the database say of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    pub chains: Vec<ChainReport>,
    pub checkpoints: CheckpointReport,
}

/// What was found of the checkpoints themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointReport {
    /// How many were compared.
    pub count: u64,
    /// The newest one's number and time.
    pub newest: Option<(u64, DateTime<Utc>)>,
    /// The first thing wrong with them.
    pub problem: Option<String>,
}

impl LogReport {
    /// How many chains are broken.
    pub fn broken(&self) -> usize {
        self.chains.iter().filter(|chain| chain.broken.is_some()).count()
    }

    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.broken() == 0 && self.checkpoints.problem.is_none()
    }
}

impl App {
    /// Recomputes one site's chain from its first entry and compares it with the newest checkpoints; of what belongs
    /// to no site when `site` is absent.
    #[tracing::instrument(name = "audit.verify_chain", skip_all)]
    pub(crate) async fn verify_chain(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<(ChainReport, CheckpointReport), Error> {
        let site = super::reached(caller, site)?;
        let trail = self.archive.trail(Some(WHILE_SOMEONE_WAITS)).await?;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let chain = walk::whole(&mut tx, site, trail.marks(site)).await?;
        Ok((chain, seen(&mut tx, &trail).await?))
    }
}

/// Recomputes every chain there is and compares it with the last `count` checkpoints, or with all.
pub async fn verify_all(
    store: &Store,
    archive: &Archive,
    count: Option<u64>,
) -> Result<LogReport, Error> {
    let trail = archive.trail(count).await?;
    let mut tx = store.begin(Scope::System("verify the audit log")).await?;
    verify(&mut tx, &trail).await
}

pub(super) async fn verify(tx: &mut Tx, trail: &Trail) -> Result<LogReport, Error> {
    let mut sites: BTreeSet<SiteId> = entries::sites(tx).await?.into_iter().collect();
    // A chain of which the database knows nothing any more.
    sites.extend(trail.heads().keys());
    let mut chains = Vec::with_capacity(sites.len());
    for site in sites {
        chains.push(walk::whole(tx, site, trail.marks(site)).await?);
    }
    Ok(LogReport { chains, checkpoints: seen(tx, trail).await? })
}

/// What the trail and the database say of each other; files cut off at the end show here.
pub(super) async fn seen(tx: &mut Tx, trail: &Trail) -> Result<CheckpointReport, Error> {
    let newest = trail.newest().map(|newest| (newest.number, newest.at));
    let noted = checkpoints::newest(tx).await?;
    let cut = noted.filter(|noted| newest.is_none_or(|(number, _)| number < noted.number));
    let cut = cut.map(|noted| BadCheckpoint::Missing { number: noted.number });
    let problem = trail.problem().or(cut).map(|problem| problem.to_string());
    Ok(CheckpointReport { count: trail.count(), newest, problem })
}
