//! Sites, contractors and areas.

use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{SiteId, SiteZone};

use super::{MAX_DESCRIPTION, MAX_NAME, clearable, optional_text, read, read_version, settings};
use crate::app::{ChangeArea, ChangeContractor, ChangeSite, CreateArea, CreateSite};
use crate::domain::Settings;

pub(in crate::grpc) fn create_site(message: pb::CreateSiteRequest) -> Result<CreateSite, Refusal> {
    read(|fields| {
        let name = fields.text("name", &message.name, MAX_NAME);
        let zone = match message.time_zone.as_str() {
            "" => Some(SiteZone::default()),
            zone => fields.parse("time_zone", zone),
        };
        let change = settings::change(fields, &message.settings.unwrap_or_default());
        let settings = Settings::default().changed(change);
        let settings = settings.map_err(|problems| {
            for bad in problems {
                fields.problem(&bad.field, bad.problem);
            }
        });
        Some(CreateSite { name: name?, zone: zone?, settings: settings.ok()? })
    })
}

pub(in crate::grpc) fn change_site(message: &pb::ChangeSiteRequest) -> Result<ChangeSite, Refusal> {
    read(|fields| {
        let site = fields.parse("site_id", &message.site_id);
        read_version(fields, message.version);
        let name = optional_text(fields, "name", &message.name, MAX_NAME);
        let zone = fields.parse_optional("time_zone", &message.time_zone);
        let settings = message.settings.as_ref();
        let settings = settings.map(|given| settings::change(fields, given)).unwrap_or_default();
        Some(ChangeSite { site: site?, version: message.version, name, zone, settings })
    })
}

pub(in crate::grpc) fn create_contractor(
    message: &pb::CreateContractorRequest,
) -> Result<(String, Vec<SiteId>), Refusal> {
    read(|fields| {
        let name = fields.text("name", &message.name, MAX_NAME);
        let sites = fields.parse_list("site_ids", &message.site_ids);
        Some((name?, sites))
    })
}

pub(in crate::grpc) fn change_contractor(
    message: &pb::ChangeContractorRequest,
) -> Result<ChangeContractor, Refusal> {
    read(|fields| {
        let contractor = fields.parse("contractor_id", &message.contractor_id);
        read_version(fields, message.version);
        let name = optional_text(fields, "name", &message.name, MAX_NAME);
        let sites = sites(fields, message.sites.as_ref());
        Some(ChangeContractor { contractor: contractor?, version: message.version, name, sites })
    })
}

pub(super) fn sites(fields: &mut Fields, given: Option<&pb::SiteIds>) -> Option<Vec<SiteId>> {
    given.map(|given| fields.parse_list("site_ids", &given.site_ids))
}

pub(in crate::grpc) fn create_area(message: &pb::CreateAreaRequest) -> Result<CreateArea, Refusal> {
    read(|fields| {
        let site = fields.parse("site_id", &message.site_id);
        let name = fields.text("name", &message.name, MAX_NAME);
        let access_group = fields.parse("access_group_id", &message.access_group_id);
        let group_name = Some(message.access_group_name.as_str());
        let group_name = clearable(fields, "access_group_name", group_name, MAX_NAME);
        let description = Some(message.description.as_str());
        let description = clearable(fields, "description", description, MAX_DESCRIPTION);
        Some(CreateArea {
            site: site?,
            name: name?,
            access_group: access_group?,
            access_group_name: group_name?,
            description: description?,
        })
    })
}

pub(in crate::grpc) fn change_area(message: &pb::ChangeAreaRequest) -> Result<ChangeArea, Refusal> {
    read(|fields| {
        let area = fields.parse("area_id", &message.area_id);
        read_version(fields, message.version);
        let group_name = message.access_group_name.as_deref();
        let description = message.description.as_deref();
        Some(ChangeArea {
            version: message.version,
            name: optional_text(fields, "name", &message.name, MAX_NAME),
            access_group: fields.parse_optional("access_group_id", &message.access_group_id),
            status: fields.parse_optional("status", &message.status),
            access_group_name: clearable(fields, "access_group_name", group_name, MAX_NAME),
            description: clearable(fields, "description", description, MAX_DESCRIPTION),
            area: area?,
        })
    })
}
