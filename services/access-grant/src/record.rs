//! Takes in what was found at doors, and tells what became proved or failed by it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, GrantId, WorkerId};

use crate::domain::{Day, Grant, Sight, Step};
use crate::store::{grants, tickets};
use crate::wire;

/// What was found about one grant.
#[derive(Debug, Clone)]
pub struct Finding {
    pub grant: GrantId,
    /// Of the aim it is about: about an earlier one it says nothing.
    pub revision: u64,
    /// When the door was called, if it was.
    pub sent_at: Option<DateTime<Utc>>,
    pub sight: Sight,
}

/// Applies findings to `grants`: those found and all others of the same workers' days, locked. Findings about grants
/// that are not among them are dropped.
pub async fn record(
    tx: &mut Tx,
    grants: Vec<Grant>,
    findings: Vec<Finding>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut grants: BTreeMap<GrantId, Grant> =
        grants.into_iter().map(|grant| (grant.id, grant)).collect();
    let mut steps = Vec::new();
    for finding in findings {
        let Some(grant) =
            grants.get_mut(&finding.grant).filter(|grant| grant.revision == finding.revision)
        else {
            continue;
        };
        if let Some(at) = finding.sent_at {
            grant.sent(at);
        }
        let step = grant.saw(finding.sight, now);
        grants::save(tx, grant, now).await?;
        if step != Step::Nothing {
            steps.push((grant.id, step));
        }
    }
    let days = days(tx, &grants, &steps).await?;
    for (id, step) in steps {
        let Some(grant) = grants.get(&id) else { continue };
        match step {
            Step::Synced => {
                let authorized = authorized(days.get(&grant.day), grant.worker, grants.values());
                events::enqueue(tx, &wire::access_synced(grant, authorized), now).await?;
                let took = (now - grant.created_at).to_std().unwrap_or_default();
                metrics::histogram!("sitepass_grant_sync_seconds").record(took.as_secs_f64());
            }
            Step::Failed => {
                events::enqueue(tx, &wire::access_sync_failed(grant), now).await?;
                metrics::counter!("sitepass_grant_sync_failures_total").increment(1);
            }
            Step::Withdrawn | Step::Nothing => {}
        }
    }
    Ok(())
}

/// Whether every area of the day has a proved grant of this worker.
pub fn authorized<'a>(
    day: Option<&Day>,
    worker: WorkerId,
    grants: impl Iterator<Item = &'a Grant>,
) -> bool {
    let Some(day) = day else { return false };
    let mut pending = day.areas.clone();
    for grant in
        grants.filter(|grant| grant.day == day.id && grant.worker == worker && grant.is_synced())
    {
        pending.remove(&grant.area);
    }
    !day.areas.is_empty() && pending.is_empty()
}

async fn days(
    tx: &mut Tx,
    grants: &BTreeMap<GrantId, Grant>,
    steps: &[(GrantId, Step)],
) -> Result<BTreeMap<DailyTicketId, Day>, StoreError> {
    let synced = steps.iter().filter(|(_, step)| *step == Step::Synced);
    let mut ids: Vec<DailyTicketId> =
        synced.filter_map(|(id, _)| Some(grants.get(id)?.day)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    tickets::days(tx, tickets::Which::Days(&ids)).await
}
