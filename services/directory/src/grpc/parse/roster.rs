use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{Page, SiteId};
use uuid::Uuid;

use super::{MAX_NAME, read, read_page};
use crate::app::{ListRosterChanges, WorkerFilter};
use crate::domain::ReadingId;

pub(in crate::grpc) fn search_workers(
    message: pb::SearchWorkersRequest,
) -> Result<(WorkerFilter, Page), Refusal> {
    let pb::SearchWorkersRequest { site_id, contractor_id, keyword, bound, .. } = message;
    let (wanted, departed_too) = (message.page, message.departed_too);
    read(|fields| {
        let filter = filter(fields, &site_id, &contractor_id, keyword, &bound);
        let page = read_page(fields, wanted);
        Some((WorkerFilter { departed_too, ..filter? }, page?))
    })
}

pub(in crate::grpc) fn export_workers(
    message: pb::ExportWorkersRequest,
) -> Result<WorkerFilter, Refusal> {
    let pb::ExportWorkersRequest { site_id, contractor_id, keyword, bound } = message;
    read(|fields| filter(fields, &site_id, &contractor_id, keyword, &bound))
}

fn filter(
    fields: &mut Fields,
    site_id: &str,
    contractor_id: &str,
    keyword: String,
    bound: &str,
) -> Option<WorkerFilter> {
    let site = fields.parse("site_id", site_id);
    let contractor = fields.parse_optional("contractor_id", contractor_id);
    fields.check(keyword.chars().count() <= MAX_NAME, "keyword", "is too long");
    fields.check(matches!(bound, "" | "true" | "false"), "bound", "is neither true nor false");
    let (bound, departed_too) = (bound.parse().ok(), false);
    Some(WorkerFilter { site: site?, contractor, keyword, bound, departed_too })
}

pub(in crate::grpc) fn list_roster_readings(
    message: &pb::ListRosterReadingsRequest,
) -> Result<(SiteId, Page), Refusal> {
    read(|fields| {
        let site = fields.parse("site_id", &message.site_id);
        let page = read_page(fields, message.page);
        Some((site?, page?))
    })
}

pub(in crate::grpc) fn list_roster_changes(
    message: &pb::ListRosterChangesRequest,
) -> Result<ListRosterChanges, Refusal> {
    read(|fields| {
        let reading = Uuid::try_parse(&message.reading_id).ok();
        fields.check(reading.is_some(), "reading_id", "is not a UUID");
        let change = fields.parse_optional("change", &message.change);
        let page = read_page(fields, message.page);
        Some(ListRosterChanges { reading: ReadingId(reading?), change, page: page? })
    })
}
