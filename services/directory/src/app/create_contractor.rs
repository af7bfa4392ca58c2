use auth::Caller;
use proto::directory::v1::{ContractorChanged, CreateContractorResponse};
use serde_json::json;
use service::Scope;
use service::idempotency::{self, Key};
use types::{ContractorId, SiteId};

use super::{App, Error, fact, reaches, records, replayed};
use crate::domain::Contractor;
use crate::{store, wire};

impl App {
    /// Whom the rosters of the sites name this contractor for, their next readings find.
    #[tracing::instrument(name = "contractor.create", skip_all, fields(contractor.id))]
    pub(crate) async fn create_contractor(
        &self,
        caller: &Caller,
        key: Option<&Key>,
        name: String,
        mut sites: Vec<SiteId>,
    ) -> Result<CreateContractorResponse, Error> {
        sites.sort_unstable();
        sites.dedup();
        if !sites.iter().all(|site| reaches(caller, *site)) {
            return Err(Error::NotFound);
        }
        let contractor = Contractor { id: ContractorId::new(), name, sites, version: 1 };
        tracing::Span::current().record("contractor.id", tracing::field::display(contractor.id));
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::Sites(contractor.sites.clone())).await?;
        if let Some(answer) = replayed(&mut tx, key, self.system.now()).await? {
            return Ok(answer);
        }
        if store::sites::known(&mut tx, &contractor.sites).await?.len() < contractor.sites.len() {
            return Err(Error::NotFound);
        }
        store::rosters::want_whole(&mut tx, &contractor.sites).await?;
        let inserted = store::contractors::insert(&mut tx, &contractor, now).await;
        inserted.map_err(|err| Error::taken(err, &[("contractors_name", "name")]))?;
        let message = wire::contractor(&contractor);
        events::enqueue(&mut tx, &ContractorChanged { contractor: Some(message.clone()) }, now)
            .await?;
        let mut record =
            fact(caller, "contractor.create", "contractor", contractor.id.to_string(), now);
        record.after = Some(json!({ "name": contractor.name, "site_ids": message.site_ids }));
        records::of_sites(&mut tx, contractor.sites, record).await?;
        let answer = CreateContractorResponse { contractor: Some(message) };
        idempotency::answer(&mut tx, key, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
