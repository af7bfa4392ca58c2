use auth::Caller;
use proto::directory::v1::{AreaChanged, ChangeAreaResponse};
use types::{AccessGroupId, AreaId};

use super::{App, Error, as_read, fact, records, scope};
use crate::domain::{Area, AreaStatus};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct ChangeArea {
    pub area: AreaId,
    /// As it was read.
    pub version: u64,
    pub name: Option<String>,
    pub access_group: Option<AccessGroupId>,
    pub status: Option<AreaStatus>,
    pub access_group_name: Option<String>,
    pub description: Option<String>,
}

impl App {
    /// An area out of use stays in old tickets and is on no new one.
    #[tracing::instrument(name = "area.change", skip_all, fields(area.id = %cmd.area))]
    pub(crate) async fn change_area(
        &self,
        caller: &Caller,
        cmd: ChangeArea,
    ) -> Result<ChangeAreaResponse, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let before = store::areas::named(&mut tx, &[cmd.area]).await?;
        let before = before.into_iter().next().ok_or(Error::NotFound)?;
        as_read(before.version, cmd.version)?;
        let after = Area {
            name: cmd.name.unwrap_or_else(|| before.name.clone()),
            access_group: cmd.access_group.unwrap_or_else(|| before.access_group.clone()),
            status: cmd.status.unwrap_or(before.status),
            access_group_name: cmd
                .access_group_name
                .unwrap_or_else(|| before.access_group_name.clone()),
            description: cmd.description.unwrap_or_else(|| before.description.clone()),
            ..before.clone()
        };
        if after == before {
            return Ok(ChangeAreaResponse { area: Some(wire::area(&before)) });
        }
        let after = Area { version: before.version + 1, ..after };
        let saved = store::areas::save(&mut tx, &after).await;
        saved.map_err(|err| {
            Error::taken(err, &[("areas_name", "name"), ("areas_access_group", "access_group_id")])
        })?;
        let message = wire::area(&after);
        events::enqueue(&mut tx, &AreaChanged { area: Some(message.clone()) }, now).await?;
        let (was, is) = records::compared(records::area(&before), records::area(&after));
        let mut record = fact(caller, "area.change", "area", after.id.to_string(), now);
        record.site = Some(after.site);
        (record.before, record.after) = (Some(was), Some(is));
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(ChangeAreaResponse { area: Some(message) })
    }
}
