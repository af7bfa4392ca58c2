use chrono::TimeDelta;
use schedule::{Outcome, Run, RunError};
use service::Scope;
use uuid::Uuid;

use super::{App, SECRET};
use crate::store;
use crate::store::devices::Sealed;

/// Between looks for what an earlier key sealed; site time.
pub(crate) const SEAL_ANEW_EVERY: TimeDelta = TimeDelta::minutes(10);
const BATCH: i64 = 200;

/// Secrets that do not open: damaged, or under a key that this process was not given.
#[derive(Debug, thiserror::Error)]
#[error("{0} secrets do not open and stay as they are")]
struct Unopened(u64);

impl App {
    /// Seals controllers' secrets anew that are sealed under an earlier key. A transaction a batch: after a crash the
    /// next run goes on with those that are left. What does not open stays, and fails the run once all others are done.
    #[tracing::instrument(name = "vault.seal_anew", skip_all)]
    pub(crate) async fn seal_anew(&self, run: &Run) -> Result<Outcome, RunError> {
        let (mut done, mut unopened) = (0, 0);
        let mut after = Uuid::nil();
        loop {
            let mut tx = run.begin(Scope::System("secrets of every site's controllers")).await?;
            let current = self.vault.key_version();
            let stale = store::secrets::stale(&mut tx, current, after, BATCH).await?;
            let Some(last) = stale.last() else { break };
            after = last.id;
            let anew: Vec<Sealed> = stale.iter().filter_map(|sealed| self.anew(sealed)).collect();
            store::secrets::save(&mut tx, &anew).await?;
            tx.commit().await?;
            done += u64::try_from(anew.len())?;
            unopened += u64::try_from(stale.len() - anew.len())?;
        }
        if unopened > 0 {
            return Err(Unopened(unopened).into());
        }
        Ok(if done == 0 { Outcome::Nothing } else { Outcome::Changed(done) })
    }

    fn anew(&self, sealed: &Sealed) -> Option<Sealed> {
        let opened = self.vault.open(SECRET, sealed.id, &sealed.secret);
        let opened = opened.inspect_err(|cause| {
            tracing::error!(secret.id = %sealed.id, error = %cause, "a device's secret does not open");
        });
        let secret = self.vault.seal(SECRET, sealed.id, &opened.ok()?);
        Some(Sealed { id: sealed.id, secret })
    }
}
