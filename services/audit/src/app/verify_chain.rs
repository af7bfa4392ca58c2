use std::collections::BTreeSet;

use auth::Caller;
use chrono::{DateTime, Utc};
use service::Store;
use types::SiteId;

use super::walk::{self, Reader};
use super::{App, Error};
use crate::archive::Archive;
use crate::domain::{BadCheckpoint, ChainReport, Trail};
use crate::store::checkpoints::{self, Noted};
use crate::store::entries;

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
    /// to no site when `site` is absent. One at a time: whoever comes meanwhile is told to come back.
    #[tracing::instrument(name = "audit.verify_chain", skip_all)]
    pub(crate) async fn verify_chain(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<(ChainReport, CheckpointReport), Error> {
        let site = super::reached(caller, site)?;
        let Ok(_alone) = self.verifying.try_lock() else { return Err(Error::Verifying) };
        let reader = Reader::Site(&self.store, site);
        let outside = Outside::look(reader, &self.archive, Some(WHILE_SOMEONE_WAITS)).await?;
        let chain = walk::whole(reader, site, outside.trail.marks(site)).await?;
        Ok((chain, outside.report()))
    }
}

/// Recomputes every chain there is and compares it with the last `count` checkpoints, or with all.
pub async fn verify_all(
    store: &Store,
    archive: &Archive,
    count: Option<u64>,
) -> Result<LogReport, Error> {
    verify(Reader::Every(store), archive, count).await
}

pub(super) async fn verify(
    reader: Reader<'_>,
    archive: &Archive,
    count: Option<u64>,
) -> Result<LogReport, Error> {
    let outside = Outside::look(reader, archive, count).await?;
    let mut tx = reader.begin().await?;
    // Entries whose head is gone count too.
    let mut sites: BTreeSet<SiteId> = entries::all_lasts(&mut tx).await?.into_keys().collect();
    sites.extend(entries::all_heads(&mut tx).await?.keys());
    drop(tx);
    // A chain of which the database knows nothing any more.
    sites.extend(outside.trail.heads().keys());
    let mut chains = Vec::with_capacity(sites.len());
    for site in sites {
        chains.push(walk::whole(reader, site, outside.trail.marks(site)).await?);
    }
    Ok(LogReport { chains, checkpoints: outside.report() })
}

/// The checkpoints, and the newest that the database had noted before they were listed. A file is made before it is
/// noted, so that one must be among them; of those written meanwhile nothing is said.
#[derive(Debug)]
struct Outside {
    noted: Option<Noted>,
    trail: Trail,
}

impl Outside {
    async fn look(
        reader: Reader<'_>,
        archive: &Archive,
        count: Option<u64>,
    ) -> Result<Self, Error> {
        let mut tx = reader.begin().await?;
        let noted = checkpoints::newest(&mut tx).await?;
        drop(tx);
        Ok(Self { noted, trail: archive.trail(count).await? })
    }

    /// What the trail and the database say of each other; files cut off at the end show here.
    fn report(&self) -> CheckpointReport {
        let newest = self.trail.newest().map(|newest| (newest.number, newest.at));
        let cut = self.noted.filter(|noted| newest.is_none_or(|(number, _)| number < noted.number));
        let cut = cut.map(|noted| BadCheckpoint::Missing { number: noted.number });
        let problem = self.trail.problem().or(cut).map(|problem| problem.to_string());
        CheckpointReport { count: self.trail.count(), newest, problem }
    }
}
