//! Tells every grant again that is not revoked.

use events::{Announce, Announced, Live, Rows, async_trait};
use service::{StoreError, Tx};
use types::GrantId;

use crate::domain::{Grant, State};
use crate::record::authorized;
use crate::store::tickets::Which;
use crate::store::{grants, tickets};
use crate::wire;

#[derive(Debug, Clone, Copy)]
pub struct Announcer;

#[async_trait]
impl Announce for Announcer {
    fn context(&self) -> &'static str {
        "access_grant"
    }

    fn rows(&self, _kind: &str) -> Rows {
        Rows {
            table: "access_grant.grants",
            key: &[("grant_id", "uuid")],
            live: "status <> 'REVOKED'",
            since: "CASE status WHEN 'SYNCED' THEN proved_at WHEN 'SYNC_FAILED' THEN coalesce(sent_at, created_at)
                    ELSE created_at END",
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        _kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        let mut told = Vec::new();
        for Live { id, since } in live {
            let id: GrantId = id.parse().map_err(|_| StoreError::corrupt("grants", id))?;
            for grant in grants::by_ids(tx, &[id]).await? {
                told.push(match grant.state {
                    State::Pending => Announced::of(&wire::access_granted(&grant), *since),
                    State::Failed => Announced::of(&wire::access_sync_failed(&grant), *since),
                    State::Revoked { .. } => Announced::of(&wire::access_revoked(&grant), *since),
                    State::Synced => {
                        let all = is_authorized(tx, &grant).await?;
                        Announced::of(&wire::access_synced(&grant, all), *since)
                    }
                });
            }
        }
        Ok(told)
    }
}

/// Whether the worker's day is authorized as a whole, as the last proof of it said.
async fn is_authorized(tx: &mut Tx, grant: &Grant) -> Result<bool, StoreError> {
    let days = tickets::days(tx, Which::Days(&[grant.day])).await?;
    let siblings = grants::of_worker_day(tx, grant.day, grant.worker).await?;
    Ok(authorized(days.get(&grant.day), grant.worker, siblings.iter()))
}
