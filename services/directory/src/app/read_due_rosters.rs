use auth::Caller;
use schedule::{Outcome, Run, RunError};
use service::Scope;

use super::read_roster::{Read, ReadRoster};
use super::{App, Error};
use crate::domain::Rhythm;
use crate::store;

impl App {
    /// Reads the roster of every site whose time has come. It looks at what is due, not at when it last ran: running
    /// again, late or twice at once is safe. One site's failure is written down with its reading and keeps no other
    /// from being read: the run fails after the last. A reading that a person asked for goes before.
    #[tracing::instrument(name = "worker.read_due_rosters", skip_all)]
    pub(crate) async fn read_due_rosters(
        &self,
        run: &Run,
        rhythm: Rhythm,
    ) -> Result<Outcome, RunError> {
        let scope = Scope::System("rosters whose time has come");
        let rosters = store::rosters::all(&mut run.begin(scope).await?).await?;
        let caller = Caller::service("directory");
        let (mut news, mut failed) = (0, None);
        for (site, roster) in rosters {
            let Some(kind) = roster.due(rhythm, self.clock.now()) else { continue };
            run.check().await?;
            let wanted = ReadRoster { site, kind, overtakes: false, accept_departures: false };
            match self.read_roster(&caller, wanted).await {
                Ok(Some(Read { brought, .. })) => news += brought.news(),
                Ok(None)
                | Err(
                    Error::RosterAway { .. }
                    | Error::RosterSuspect { .. }
                    | Error::ProjectNeeded { .. }
                    | Error::SyncOvertaken,
                ) => {}
                // What is still due then is so for the next run.
                Err(Error::Stopping) => break,
                Err(err) => {
                    tracing::warn!(site.id = %site, error = %err, "a roster was not read");
                    failed.get_or_insert(err);
                }
            }
        }
        match failed {
            Some(err) => Err(err.into()),
            None if news == 0 => Ok(Outcome::Nothing),
            None => Ok(Outcome::Changed(news)),
        }
    }
}
