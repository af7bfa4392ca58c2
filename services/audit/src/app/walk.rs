//! Reading a chain from the database, entry by entry.

use service::{StoreError, Tx};
use types::SiteId;

use crate::domain::{Broken, Chain, ChainReport, Head, Marks};
use crate::store::entries;

const BATCH: i64 = 1000;

/// Recomputes a site's whole chain and compares it with its kept head and with what checkpoints saw.
pub(super) async fn whole(
    tx: &mut Tx,
    site: SiteId,
    marks: Marks,
) -> Result<ChainReport, StoreError> {
    // Read first: entries appended meanwhile are behind it and are not looked at.
    let kept = entries::head(tx, site).await?;
    let mut chain = Chain::against(marks);
    let broken = along(tx, site, &mut chain, kept).await?;
    Ok(ChainReport {
        site,
        entries: chain.head().position,
        head_hash: hex::encode(chain.head().hash),
        witnessed: chain.witnessed(),
        broken: broken.map(|problem| (problem.at(), problem.to_string())),
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
        let batch = entries::behind(tx, site, chain.head().position, BATCH).await?;
        for sealed in &batch {
            let at_the_head = kept.position > 0 && chain.head().position == kept.position;
            if at_the_head && sealed.position > kept.position {
                return Ok(chain.finish(kept).err());
            }
            if let Err(problem) = chain.follow(sealed) {
                return Ok(Some(problem));
            }
        }
        if batch.is_empty() {
            return Ok(chain.finish(kept).err());
        }
    }
}
