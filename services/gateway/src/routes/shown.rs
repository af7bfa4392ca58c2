//! Shapes that more than one area of the API shows.

use chrono::{DateTime, Utc};
use proto::access_grant::v1 as access;
use serde::Serialize;
use types::{Language, Mend};
use utoipa::ToSchema;

use crate::answer::{instant, some};

/// One condition that fails, and the one action that mends it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failing {
    reason_code: String,
    detail: String,
    /// WORKER, ADMIN, `SYS_ADMIN`, GUARD or WAIT.
    who: String,
    /// A stable key of the action.
    mend: String,
    /// The action as a sentence.
    what_to_do: Option<&'static str>,
}

impl Failing {
    pub(crate) fn new(failing: access::Failing, language: Language) -> Self {
        let what_to_do = what_to_do(&failing.mend, language);
        let access::Failing { reason_code, detail, who, mend } = failing;
        Self { reason_code, detail, who, mend, what_to_do }
    }

    pub(crate) fn list(failing: Vec<access::Failing>, language: Language) -> Vec<Self> {
        failing.into_iter().map(|one| Self::new(one, language)).collect()
    }
}

pub(crate) fn what_to_do(mend: &str, language: Language) -> Option<&'static str> {
    Mend::ALL.iter().find(|known| known.what == mend).map(|known| known.sentence(language))
}

/// The outcome of the access decision for one worker, area and instant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    allow: bool,
    /// One of the seven; null where access is allowed.
    reason_code: Option<String>,
    detail: String,
    /// All that fails, the first reason first.
    failing: Vec<Failing>,
    /// How long the outcome holds if nothing changes.
    until: Option<DateTime<Utc>>,
    /// The instant it was judged for.
    as_of: Option<DateTime<Utc>>,
    because_daily_ticket_ids: Vec<String>,
}

impl Explanation {
    pub(crate) fn new(explained: access::ExplainResponse, language: Language) -> Self {
        Self {
            allow: explained.allow,
            reason_code: some(explained.reason_code),
            detail: explained.detail,
            failing: Failing::list(explained.failing, language),
            until: instant(explained.until),
            as_of: instant(explained.as_of),
            because_daily_ticket_ids: explained.because_daily_ticket_ids,
        }
    }
}

/// One worker, one area, one daily ticket, one window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Grant {
    grant_id: String,
    site_id: String,
    ticket_id: String,
    daily_ticket_id: String,
    pub(crate) worker_id: String,
    /// Null where it cannot be told now.
    pub(crate) worker_name: Option<String>,
    area_id: String,
    access_group_id: String,
    access_start_at: Option<DateTime<Utc>>,
    access_end_at: Option<DateTime<Utc>>,
    /// `PENDING_SYNC`, SYNCED, `SYNC_FAILED` or REVOKED.
    status: String,
    sent_at: Option<DateTime<Utc>>,
    /// When the door was seen to hold it.
    proved_at: Option<DateTime<Utc>>,
    revoke_reason: Option<String>,
    /// When the door was seen without it.
    revocation_proved_at: Option<DateTime<Utc>>,
    attempts: u32,
    last_error: Option<String>,
    created_at: Option<DateTime<Utc>>,
}

impl From<access::Grant> for Grant {
    fn from(grant: access::Grant) -> Self {
        Self {
            grant_id: grant.grant_id,
            site_id: grant.site_id,
            ticket_id: grant.ticket_id,
            daily_ticket_id: grant.daily_ticket_id,
            worker_id: grant.worker_id,
            worker_name: None,
            area_id: grant.area_id,
            access_group_id: grant.access_group_id,
            access_start_at: instant(grant.access_start_at),
            access_end_at: instant(grant.access_end_at),
            status: grant.status,
            sent_at: instant(grant.sent_at),
            proved_at: instant(grant.proved_at),
            revoke_reason: some(grant.revoke_reason),
            revocation_proved_at: instant(grant.revocation_proved_at),
            attempts: grant.attempts,
            last_error: some(grant.last_error),
            created_at: instant(grant.created_at),
        }
    }
}

impl Grant {
    pub(crate) async fn named(
        grants: Vec<access::Grant>,
        call: &crate::call::Call,
    ) -> impl Iterator<Item = Self> + use<> {
        let names = call.names(grants.iter().map(|grant| grant.worker_id.clone())).await;
        grants.into_iter().map(move |grant| {
            let worker_name = names.get(&grant.worker_id).map(|row| row.name.clone());
            Self { worker_name, ..Self::from(grant) }
        })
    }
}
