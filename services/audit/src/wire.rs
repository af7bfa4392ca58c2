use proto::audit::v1::{Entry, VerifyChainResponse};

use crate::domain::{ChainReport, Sealed};

pub(crate) fn entry(sealed: Sealed) -> Entry {
    let Sealed { entry, position, previous_hash, hash } = sealed;
    Entry {
        site_id: if entry.site.as_uuid().is_nil() { String::new() } else { entry.site.to_string() },
        position,
        event_id: entry.event_id.to_string(),
        event_type: entry.event_type,
        actor: entry.actor,
        role: entry.role,
        action: entry.action,
        target_type: entry.target_type,
        target_id: entry.target_id,
        before: entry.before,
        after: entry.after,
        reason: entry.reason,
        address: entry.address,
        trace_id: entry.trace_id,
        at: Some(proto::timestamp(entry.at)),
        previous_hash: hex::encode(previous_hash),
        hash: hex::encode(hash),
    }
}

/// What was found of a chain; what was found of the checkpoints is added by the edge.
pub(crate) fn report(report: ChainReport) -> VerifyChainResponse {
    let (broken_at, problem) = report.broken.clone().unwrap_or_default();
    VerifyChainResponse {
        intact: report.broken.is_none(),
        entries: report.entries,
        head_hash: report.head_hash,
        broken_at,
        problem,
        witnessed: report.witnessed,
        ..VerifyChainResponse::default()
    }
}
