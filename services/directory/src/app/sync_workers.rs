use std::panic::AssertUnwindSafe;

use auth::Caller;
use futures::FutureExt;
use proto::directory::v1::SyncWorkersResponse;
use tokio::sync::oneshot;
use tracing::Instrument;
use types::SiteId;

use super::read_roster::{Read, ReadRoster};
use super::{App, Error, confined};
use crate::domain::ReadingKind;
use crate::store;
use crate::store::rosters::Brought;

impl App {
    /// Brings the site's people up to what the real-name system says, all of them. While it is away, or lacks most of
    /// the people and these departures are not accepted, or cannot be asked for this site's alone, the last roster stays,
    /// and the refusal says how old that is.
    /// Of two at once the later one is written, the other is refused. Whoever asked may be gone before a large roster
    /// is read: it is read to its end all the same, unless the service stops.
    #[tracing::instrument(name = "worker.sync", skip_all, fields(site.id = %site))]
    pub(crate) async fn sync_workers(
        &self,
        caller: &Caller,
        site: SiteId,
        accept_departures: bool,
    ) -> Result<SyncWorkersResponse, Error> {
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        drop(tx);
        let kind = ReadingKind::Whole;
        let wanted = ReadRoster { site, kind, overtakes: true, accept_departures };
        // Nothing is under way that would not be overtaken.
        let read = self.read_to_its_end(caller, wanted).await?.ok_or(Error::SyncOvertaken)?;
        let Read { reading, at, brought } = read;
        let Brought { added, changed, unchanged, gone, left_out } = brought;
        Ok(SyncWorkersResponse {
            added,
            changed,
            unchanged,
            gone,
            synced_at: Some(proto::timestamp(at)),
            reading_id: reading.to_string(),
            left_out,
        })
    }

    /// As a task of the service: a request is dropped at its deadline, and a reading with it would look as if it were
    /// under way.
    async fn read_to_its_end(
        &self,
        caller: &Caller,
        wanted: ReadRoster,
    ) -> Result<Option<Read>, Error> {
        let (app, caller) = (self.clone(), caller.clone());
        let (sender, read) = oneshot::channel();
        let reading = async move { sender.send(app.read_roster(&caller, wanted).await).ok() };
        // A reading that panics ends one call, as a handler's does, and not the process.
        let reading = AssertUnwindSafe(reading.in_current_span()).catch_unwind();
        self.tasks.spawn("roster", reading.map(drop));
        read.await.map_err(|_| Error::Internal("the reading of a roster was cut off"))?
    }
}
