//! Between the domain and the contract, in one place.

use proto::device::v1::{
    self, DeviceChanged, DeviceOffline, DeviceOnline, EventOutcome, PassageRecorded,
};
use proto::directory::v1 as directory;
use types::{AccessGroupId, ContractorId, FaceId, SiteId};

use crate::domain::{Area, Device, Outcome, Passage, Worker};

/// What a neighbour's message lacks or cannot mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing or unreadable")]
pub(crate) struct Unreadable(&'static str);

pub(crate) fn device(device: &Device) -> v1::Device {
    v1::Device {
        device_id: device.id.to_string(),
        site_id: device.site.to_string(),
        name: device.name.clone(),
        area_ids: device.areas.iter().map(ToString::to_string).collect(),
        direction: device.senses.as_str().to_owned(),
        status: device.status.as_str().to_owned(),
        last_seen_at: device.last_seen_at.map(proto::timestamp),
        firmware: device.firmware.clone(),
        online: device.is_online(),
        version: device.version,
    }
}

pub(crate) fn device_changed(changed: &Device) -> DeviceChanged {
    DeviceChanged { device: Some(device(changed)) }
}

pub(crate) fn device_online(online: &Device) -> DeviceOnline {
    DeviceOnline { device: Some(device(online)), since: online.online_since.map(proto::timestamp) }
}

/// Silent since it was last heard of.
pub(crate) fn device_offline(offline: &Device) -> DeviceOffline {
    DeviceOffline {
        device: Some(device(offline)),
        since: offline.last_seen_at.map(proto::timestamp),
    }
}

/// A device as an audit entry shows it.
pub(crate) fn device_record(device: &Device) -> serde_json::Value {
    serde_json::json!({
        "name": device.name,
        "area_ids": device.areas.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "direction": device.senses.as_str(),
        "status": device.status.as_str(),
    })
}

pub(crate) fn passage(passage: &Passage) -> v1::Passage {
    v1::Passage {
        passage_id: passage.id.to_string(),
        site_id: passage.site.to_string(),
        device_id: passage.device.to_string(),
        area_id: passage.area.to_string(),
        seq: passage.key.seq,
        event_time: Some(proto::timestamp(passage.report.event_time)),
        corrected_time: Some(proto::timestamp(passage.corrected_time)),
        received_at: Some(proto::timestamp(passage.received_at)),
        face_id: passage.report.face.as_ref().map(ToString::to_string).unwrap_or_default(),
        worker_id: passage.worker.map(|worker| worker.to_string()).unwrap_or_default(),
        direction: passage.report.direction.as_str().to_owned(),
        result: passage.report.verdict.as_str().to_owned(),
        reported_reason_code: passage.report.reason.clone(),
        reason_code: passage.reason.map(|(code, _)| code.to_string()).unwrap_or_default(),
        reason_source: passage
            .reason
            .map(|(_, source)| source.as_str().to_owned())
            .unwrap_or_default(),
        detail: passage.detail.clone(),
        daily_ticket_id: String::new(),
        version: passage.version(),
    }
}

pub(crate) fn passage_recorded(recorded: &Passage) -> PassageRecorded {
    PassageRecorded { passage: Some(passage(recorded)) }
}

pub(crate) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Duplicate(_) => "duplicate",
        Outcome::Rejected(_) => "rejected",
    }
}

/// `seq` is what the sender called the event.
pub(crate) fn outcome(seq: u64, outcome: &Outcome) -> EventOutcome {
    let (why, passage_id) = match outcome {
        Outcome::Accepted(id) | Outcome::Duplicate(id) => (String::new(), id.to_string()),
        Outcome::Rejected(flaw) => (flaw.to_string(), String::new()),
    };
    EventOutcome { seq, outcome: outcome_name(outcome).to_owned(), why, passage_id }
}

/// Reads directory's area.
pub(crate) fn area(area: &directory::Area) -> Result<Area, Unreadable> {
    let group = Some(area.access_group_id.as_str()).filter(|group| !group.is_empty());
    Ok(Area {
        id: area.area_id.parse().map_err(|_| Unreadable("area_id"))?,
        site: area.site_id.parse().map_err(|_| Unreadable("site_id"))?,
        access_group: group
            .map(AccessGroupId::parse)
            .transpose()
            .map_err(|_| Unreadable("access_group_id"))?,
        active: area.status == "ACTIVE",
        version: area.version,
    })
}

/// Reads directory's worker. Engagements without a contractor are left out: nobody's passages are shown by them.
pub(crate) fn worker(worker: &directory::Worker) -> Result<Worker, Unreadable> {
    let face = Some(worker.face_id.as_str()).filter(|face| !face.is_empty());
    let assigned =
        worker.engagements.iter().filter(|engagement| !engagement.contractor_id.is_empty());
    let engagements = assigned.map(|engagement| {
        let site: SiteId =
            engagement.site_id.parse().map_err(|_| Unreadable("engagements.site_id"))?;
        let contractor: ContractorId = engagement
            .contractor_id
            .parse()
            .map_err(|_| Unreadable("engagements.contractor_id"))?;
        Ok((site, contractor))
    });
    Ok(Worker {
        id: worker.worker_id.parse().map_err(|_| Unreadable("worker_id"))?,
        face: face.map(FaceId::parse).transpose().map_err(|_| Unreadable("face_id"))?,
        engagements: engagements.collect::<Result<_, Unreadable>>()?,
        version: worker.version,
    })
}
