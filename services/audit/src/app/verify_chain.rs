use auth::Caller;
use service::{Scope, Store, StoreError, Tx};
use types::SiteId;

use super::{App, Error};
use crate::domain::{Chain, ChainReport};
use crate::store::entries;

const BATCH: i64 = 1000;

impl App {
    /// Recomputes one site's chain from its first entry.
    #[tracing::instrument(name = "audit.verify_chain", skip_all, fields(site.id = %site))]
    pub(crate) async fn verify_chain(
        &self,
        caller: &Caller,
        site: SiteId,
    ) -> Result<ChainReport, Error> {
        if !caller.may_touch(site) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        Ok(walk(&mut tx, site).await?)
    }
}

/// Recomputes every chain there is.
pub async fn verify_all(store: &Store) -> Result<Vec<ChainReport>, StoreError> {
    let mut tx = store.begin(Scope::System("verify the audit log")).await?;
    let mut reports = Vec::new();
    for site in entries::sites(&mut tx).await? {
        reports.push(walk(&mut tx, site).await?);
    }
    Ok(reports)
}

async fn walk(tx: &mut Tx, site: SiteId) -> Result<ChainReport, StoreError> {
    // Read first: entries appended meanwhile are behind it and are not looked at.
    let kept = entries::head(tx, site).await?;
    let mut chain = Chain::default();
    let mut broken = None;
    'log: loop {
        let batch = entries::behind(tx, site, chain.head().position, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for sealed in &batch {
            if chain.head().position == kept.position
                && kept.position > 0
                && sealed.position > kept.position
            {
                break 'log;
            }
            if let Err(problem) = chain.follow(sealed) {
                broken = Some(problem);
                break 'log;
            }
        }
    }
    let broken = broken.or_else(|| chain.finish(kept).err());
    Ok(ChainReport {
        site,
        entries: chain.head().position,
        head_hash: hex::encode(chain.head().hash),
        broken: broken.map(|problem| (problem.at(), problem.to_string())),
    })
}
