use chrono::TimeDelta;
use schedule::{Outcome, Run, RunError};
use service::Scope;

use super::App;
use crate::{store, wire};

/// How often silence is looked for; site time, like all of a controller's life.
pub(crate) const LOOK_EVERY: TimeDelta = TimeDelta::seconds(60);
pub(crate) const FORGET_EVERY: TimeDelta = TimeDelta::minutes(10);
/// A controller that gave no sign of life for so long is offline; site time.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(3);

impl App {
    /// Takes every controller offline that has been silent for three minutes, and tells of each. Compares what is
    /// with what should be: running it again changes nothing, a missed run is made good by the next.
    #[tracing::instrument(name = "device.notice_silence", skip_all)]
    pub(crate) async fn notice_silence(&self, run: &Run) -> Result<Outcome, RunError> {
        let now = self.shell.clock.now();
        let mut tx = run.begin(Scope::System("silent devices of every site")).await?;
        let silent = store::devices::take_offline(&mut tx, now - SILENT_AFTER).await?;
        if silent.is_empty() {
            return Ok(Outcome::Nothing);
        }
        let facts: Vec<_> = silent.iter().map(wire::device_offline).collect();
        events::enqueue_all(&mut tx, &facts, now).await?;
        let changed = run.finish(tx, Outcome::Changed(u64::try_from(silent.len())?)).await?;
        tracing::info!(devices = silent.len(), "devices fell silent");
        Ok(changed)
    }

    /// Forgets nonces that no fresh request can bear any more. A nonce is the system's time, whenever the job runs.
    #[tracing::instrument(name = "device.forget_nonces", skip_all)]
    pub(crate) async fn forget_nonces(&self, run: &Run) -> Result<Outcome, RunError> {
        let mut tx = run.begin(Scope::System("nonces")).await?;
        let gone = store::nonces::forget(&mut tx, self.shell.system.now()).await?;
        let outcome = if gone == 0 { Outcome::Nothing } else { Outcome::Changed(gone) };
        Ok(run.finish(tx, outcome).await?)
    }
}
