use proto::notification::v1::{
    Notification, NotificationFailed, NotificationSent, NotificationSkipped,
};

use crate::domain::{Notice, Refusal, State};

/// A fact that tells where a notice went.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Sent(NotificationSent),
    /// Failed, or unknown: the status in it says which.
    Failed(NotificationFailed),
    Skipped(NotificationSkipped),
}

/// What others are told of a notice in its state; nothing while it waits or is being sent.
pub(crate) fn fact(notice: &Notice, version: u64) -> Option<Fact> {
    let notification = Some(notification(notice, version));
    match notice.state {
        State::Queued { .. } | State::Sending { .. } => None,
        State::Sent { .. } => Some(Fact::Sent(NotificationSent { notification })),
        State::Failed { .. } | State::Unknown { .. } => {
            Some(Fact::Failed(NotificationFailed { notification }))
        }
        State::Skipped { .. } => Some(Fact::Skipped(NotificationSkipped { notification })),
    }
}

/// A notice as it now is.
pub(crate) fn notification(notice: &Notice, version: u64) -> Notification {
    let sent_at = match notice.state {
        State::Sent { at, .. } => Some(proto::timestamp(at)),
        _ => None,
    };
    let next_attempt_at = match notice.state {
        State::Queued { due_at } => Some(proto::timestamp(due_at)),
        _ => None,
    };
    Notification {
        notification_id: notice.id.to_string(),
        site_id: notice.site.to_string(),
        worker_id: notice.worker.to_string(),
        ticket_id: notice.ticket.to_string(),
        daily_ticket_id: notice.day.to_string(),
        r#type: notice.kind.as_str().to_owned(),
        status: notice.status().to_string(),
        reason: reason(notice.state).to_owned(),
        attempts: notice.attempts,
        created_at: Some(proto::timestamp(notice.created_at)),
        sent_at,
        next_attempt_at,
        version,
    }
}

/// Why it did not arrive; empty where there is nothing to explain.
pub(crate) fn reason(state: State) -> &'static str {
    match state {
        State::Queued { .. } | State::Sending { .. } | State::Sent { .. } => "",
        State::Failed { why: Refusal::Refused { .. }, .. } => "REFUSED",
        State::Failed { why: Refusal::ProviderError, .. } => "PROVIDER_ERROR",
        State::Skipped { why, .. } => why.as_str(),
        State::Unknown { .. } => "OUTCOME_UNKNOWN",
    }
}
