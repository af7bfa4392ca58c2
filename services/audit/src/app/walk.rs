//! Reading a chain from the database, entry by entry.

use schedule::Run;
use service::{Scope, Store, StoreError, Tx};
use types::SiteId;

use super::Error;
use crate::domain::{Broken, Chain, ChainReport, Head, Marks};
use crate::store::entries;

const BATCH: i64 = 1000;
const WHY: &str = "verify the audit log";

/// Where a long walk takes its transactions from: one for each batch, so that nobody waits for the walk's end to get a
/// connection. What was appended never changes, so the batches tell of one log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader<'a> {
    Site(&'a Store, SiteId),
    Every(&'a Store),
    /// Every site, for as long as the job is this process's to run.
    Job(&'a Run),
}

impl Reader<'_> {
    pub(super) async fn begin(self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Site(store, site) => store.begin(Scope::Site(site)).await?,
            Self::Every(store) => store.begin(Scope::System(WHY)).await?,
            Self::Job(run) => run.begin(Scope::System(WHY)).await?,
        })
    }
}

/// Recomputes a site's whole chain and compares it with its kept head and with what checkpoints saw.
pub(super) async fn whole(
    reader: Reader<'_>,
    site: SiteId,
    marks: Marks,
) -> Result<ChainReport, Error> {
    let mut tx = reader.begin().await?;
    // An entry is committed with its head, so entries are looked for first: the head that is read then holds them all,
    // and those that are appended between the two.
    let ends = entries::ends(&mut tx, site).await?;
    // Entries appended meanwhile are behind it and are not looked at.
    let kept = entries::head(&mut tx, site).await?;
    let mut chain = Chain::against(marks);
    let end = if ends.is_some() || kept.position > 0 {
        loop {
            if let Some(end) = step(&mut tx, site, &mut chain, kept).await? {
                break end;
            }
            drop(tx);
            tx = reader.begin().await?;
        }
    } else {
        chain.finish(kept)
    };
    let end = end.and_then(|()| {
        ends.map_or(Ok(()), |(first, last)| kept.holds(first).and_then(|()| kept.holds(last)))
    });
    Ok(ChainReport {
        site,
        entries: chain.head().position,
        head_hash: hex::encode(chain.head().hash),
        witnessed: chain.witnessed(),
        broken: end.err().map(|problem| (problem.at(), problem.to_string())),
    })
}

/// Follows a site's entries from where `chain` stands to its kept head.
pub(super) async fn along(
    tx: &mut Tx,
    site: SiteId,
    chain: &mut Chain,
    kept: Head,
) -> Result<Option<Broken>, StoreError> {
    loop {
        if let Some(end) = step(tx, site, chain, kept).await? {
            return Ok(end.err());
        }
    }
}

/// Follows the next entries; how the chain ends, once it has.
async fn step(
    tx: &mut Tx,
    site: SiteId,
    chain: &mut Chain,
    kept: Head,
) -> Result<Option<Result<(), Broken>>, StoreError> {
    let batch = entries::behind(tx, site, chain.head().position, BATCH).await?;
    for sealed in &batch {
        let at_the_head = kept.position > 0 && chain.head().position == kept.position;
        if at_the_head && sealed.position > kept.position {
            return Ok(Some(chain.finish(kept)));
        }
        if let Err(problem) = chain.follow(sealed) {
            return Ok(Some(Err(problem)));
        }
    }
    Ok(batch.is_empty().then(|| chain.finish(kept)))
}
