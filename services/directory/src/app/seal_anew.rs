use schedule::{Outcome, Run, RunError};
use service::{Scope, StoreError, Tx};
use types::WorkerId;
use uuid::Uuid;

use super::{App, personal};
use crate::store::sealed;

/// Rows sealed anew in one transaction: few enough not to hold them for long.
const BATCH: i64 = 200;
const SCOPE: Scope = Scope::System("people are sealed anew under the current key");

/// Rows that do not open: damaged, or under a key that this process was not given.
#[derive(Debug, thiserror::Error)]
#[error("{0} rows do not open and stay as they are")]
struct Unopened(u64);

impl App {
    /// Seals anew whoever is sealed under an earlier key. A transaction a batch: after a crash the next run goes on with
    /// those that are left. What does not open is named in the log, stays, and fails the run once all others are done.
    #[tracing::instrument(name = "vault.seal_anew", skip_all)]
    pub(crate) async fn seal_all_anew(&self, run: &Run) -> Result<Outcome, RunError> {
        let (mut done, mut unopened) = (0, 0);
        let current = self.vault.key_version();
        let mut after = Uuid::nil();
        loop {
            let mut tx = run.begin(SCOPE).await?;
            let stale = sealed::stale_workers(&mut tx, current, after, BATCH).await?;
            let Some(last) = stale.last() else { break };
            after = last.worker_id;
            let sealed = opened(&stale, |kept| personal::seal_worker_anew(&self.vault, kept));
            unopened += rows(stale.len() - sealed.len());
            sealed::save_workers(&mut tx, &sealed).await?;
            tx.commit().await?;
            done += rows(sealed.len());
        }
        let mut after = Uuid::nil();
        loop {
            let mut tx = run.begin(SCOPE).await?;
            let stale = sealed::stale_users(&mut tx, current, after, BATCH).await?;
            let Some(last) = stale.last() else { break };
            after = last.wechat_user_id;
            let sealed = opened(&stale, |kept| personal::seal_user_anew(&self.vault, kept));
            unopened += rows(stale.len() - sealed.len());
            sealed::save_users(&mut tx, &sealed).await?;
            tx.commit().await?;
            done += rows(sealed.len());
        }
        if unopened > 0 {
            return Err(Unopened(unopened).into());
        }
        Ok(if done == 0 { Outcome::Nothing } else { Outcome::Changed(done) })
    }

    /// Seals those of `workers` anew, whom the caller holds, who are sealed under an earlier key.
    pub(super) async fn seal_anew(
        &self,
        tx: &mut Tx,
        workers: &[WorkerId],
    ) -> Result<(), StoreError> {
        let stale = sealed::stale_of(tx, self.vault.key_version(), workers).await?;
        if stale.is_empty() {
            return Ok(());
        }
        let anew = stale.iter().map(|kept| personal::seal_worker_anew(&self.vault, kept));
        sealed::save_workers(tx, &anew.collect::<Result<Vec<_>, _>>()?).await
    }
}

fn opened<T>(stale: &[T], seal: impl Fn(&T) -> Result<T, StoreError>) -> Vec<T> {
    let named = |err: &StoreError| tracing::error!(error = %err, "a sealed row does not open");
    stale.iter().filter_map(|kept| seal(kept).inspect_err(named).ok()).collect()
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
