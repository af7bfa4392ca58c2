//! Domain to proto, in one place.

use proto::directory::v1 as pb;
use types::{ContractorId, SiteId, format_time};

use crate::domain::{Account, Area, Contractor, Site, Worker};

fn texts(sites: &[SiteId]) -> Vec<String> {
    sites.iter().map(ToString::to_string).collect()
}

fn text(contractor: Option<ContractorId>) -> String {
    contractor.map(|contractor| contractor.to_string()).unwrap_or_default()
}

pub(crate) fn site(site: &Site) -> pb::Site {
    let settings = &site.settings;
    let ladder = settings.fallback_ladder.iter().map(|rung| rung.as_str().to_owned());
    pb::Site {
        site_id: site.id.to_string(),
        name: site.name.clone(),
        time_zone: site.zone.name().to_owned(),
        settings: Some(pb::SiteSettings {
            access_start_time: settings.access.start_text(),
            access_end_time: settings.access.end_text(),
            training_deadline_time: format_time(settings.training_deadline),
            max_span_days: settings.max_span_days,
            video_rule: settings.video_rule.as_str().to_owned(),
            check_min_seconds: settings.check_seconds.0,
            check_max_seconds: settings.check_seconds.1,
            check_answer_seconds: settings.check_answer_seconds,
            publish_now: Some(settings.publish_now),
            daily_reminder: Some(settings.daily_reminder),
            daily_reminder_time: format_time(settings.daily_reminder_time),
            deadline_soon_minutes: settings.deadline_soon_minutes,
            night_deadline_minutes: settings.night_deadline_minutes,
            late_deadline_minutes: settings.late_deadline_minutes,
            check_at_least_once: Some(settings.check_at_least_once),
            check_mode: settings.check_mode.as_str().to_owned(),
            retention_days: settings.retention_days,
            fallback_ladder: ladder.collect(),
            bind_id_last_six: Some(settings.bind_id_last_six),
            wechat_appid: Some(settings.wechat.appid.clone()),
            wechat_template_ticket_published: Some(settings.wechat.ticket_published.clone()),
            wechat_template_daily_reminder: Some(settings.wechat.daily_reminder.clone()),
            wechat_template_deadline_soon: Some(settings.wechat.deadline_soon.clone()),
            realname_project: Some(settings.realname_project.clone()),
        }),
        version: site.version,
    }
}

pub(crate) fn contractor(contractor: &Contractor) -> pb::Contractor {
    pb::Contractor {
        contractor_id: contractor.id.to_string(),
        name: contractor.name.clone(),
        site_ids: texts(&contractor.sites),
        version: contractor.version,
    }
}

pub(crate) fn area(area: &Area) -> pb::Area {
    pb::Area {
        area_id: area.id.to_string(),
        site_id: area.site.to_string(),
        name: area.name.clone(),
        access_group_id: area.access_group.to_string(),
        status: area.status.as_str().to_owned(),
        access_group_name: area.access_group_name.clone(),
        description: area.description.clone(),
        version: area.version,
    }
}

pub(crate) fn account(account: &Account) -> pb::Account {
    pb::Account {
        account_id: account.id.to_string(),
        username: account.username.clone(),
        role: account.role.as_str().to_owned(),
        site_ids: texts(&account.sites),
        contractor_id: text(account.contractor),
        disabled: account.disabled,
        must_change_password: account.one_time_until.is_some(),
        version: account.version,
    }
}

pub(crate) fn sign_in(account: &Account) -> pb::CheckSignInResponse {
    pb::CheckSignInResponse {
        account_id: account.id.to_string(),
        account_version: account.version,
        must_change_password: account.one_time_until.is_some(),
        role: account.role.as_str().to_owned(),
        site_ids: texts(&account.sites),
        contractor_id: text(account.contractor),
    }
}

/// The account as everybody may know it: a user name is somebody's name.
pub(crate) fn account_changed(account: &Account) -> pb::AccountChanged {
    let account = pb::Account { username: String::new(), ..self::account(account) };
    pb::AccountChanged { account: Some(account) }
}

/// No name, no numbers: this is what everybody may know.
pub(crate) fn worker(worker: &Worker) -> pb::Worker {
    let engagements = worker.engagements.iter().map(|engagement| pb::Engagement {
        site_id: engagement.site.to_string(),
        contractor_id: text(engagement.employer.contractor()),
        trade: engagement.trade.clone(),
        team: engagement.team.clone(),
        until: engagement.until.map(|until| until.to_string()).unwrap_or_default(),
    });
    let departures = worker.departures.iter().map(|left| pb::Departure {
        site_id: left.site.to_string(),
        until: left.until.to_string(),
    });
    pb::Worker {
        worker_id: worker.id.to_string(),
        face_id: worker.face.as_ref().map(ToString::to_string).unwrap_or_default(),
        engagements: engagements.collect(),
        departures: departures.collect(),
        bound: worker.bound,
        status: worker.status.as_str().to_owned(),
        version: worker.version,
    }
}
