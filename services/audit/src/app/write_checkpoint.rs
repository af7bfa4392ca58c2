use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use events::alert::{self, Kind};
use schedule::{Outcome, Run};
use service::{Scope, StoreError, Tx};
use types::{SiteId, SystemClock};

use super::walk::{self, Reader};
use super::{Error, verify_chain};
use crate::archive::Archive;
use crate::domain::{
    BadCheckpoint, Broken, Chain, Checkpoint, Head, Marks, ORIGIN, Trail, WHOLE_EVERY,
};
use crate::store::checkpoints::Noted;
use crate::store::{alarms, checkpoints, crossings, entries};

/// As many checkpoints the daily look compares: two weeks of minutes.
const DAILY: u64 = 20_160;

/// Longer than an hour, whatever clocks do.
const KEEP_CROSSINGS: TimeDelta = TimeDelta::days(2);

const OF_CHAIN: &str = "growth of chain ";
const CHAIN: &str = "chain ";
const FILES: &str = "checkpoints";

/// The jobs that keep and use the proof outside the database. Clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    archive: Archive,
    system: SystemClock,
    /// What was kept last, so that it need not be read every minute.
    last: Arc<Mutex<Option<Last>>>,
}

/// How the chains were seen last.
#[derive(Debug, Clone, Default)]
struct Last {
    noted: Option<Noted>,
    heads: BTreeMap<SiteId, Head>,
    problem: Option<BadCheckpoint>,
}

/// How the chains stand since.
#[derive(Debug, Default)]
struct Grown {
    heads: BTreeMap<SiteId, Head>,
    broken: Vec<(SiteId, Broken)>,
}

impl Checkpoints {
    pub(crate) fn new(archive: Archive, system: SystemClock) -> Self {
        Self { archive, system, last: Arc::default() }
    }

    /// Signs the heads of the chains that have grown and keeps them outside the database. A chain that is not what it
    /// was and more is never signed: its alert is raised, and the checkpoints go on saying how it was seen last.
    #[tracing::instrument(name = "audit.write_checkpoint", skip_all)]
    pub(crate) async fn write(&self, run: &Run) -> Result<Outcome, Error> {
        let written = self.write_next(run).await;
        if written.is_err() {
            self.remember(None);
        }
        written
    }

    async fn write_next(&self, run: &Run) -> Result<Outcome, Error> {
        let mut tx = run.begin(Scope::System("how the chains stand")).await?;
        let noted = checkpoints::newest(&mut tx).await?;
        // The places first: what is appended between the two has its head in the second.
        let lasts = entries::all_lasts(&mut tx).await?;
        let heads = entries::all_heads(&mut tx).await?;
        drop(tx);
        let last = self.last(noted).await?;
        let mut tx = run.begin(Scope::System("how the chains have grown")).await?;
        let grown = grown(&mut tx, &last, &lasts, &heads).await?;
        drop(tx);

        let mut kept = last.clone();
        if !grown.heads.is_empty() {
            let checkpoint = self.next(&last, &grown);
            let hash = checkpoint.hash();
            kept.noted = Some(Noted { number: checkpoint.number, at: checkpoint.at, hash });
            kept.heads.extend(&checkpoint.heads);
            kept.problem = None;
            run.check().await?;
            self.archive.keep(checkpoint).await?;
        }
        let mut tx = run.begin(Scope::System("note a checkpoint")).await?;
        if let Some(noted) = kept.noted {
            checkpoints::note(&mut tx, noted).await?;
        }
        let broken = grown.broken.iter();
        let broken = broken.map(|(site, broken)| (format!("{OF_CHAIN}{site}"), broken.to_string()));
        self.settle(&mut tx, OF_CHAIN, broken.collect()).await?;
        if let Some(problem) = last.problem {
            // The daily look says when they are whole again.
            self.settle(&mut tx, FILES, [(FILES.to_owned(), problem.to_string())].into()).await?;
        }
        let moved = grown.heads.len() as u64;
        let outcome = if moved == 0 { Outcome::Nothing } else { Outcome::Changed(moved) };
        let outcome = run.finish(tx, outcome).await?;
        self.remember(Some(kept));
        Ok(outcome)
    }

    /// Recomputes every chain, compares it with the checkpoints of two weeks and raises or clears the alerts.
    #[tracing::instrument(name = "audit.verify_daily", skip_all)]
    pub(crate) async fn verify(&self, run: &Run) -> Result<Outcome, Error> {
        let report = verify_chain::verify(Reader::Job(run), &self.archive, Some(DAILY)).await?;
        let broken = report.chains.iter().filter_map(|chain| {
            let (_, problem) = chain.broken.clone()?;
            Some((format!("{CHAIN}{}", chain.site), problem))
        });
        let broken: BTreeMap<String, String> = broken.collect();
        let problem = report.checkpoints.problem.map(|problem| (FILES.to_owned(), problem));
        let found = (broken.len() + usize::from(problem.is_some())) as u64;
        let mut tx = run.begin(Scope::System("tell what is broken")).await?;
        self.settle(&mut tx, CHAIN, broken).await?;
        self.settle(&mut tx, FILES, problem.into_iter().collect()).await?;
        crossings::forget(&mut tx, self.system.now() - KEEP_CROSSINGS).await?;
        let outcome = if found == 0 { Outcome::Nothing } else { Outcome::Changed(found) };
        Ok(run.finish(tx, outcome).await?)
    }

    /// What was kept last: as remembered where the database says the same, else as the files say.
    async fn last(&self, noted: Option<Noted>) -> Result<Last, Error> {
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.noted == noted) {
            return Ok(known);
        }
        let trail = self.archive.tail().await?;
        Ok(match (seen(&trail), noted) {
            // The database may be an older copy, or the note of the newest was lost in a crash.
            (Some(seen), noted) if noted.is_none_or(|noted| noted.number <= seen.number) => {
                Last { noted: Some(seen), heads: trail.heads().clone(), problem: trail.problem() }
            }
            // The files are gone: go on behind what was noted, and say so until they are back.
            (_, Some(noted)) => Last {
                noted: Some(noted),
                heads: trail.heads().clone(),
                problem: Some(BadCheckpoint::Missing { number: noted.number }),
            },
            (_, None) => Last::default(),
        })
    }

    fn next(&self, last: &Last, grown: &Grown) -> Checkpoint {
        let number = last.noted.map_or(0, |noted| noted.number) + 1;
        let now = self.system.now();
        let whole = number % WHOLE_EVERY == 1 || last.problem.is_some();
        let mut heads = if whole { last.heads.clone() } else { BTreeMap::new() };
        heads.extend(&grown.heads);
        Checkpoint {
            number,
            // A clock that was set back does not put a checkpoint before the one it follows.
            at: last.noted.map_or(now, |noted| now.max(noted.at)),
            previous: last.noted.map_or(ORIGIN, |noted| noted.hash),
            whole,
            heads,
        }
    }

    /// Raises and clears the alerts whose name begins so.
    async fn settle(
        &self,
        tx: &mut Tx,
        kind: &str,
        problems: BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        for about in alarms::standing(tx, kind).await? {
            if !problems.contains_key(&about) && alarms::clear(tx, &about).await? {
                alert::clear(tx, "audit", Kind::AuditBroken, &about).await?;
            }
        }
        for (about, problem) in &problems {
            if alarms::set(tx, about, problem, self.system.now()).await? {
                tracing::error!(about, problem, "the audit log is not what it was");
                alert::raise(tx, "audit", Kind::AuditBroken, about, problem).await?;
            }
        }
        Ok(())
    }

    fn remember(&self, last: Option<Last>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

fn seen(trail: &Trail) -> Option<Noted> {
    let (newest, hash) = (trail.newest()?, trail.newest_hash()?);
    Some(Noted { number: newest.number, at: newest.at, hash })
}

/// Compares each chain with how it was seen last, and with the `lasts` of its entries that are there.
async fn grown(
    tx: &mut Tx,
    last: &Last,
    lasts: &BTreeMap<SiteId, u64>,
    heads: &BTreeMap<SiteId, Head>,
) -> Result<Grown, StoreError> {
    let mut grown = Grown::default();
    let sites: BTreeSet<SiteId> =
        heads.keys().chain(last.heads.keys()).chain(lasts.keys()).copied().collect();
    for site in sites {
        let head = heads.get(&site).copied().unwrap_or_default();
        let before = last.heads.get(&site).copied().unwrap_or_default();
        let stray = lasts.get(&site).and_then(|last| head.holds(*last).err());
        if before == head && stray.is_none() {
            continue;
        }
        if head.position < before.position {
            let number = last.noted.map_or(0, |noted| noted.number);
            let cut = Broken::Cut { at: head.position, number, seen: before.position };
            grown.broken.push((site, cut));
            continue;
        }
        let mut chain = Chain::resumed(before, Marks::new());
        match walk::along(tx, site, &mut chain, head).await?.or(stray) {
            Some(broken) => grown.broken.push((site, broken)),
            None => {
                grown.heads.insert(site, head);
            }
        }
    }
    Ok(grown)
}
