use auth::Caller;
use events::AuditFact;
use serde_json::{Value, json};
use service::telemetry;
use types::NotificationId;

use super::{App, CONTEXT, Error, reaches, scope};
use crate::domain::Notice;
use crate::store::{Versioned, notices, tickets};
use crate::{record, wire};

impl App {
    /// Queues a notice anew that failed, was skipped or is unknown, as long as its ticket has something to tell. What
    /// is queued again is sent by the sender; a consent is spent as for any other.
    #[tracing::instrument(name = "notification.retry", skip_all, fields(notification.id = %id))]
    pub async fn retry_notification(
        &self,
        caller: &Caller,
        id: NotificationId,
    ) -> Result<Versioned<Notice>, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut notice = notices::get(&mut tx, id)
            .await?
            .filter(|notice| reaches(caller, notice.value.site, notice.value.contractor))
            .ok_or(Error::NotFound)?;
        let before = snapshot(&notice.value);
        let at = self.shell.clock.now();
        let words = tickets::words(&mut tx, std::slice::from_ref(&notice)).await?;
        notice.value.retry(words.get(&id), at)?;
        notice.value.traceparent = telemetry::current_traceparent().or(notice.value.traceparent);
        record::save(&mut tx, &mut notice, at).await?;
        let fact = AuditFact {
            context: CONTEXT,
            caller,
            action: "notification.retry",
            target_type: "notification",
            target_id: id.to_string(),
            site: Some(notice.value.site),
            before: Some(before),
            after: Some(snapshot(&notice.value)),
            reason: None,
            at,
        };
        events::audit(&mut tx, fact).await?;
        tx.commit().await?;
        Ok(notice)
    }
}

fn snapshot(notice: &Notice) -> Value {
    json!({
        "status": notice.status().as_str(),
        "reason": wire::reason(notice.state),
        "attempts": notice.attempts,
        "retries_today": notice.by_hand.map_or(0, |by_hand| by_hand.count),
    })
}
