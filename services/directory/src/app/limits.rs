use service::Tx;

use super::{App, Error};
use crate::domain::{AttemptId, Index, Limit};
use crate::store;

impl App {
    /// Counts an attempt under each limit about its subject, or refuses it where one has been reached. To be written
    /// before it is known what comes of it: many at once must not all count as the first. Limits that are asked together
    /// stand in one order wherever they are, or attempts would wait for one another crosswise.
    pub(super) async fn count_attempt(
        &self,
        tx: &mut Tx,
        limits: &[(Limit, &str)],
    ) -> Result<AttemptId, Error> {
        let (attempt, now) = (AttemptId::new(), self.system.now());
        for (limit, subject) in limits {
            let about = self.about(*limit, subject);
            let (count, oldest) = store::attempts::count(tx, &about, now - limit.within).await?;
            if count >= limit.most {
                let until = oldest.unwrap_or(now) + limit.within;
                return Err(Error::TooManyRequests { retry_after: until - now });
            }
            store::attempts::add(tx, attempt, &about, now).await?;
        }
        Ok(attempt)
    }

    /// What is kept of a subject: people type passwords where the user name belongs.
    pub(super) fn about(&self, limit: Limit, subject: &str) -> Index {
        self.vault.blind_index(limit.what, subject).to_vec()
    }
}
