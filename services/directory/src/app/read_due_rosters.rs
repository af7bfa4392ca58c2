use auth::Caller;
use schedule::{Outcome, Run, RunError};
use service::Scope;

use super::read_roster::{Read, ReadRoster};
use super::{App, Error};
use crate::domain::Rhythm;
use crate::store;
use crate::store::rosters::Brought;

impl App {
    /// Reads the roster of every site whose time has come. It looks at what is due, not at when it last ran: running
    /// again, late or twice at once is safe. One site's failure is written down with its reading and keeps no other
    /// from being read; a reading that a person asked for goes before.
    #[tracing::instrument(name = "worker.read_due_rosters", skip_all)]
    pub(crate) async fn read_due_rosters(
        &self,
        run: &Run,
        rhythm: Rhythm,
    ) -> Result<Outcome, RunError> {
        let scope = Scope::System("rosters whose time has come");
        let rosters = store::rosters::all(&mut run.begin(scope).await?).await?;
        let caller = Caller::service("directory");
        let mut news = 0;
        for (site, roster) in rosters {
            let Some(kind) = roster.due(rhythm, self.clock.now()) else { continue };
            run.check().await?;
            let wanted = ReadRoster { site, kind, overtakes: false };
            match self.read_roster(&caller, wanted).await {
                Ok(Some(Read { brought: Brought { added, changed, gone, .. }, .. })) => {
                    news += u64::from(added) + u64::from(changed) + u64::from(gone);
                }
                Ok(None) | Err(Error::RosterAway { .. } | Error::SyncOvertaken) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(if news == 0 { Outcome::Nothing } else { Outcome::Changed(news) })
    }
}
