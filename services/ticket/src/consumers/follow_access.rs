use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::access_grant::v1::{
    AccessGranted, AccessRevoked, AccessSyncFailed, AccessSynced, LateGrantReleased,
};
use service::Tx;

use super::worker_day;
use crate::domain::{Grant, GrantStatus};
use crate::store::{progress, standings};

/// Keeps each grant as it now is, what its last proof said about the worker's day, and who was let in by hand.
#[derive(Debug, Clone, Copy)]
pub struct FollowAccess;

#[events::async_trait]
impl Handler for FollowAccess {
    fn durable(&self) -> &'static str {
        "ticket--follow-access"
    }

    fn context(&self) -> &'static str {
        "access_grant"
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            AccessGranted::NAME,
            AccessSynced::NAME,
            AccessSyncFailed::NAME,
            AccessRevoked::NAME,
            LateGrantReleased::NAME,
        ]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Grant"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let (fact, authorized) = match delivery.name.as_str() {
            AccessGranted::NAME => (delivery.decode::<AccessGranted>()?.grant, None),
            AccessSyncFailed::NAME => (delivery.decode::<AccessSyncFailed>()?.grant, None),
            AccessRevoked::NAME => (delivery.decode::<AccessRevoked>()?.grant, None),
            AccessSynced::NAME => {
                let synced: AccessSynced = delivery.decode()?;
                (synced.grant, Some(synced.authorized))
            }
            LateGrantReleased::NAME => {
                let fact: LateGrantReleased = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                let at = proto::instant(fact.released_at.as_ref());
                let at = delivery.carried("released_at", at)?;
                return Ok(standings::keep_release(tx, of, at).await?);
            }
            _ => return Err(delivery.unexpected()),
        };
        let fact = delivery.carried("grant", fact)?;
        let of = worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
        let status: GrantStatus = delivery.parse("status", &fact.status)?;
        let grant = Grant {
            id: delivery.parse("grant_id", &fact.grant_id)?,
            area: delivery.parse("area_id", &fact.area_id)?,
            status,
            said: authorized.map(|authorized| (delivery.at, authorized)),
            revoked_at: (status == GrantStatus::Revoked).then_some(delivery.at),
        };
        Ok(progress::keep_grant(tx, of, &grant, delivery.row_version()?).await?)
    }
}
