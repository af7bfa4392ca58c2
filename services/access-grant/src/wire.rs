//! Domain to proto, in one place.

use chrono::{DateTime, SecondsFormat, Utc};
use decision::{Decision, Detail};
use proto::access_grant::v1 as pb;
use types::{AreaId, DailyTicketId, Mender, PassageId, ReasonCode, SiteId, WorkerId};

use crate::domain::{Grant, State};

pub fn grant(grant: &Grant) -> pb::Grant {
    let (revoke_reason, revocation_proved_at) = match grant.state {
        State::Revoked { reason, proved_at, .. } => (reason.as_str().to_owned(), proved_at),
        _ => (String::new(), None),
    };
    pb::Grant {
        grant_id: grant.id.to_string(),
        site_id: grant.site.to_string(),
        ticket_id: grant.ticket.to_string(),
        daily_ticket_id: grant.day.to_string(),
        worker_id: grant.worker.to_string(),
        area_id: grant.area.to_string(),
        access_group_id: grant.aim.group.as_ref().map(ToString::to_string).unwrap_or_default(),
        face_id: grant.aim.face.as_ref().map(ToString::to_string).unwrap_or_default(),
        access_start_at: Some(proto::timestamp(grant.aim.window.start)),
        access_end_at: Some(proto::timestamp(grant.aim.window.end)),
        status: grant.state.as_str().to_owned(),
        sent_at: grant.sent_at.map(proto::timestamp),
        proved_at: grant.proved_at.map(proto::timestamp),
        revocation_proved_at: revocation_proved_at.map(proto::timestamp),
        revoke_reason,
        attempts: grant.attempts,
        last_error: grant.last_error.clone().unwrap_or_default(),
        created_at: Some(proto::timestamp(grant.created_at)),
        version: grant.version,
    }
}

pub fn access_granted(of: &Grant) -> pb::AccessGranted {
    pb::AccessGranted { grant: Some(grant(of)) }
}

pub fn access_synced(of: &Grant, authorized: bool) -> pb::AccessSynced {
    pb::AccessSynced { grant: Some(grant(of)), authorized }
}

pub fn access_sync_failed(of: &Grant) -> pb::AccessSyncFailed {
    pb::AccessSyncFailed { grant: Some(grant(of)) }
}

pub fn access_revoked(of: &Grant) -> pb::AccessRevoked {
    pb::AccessRevoked { grant: Some(grant(of)) }
}

pub fn late_grant_released(
    site: SiteId,
    day: DailyTicketId,
    worker: WorkerId,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> pb::LateGrantReleased {
    pb::LateGrantReleased {
        site_id: site.to_string(),
        daily_ticket_id: day.to_string(),
        worker_id: worker.to_string(),
        released_by: by.to_owned(),
        reason: reason.to_owned(),
        released_at: Some(proto::timestamp(at)),
    }
}

pub fn passage_explained(
    site: SiteId,
    passage: PassageId,
    reason: ReasonCode,
    computed: &Decision,
    as_of: DateTime<Utc>,
) -> pb::PassageExplained {
    pb::PassageExplained {
        site_id: site.to_string(),
        passage_id: passage.to_string(),
        reason_code: reason.as_str().to_owned(),
        detail: detail(&computed.detail),
        failing: failing(computed),
        as_of: Some(proto::timestamp(as_of)),
    }
}

pub fn pass_line(
    site: SiteId,
    area: AreaId,
    day: DailyTicketId,
    decision: &Decision,
) -> pb::PassLine {
    pb::PassLine {
        site_id: site.to_string(),
        area_id: area.to_string(),
        daily_ticket_id: day.to_string(),
        allow: decision.allow,
        reason_code: reason(decision),
        detail: detail(&decision.detail),
        failing: failing(decision),
        until: decision.until.map(proto::timestamp),
    }
}

pub fn outlook_line(
    worker: WorkerId,
    area: AreaId,
    day: DailyTicketId,
    decision: &Decision,
) -> pb::OutlookLine {
    pb::OutlookLine {
        worker_id: worker.to_string(),
        area_id: area.to_string(),
        daily_ticket_id: day.to_string(),
        reason_code: reason(decision),
        detail: detail(&decision.detail),
        failing: failing(decision),
    }
}

/// The code of a refusal; empty when allowed.
pub fn reason(decision: &Decision) -> String {
    decision.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default()
}

pub fn failing(decision: &Decision) -> Vec<pb::Failing> {
    let each = decision.failing.iter().map(|failing| pb::Failing {
        reason_code: failing.reason.as_str().to_owned(),
        detail: detail(&failing.detail),
        who: who(failing.mend.who).to_owned(),
        mend: failing.mend.what.to_owned(),
    });
    each.collect()
}

pub fn ids(days: &[DailyTicketId]) -> Vec<String> {
    days.iter().map(ToString::to_string).collect()
}

/// One clause: what exactly holds.
pub fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Well => "every condition holds".to_owned(),
        Detail::Leaving => "leaving is always allowed".to_owned(),
        Detail::EmergencyOpen => "the area is open in an emergency".to_owned(),
        Detail::ControllerFailed => "the door's controller cannot decide".to_owned(),
        Detail::DoorRefusedProvedGrant => {
            "the door was proved to hold the grant and refused all the same".to_owned()
        }
        Detail::DoorRefusedLeaving => "the door refused to let someone leave".to_owned(),
        Detail::UnknownFace => "the face belongs to nobody known here".to_owned(),
        Detail::NoTicket => "on no live ticket of this site that day".to_owned(),
        Detail::OtherArea { allowed } => {
            format!("the ticket is for other areas: {}", list(allowed))
        }
        Detail::NotBound => "neither bound nor otherwise identified that day".to_owned(),
        Detail::NotTrained { deadline_at } => {
            format!("training not finished; its deadline is {}", time(*deadline_at))
        }
        Detail::FinishedLate { completed_at, deadline_at } => {
            format!(
                "training finished at {}, after its deadline {}",
                time(*completed_at),
                time(*deadline_at)
            )
        }
        Detail::TooEarly { opens_at } => format!("the window opens at {}", time(*opens_at)),
        Detail::TooLate { closed_at } => format!("the window closed at {}", time(*closed_at)),
        Detail::DoorDoesNotKnow => "the door is not proved to hold the grant yet".to_owned(),
    }
}

fn list(areas: &[AreaId]) -> String {
    areas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

const fn who(mender: Mender) -> &'static str {
    match mender {
        Mender::Worker => "WORKER",
        Mender::Admin => "ADMIN",
        Mender::SysAdmin => "SYS_ADMIN",
        Mender::Guard => "GUARD",
        Mender::Wait => "WAIT",
    }
}
