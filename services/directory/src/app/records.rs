//! What the record of a change compares, the fields that became others; and where the record of what happens to a person,
//! an account or a contractor is found.

use std::collections::BTreeSet;

use events::AuditFact;
use serde_json::{Map, Value, json};
use service::{StoreError, Tx};
use types::{SiteId, WorkerId};

use crate::domain::{Account, Area, Contractor, Site};
use crate::store;

/// Writes the record of what happened to one person, once for each of their sites: whoever audits one of them finds it.
/// Needs a scope of every site.
pub(super) async fn of_worker(
    tx: &mut Tx,
    worker: WorkerId,
    record: AuditFact<'_>,
) -> Result<(), StoreError> {
    let sites = store::bindings::sites_of(tx, &[worker]).await?;
    of_sites(tx, sites.into_iter().map(|(site, _)| site), record).await
}

/// Writes the record of what happened on several sites, or on none, once for each of them. Whoever audits one site does
/// not read there which others there are.
pub(super) async fn of_sites(
    tx: &mut Tx,
    sites: impl IntoIterator<Item = SiteId>,
    record: AuditFact<'_>,
) -> Result<(), StoreError> {
    let sites: BTreeSet<SiteId> = sites.into_iter().collect();
    if sites.is_empty() {
        events::audit(tx, record).await?;
        return Ok(());
    }
    for site in sites {
        events::audit(tx, of_site(site, record.clone())).await?;
    }
    Ok(())
}

/// The record with this site, which alone is left of its `site_ids`.
fn of_site(site: SiteId, record: AuditFact<'_>) -> AuditFact<'_> {
    let id = site.to_string();
    let alone = |mut side: Value| {
        if let Some(Value::Array(sites)) = side.get_mut("site_ids") {
            sites.retain(|site| *site == id);
        }
        side
    };
    let (before, after) = match (record.before.map(alone), record.after.map(alone)) {
        (Some(before), Some(after)) => {
            let (before, after) = compared(before, after);
            (Some(before), Some(after))
        }
        one_sided => one_sided,
    };
    AuditFact { site: Some(site), before, after, ..record }
}

/// Both sides of a change, without what stayed.
pub(super) fn compared(before: Value, after: Value) -> (Value, Value) {
    let (Value::Object(mut before), Value::Object(mut after)) = (before, after) else {
        return (Value::Null, Value::Null);
    };
    let same = |one: &Map<String, Value>, other: &Map<String, Value>| -> Vec<String> {
        let kept = one.iter().filter(|(key, value)| other.get(*key) == Some(value));
        kept.map(|(key, _)| key.clone()).collect()
    };
    for key in same(&before, &after) {
        before.remove(&key);
        after.remove(&key);
    }
    (Value::Object(before), Value::Object(after))
}

pub(super) fn site(site: &Site) -> Value {
    let settings = &site.settings;
    let ladder: Vec<&str> = settings.fallback_ladder.iter().map(|rung| rung.as_str()).collect();
    json!({
        "name": site.name,
        "time_zone": site.zone.name(),
        "access_start_time": settings.access.start_text(),
        "access_end_time": settings.access.end_text(),
        "training_deadline_time": types::format_time(settings.training_deadline),
        "max_span_days": settings.max_span_days,
        "video_rule": settings.video_rule.as_str(),
        "check_min_seconds": settings.check_seconds.0,
        "check_max_seconds": settings.check_seconds.1,
        "check_answer_seconds": settings.check_answer_seconds,
        "publish_now": settings.publish_now,
        "daily_reminder": settings.daily_reminder,
        "daily_reminder_time": types::format_time(settings.daily_reminder_time),
        "deadline_soon_minutes": settings.deadline_soon_minutes,
        "night_deadline_minutes": settings.night_deadline_minutes,
        "late_deadline_minutes": settings.late_deadline_minutes,
        "check_at_least_once": settings.check_at_least_once,
        "check_mode": settings.check_mode.as_str(),
        "retention_days": settings.retention_days,
        "fallback_ladder": ladder,
        "bind_id_last_six": settings.bind_id_last_six,
        "wechat_appid": settings.wechat.appid,
        "wechat_template_ticket_published": settings.wechat.ticket_published,
        "wechat_template_daily_reminder": settings.wechat.daily_reminder,
        "wechat_template_deadline_soon": settings.wechat.deadline_soon,
        "realname_project": settings.realname_project,
    })
}

pub(super) fn contractor(contractor: &Contractor) -> Value {
    let sites: Vec<String> = contractor.sites.iter().map(ToString::to_string).collect();
    json!({ "name": contractor.name, "site_ids": sites })
}

pub(super) fn area(area: &Area) -> Value {
    json!({
        "name": area.name,
        "access_group_id": area.access_group.as_str(),
        "access_group_name": area.access_group_name,
        "description": area.description,
        "status": area.status.as_str(),
    })
}

pub(super) fn account(account: &Account) -> Value {
    let sites: Vec<String> = account.sites.iter().map(ToString::to_string).collect();
    json!({
        "role": account.role.as_str(),
        "site_ids": sites,
        "contractor_id": account.contractor.map(|contractor| contractor.to_string()),
        "disabled": account.disabled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_became_another_is_compared() {
        let (before, after) =
            compared(json!({"a": 1, "b": [1], "c": null}), json!({"a": 2, "b": [1], "c": "x"}));
        assert_eq!((before, after), (json!({"a": 1, "c": null}), json!({"a": 2, "c": "x"})));
    }
}
