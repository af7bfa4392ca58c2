use auth::Caller;
use proto::directory::v1::{ListRosterReadingsResponse, RosterReading};
use types::{Page, SiteId};

use super::{App, Error, confined};
use crate::store;
use crate::store::readings::Reading;

impl App {
    /// What the site's readings came to, newest first, and how old the roster is. A contractor's administrator is told
    /// in numbers of those whom they may see, and not who asked.
    #[tracing::instrument(name = "worker.list_roster_readings", skip_all, fields(site.id = %site))]
    pub(crate) async fn list_roster_readings(
        &self,
        caller: &Caller,
        site: SiteId,
        page: Page,
    ) -> Result<ListRosterReadingsResponse, Error> {
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let (readings, total) =
            store::readings::list(&mut tx, site, caller.contractor, page).await?;
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        Ok(ListRosterReadingsResponse {
            readings: readings.into_iter().map(wire).collect(),
            total,
            roster_synced_at: synced_at.map(proto::timestamp),
        })
    }
}

fn wire(reading: Reading) -> RosterReading {
    let count = |kept: i32| u32::try_from(kept).unwrap_or_default();
    RosterReading {
        reading_id: reading.id.to_string(),
        kind: reading.kind,
        asked_by: reading.asked_by.map(|account| account.to_string()).unwrap_or_default(),
        started_at: Some(proto::timestamp(reading.started_at)),
        ended_at: reading.ended_at.map(proto::timestamp),
        outcome: reading.outcome.unwrap_or_else(|| "RUNNING".to_owned()),
        added: count(reading.added),
        changed: count(reading.changed),
        unchanged: count(reading.unchanged),
        gone: count(reading.gone),
        left_out: count(reading.left_out),
    }
}
