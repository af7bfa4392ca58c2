use auth::Caller;
use proto::directory::v1::{AreaChanged, CreateAreaResponse};
use service::idempotency::{self, Key};
use types::{AccessGroupId, AreaId, SiteId};

use super::{App, Error, confined, fact, records, replayed};
use crate::domain::{Area, AreaStatus};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct CreateArea {
    pub site: SiteId,
    pub name: String,
    pub access_group: AccessGroupId,
    pub access_group_name: String,
    pub description: String,
}

impl App {
    #[tracing::instrument(name = "area.create", skip_all, fields(site.id = %cmd.site, area.id))]
    pub(crate) async fn create_area(
        &self,
        caller: &Caller,
        key: Option<&Key>,
        cmd: CreateArea,
    ) -> Result<CreateAreaResponse, Error> {
        let CreateArea { site, name, access_group, access_group_name, description } = cmd;
        let area = Area {
            id: AreaId::new(),
            site,
            name,
            access_group,
            status: AreaStatus::Active,
            access_group_name,
            description,
            version: 1,
        };
        tracing::Span::current().record("area.id", tracing::field::display(area.id));
        let now = self.clock.now();
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        if let Some(answer) = replayed(&mut tx, key, self.system.now()).await? {
            return Ok(answer);
        }
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let inserted = store::areas::insert(&mut tx, &area, now).await;
        inserted.map_err(|err| {
            Error::taken(err, &[("areas_name", "name"), ("areas_access_group", "access_group_id")])
        })?;
        let message = wire::area(&area);
        events::enqueue(&mut tx, &AreaChanged { area: Some(message.clone()) }, now).await?;
        let mut record = fact(caller, "area.create", "area", area.id.to_string(), now);
        record.site = Some(site);
        record.after = Some(records::area(&area));
        events::audit(&mut tx, record).await?;
        let answer = CreateAreaResponse { area: Some(message) };
        idempotency::answer(&mut tx, key, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
