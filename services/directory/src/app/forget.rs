use chrono::TimeDelta;
use schedule::{Outcome, Run, RunError};
use service::Scope;

use super::App;
use crate::domain::Limit;
use crate::store;

/// Rows of each kind deleted in one transaction: few enough not to hold them for long.
const BATCH: i64 = 10_000;
/// A sign-in whose last token has expired is kept for so long: somebody may ask when it ended, and why.
const SIGN_INS_KEPT: TimeDelta = TimeDelta::days(30);
const CODES_KEPT: TimeDelta = TimeDelta::days(1);

impl App {
    /// Forgets attempts that no limit counts, sign-ins that are over and codes that no longer work. A transaction a
    /// batch: after a crash the next run goes on with what is left. All of it is the system's time, whenever the job runs.
    #[tracing::instrument(name = "directory.forget", skip_all)]
    pub(crate) async fn forget(&self, run: &Run) -> Result<Outcome, RunError> {
        let now = self.system.now();
        let mut forgotten = 0;
        loop {
            let mut tx = run.begin(Scope::System("forget what is over")).await?;
            let mut gone = store::attempts::forget(&mut tx, now - Limit::LONGEST, BATCH).await?;
            gone += store::sms_codes::forget_old(&mut tx, now - CODES_KEPT, BATCH).await?;
            gone += store::refresh::forget_tokens(&mut tx, now - SIGN_INS_KEPT, BATCH).await?;
            gone += store::refresh::forget_families(&mut tx, now - SIGN_INS_KEPT, BATCH).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
            forgotten += gone;
        }
        Ok(if forgotten == 0 { Outcome::Nothing } else { Outcome::Changed(forgotten) })
    }
}
