use auth::Caller;
use events::AuditFact;
use prost::Message;
use proto::notification::v1::RecordConsentResponse;
use serde_json::json;
use service::idempotency::{self, Claim, Key};
use types::WorkerId;

use super::{App, CONTEXT, Error, scope};
use crate::store::consents;

/// The worker agreed to receive `accepted` messages of a template.
#[derive(Debug)]
pub struct RecordConsent {
    pub caller: Caller,
    /// None where the caller means themself.
    pub worker: Option<WorkerId>,
    /// The provider's id, or the kind of notice it is for.
    pub template: String,
    pub accepted: u32,
    pub key: Option<Key>,
}

impl App {
    /// Adds to the balance and answers it; with a key, a repeated call adds nothing and answers the same.
    #[tracing::instrument(name = "notification.record_consent", skip_all)]
    pub async fn record_consent(&self, cmd: RecordConsent) -> Result<u32, Error> {
        let worker = own(&cmd.caller, cmd.worker)?;
        let template = self.templates.named(&cmd.template);
        let at = self.shell.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let claim = idempotency::claim(&mut tx, cmd.key.as_ref(), self.shell.system.now()).await?;
        if let Claim::Replay(answer) = claim {
            let answer = RecordConsentResponse::decode(answer.as_slice()).unwrap_or_default();
            return Ok(answer.balance);
        }
        let balance = consents::add(&mut tx, worker, template, cmd.accepted).await?;
        let fact = AuditFact {
            context: CONTEXT,
            caller: &cmd.caller,
            action: "notification.record_consent",
            target_type: "worker",
            target_id: worker.to_string(),
            site: None,
            before: None,
            after: Some(
                json!({ "template": template, "accepted": cmd.accepted, "balance": balance }),
            ),
            reason: None,
            at,
        };
        events::audit(&mut tx, fact).await?;
        idempotency::answer(&mut tx, cmd.key.as_ref(), &RecordConsentResponse { balance }).await?;
        tx.commit().await?;
        Ok(balance)
    }
}

/// Workers speak for themselves alone.
pub(super) fn own(caller: &Caller, named: Option<WorkerId>) -> Result<WorkerId, Error> {
    let own = caller.worker_id().ok_or(Error::NotFound)?;
    if named.is_some_and(|named| named != own) {
        return Err(Error::NotFound);
    }
    Ok(own)
}
