use auth::Caller;
use events::AuditFact;
use serde_json::json;
use types::GrantId;

use super::{App, Error, scope};
use crate::domain::Grant;
use crate::store::grants;

impl App {
    /// Queues a grant for another push and read-back, or a revoked one for another removal. Asking twice queues once.
    #[tracing::instrument(name = "grant.resync", skip_all, fields(grant.id = %id))]
    pub async fn resync_grant(&self, caller: &Caller, id: GrantId) -> Result<Grant, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller, "resync a grant")).await?;
        let mut grant = grants::get(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let before = grant.state.as_str();
        if !grant.resync(now) {
            // Nothing to keep, but a commit wakes the pusher, which passed by this row while it was locked.
            tx.commit().await?;
            return Ok(grant);
        }
        grants::save(&mut tx, &mut grant, now).await?;
        let audit = AuditFact {
            context: "access_grant",
            caller,
            action: "grant.resync",
            target_type: "access_grant",
            target_id: id.to_string(),
            site: Some(grant.site),
            before: Some(json!({ "status": before })),
            after: Some(json!({ "status": grant.state.as_str() })),
            reason: None,
            at: now,
        };
        events::audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(grant)
    }
}
