use auth::Caller;
use chrono::{DateTime, Utc};
use events::AuditFact;
use service::Tx;
use types::AccountId;

use super::Error;
use crate::domain::{Action, Edit, Ticket};
use crate::store;
use crate::wire::Changes;

/// What a person did to a ticket, as it is kept twice: in the ticket's history and in the audit log.
pub(super) struct Done<'a> {
    pub(super) caller: &'a Caller,
    pub(super) by: AccountId,
    pub(super) action: Action,
    /// The ticket after it.
    pub(super) ticket: &'a Ticket,
    /// What is audited: a day, where it was one.
    pub(super) target: (&'static str, String),
    pub(super) changes: Changes,
    pub(super) reason: Option<&'a str>,
    pub(super) at: DateTime<Utc>,
}

/// Writes the history's line and the audit fact, in the transaction of what was done.
pub(super) async fn record(tx: &mut Tx, done: Done<'_>) -> Result<(), Error> {
    let Changes { before, after } = done.changes;
    let edit = Edit {
        revision: done.ticket.revision,
        action: done.action,
        by: done.by,
        at: done.at,
        reason: done.reason.map(str::to_owned),
        before: before.as_ref().map(ToString::to_string),
        after: after.to_string(),
    };
    store::edits::insert(tx, done.ticket.id, done.ticket.site, &edit).await?;
    let (target_type, target_id) = done.target;
    let fact = AuditFact {
        context: "ticket",
        caller: done.caller,
        action: done.action.audited(),
        target_type,
        target_id,
        site: Some(done.ticket.site),
        before,
        after: Some(after),
        reason: done.reason,
        at: done.at,
    };
    events::audit(tx, fact).await?;
    Ok(())
}
