use auth::Caller;
use proto::directory::v1::{EngagementSpell, GetWorkerResponse};
use types::WorkerId;

use super::{App, Error, personal, scope};
use crate::store;
use crate::store::details::Spell;

impl App {
    /// One worker who is or was on the caller's sites, numbers masked. Of sites the caller may not touch nothing is
    /// told; to a contractor's administrator other contractors' people are not there, and engagements by others neither.
    #[tracing::instrument(name = "worker.get", skip_all, fields(worker.id = %worker))]
    pub(crate) async fn get_worker(
        &self,
        caller: &Caller,
        worker: WorkerId,
    ) -> Result<GetWorkerResponse, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let own = caller.contractor;
        let known = store::people::known_to(&mut tx, &[worker], own).await?;
        let person = known.into_iter().next().ok_or(Error::NotFound)?;
        let spells = store::details::spells(&mut tx, worker, own).await?;
        let standing = store::details::standing(&mut tx, worker).await?.ok_or(Error::NotFound)?;
        Ok(GetWorkerResponse {
            worker: Some(personal::row(&self.vault, person)?),
            status: standing.status,
            engagements: spells.into_iter().map(wire).collect(),
            bound_at: standing.bound_at.map(proto::timestamp),
            has_photo: standing.has_photo,
        })
    }
}

fn wire(spell: Spell) -> EngagementSpell {
    EngagementSpell {
        site_id: spell.site_id.to_string(),
        contractor_id: spell.contractor_id.map(|id| id.to_string()).unwrap_or_default(),
        trade: spell.trade,
        team: spell.team,
        until: spell.until.map(|day| day.to_string()).unwrap_or_default(),
        engaged_at: spell.engaged_at.map(proto::timestamp),
        left_at: spell.left_at.map(proto::timestamp),
        roster_synced_at: spell.roster_synced_at.map(proto::timestamp),
    }
}
