use auth::Caller;
use proto::directory::v1::{ChangeContractorResponse, ContractorChanged};
use types::{ContractorId, SiteId};

use super::{App, Error, as_read, fact, reaches, records, scope};
use crate::domain::Contractor;
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct ChangeContractor {
    pub contractor: ContractorId,
    /// As it was read.
    pub version: u64,
    pub name: Option<String>,
    pub sites: Option<Vec<SiteId>>,
}

impl App {
    /// A site is not taken away while accounts of the contractor reach it. Whom the rosters name this contractor for by
    /// now, their next readings find.
    #[tracing::instrument(name = "contractor.change", skip_all, fields(contractor.id = %cmd.contractor))]
    pub(crate) async fn change_contractor(
        &self,
        caller: &Caller,
        cmd: ChangeContractor,
    ) -> Result<ChangeContractorResponse, Error> {
        let ChangeContractor { contractor, version, name, sites } = cmd;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        store::contractors::lock(&mut tx, contractor).await?;
        let before = store::contractors::list(&mut tx, None, Some(contractor)).await?;
        let before = before.into_iter().next().ok_or(Error::NotFound)?;
        as_read(before.version, version)?;
        let mut sites = sites.unwrap_or_else(|| before.sites.clone());
        sites.sort_unstable();
        sites.dedup();
        if !sites.iter().all(|site| reaches(caller, *site))
            || store::sites::known(&mut tx, &sites).await?.len() < sites.len()
        {
            return Err(Error::NotFound);
        }
        let name = name.unwrap_or_else(|| before.name.clone());
        let after = Contractor { name, sites, ..before.clone() };
        if after == before {
            return Ok(ChangeContractorResponse { contractor: Some(wire::contractor(&before)) });
        }
        let beyond = store::contractors::accounts_beyond(&mut tx, contractor, &after.sites).await?;
        if !beyond.is_empty() {
            return Err(Error::NotAllowed("accounts of the contractor reach a site that would go"));
        }
        let after = Contractor { version: before.version + 1, ..after };
        let concerned: Vec<SiteId> = before.sites.iter().chain(&after.sites).copied().collect();
        // Before the contractor's own row, as readings hold them.
        store::rosters::want_whole(&mut tx, &concerned).await?;
        let saved = store::contractors::save(&mut tx, &after).await;
        saved.map_err(|err| Error::taken(err, &[("contractors_name", "name")]))?;
        let message = wire::contractor(&after);
        events::enqueue(&mut tx, &ContractorChanged { contractor: Some(message.clone()) }, now)
            .await?;
        let (was, is) =
            records::compared(records::contractor(&before), records::contractor(&after));
        let mut record =
            fact(caller, "contractor.change", "contractor", contractor.to_string(), now);
        (record.before, record.after) = (Some(was), Some(is));
        records::of_sites(&mut tx, concerned, record).await?;
        tx.commit().await?;
        Ok(ChangeContractorResponse { contractor: Some(message) })
    }
}
