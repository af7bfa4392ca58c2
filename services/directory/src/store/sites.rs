use chrono::{DateTime, NaiveTime, Utc};
use service::{StoreError, Tx};
use types::{SiteId, SiteZone, TimeWindow};
use uuid::Uuid;

use crate::domain::{Settings, Site, Wechat};

use super::{guarded, ids, kept, uuids, version};

#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
struct Row {
    site_id: Uuid,
    name: String,
    time_zone: String,
    access_start_time: NaiveTime,
    access_end_time: NaiveTime,
    training_deadline_time: NaiveTime,
    max_span_days: i32,
    video_rule: String,
    check_min_seconds: i32,
    check_max_seconds: i32,
    check_answer_seconds: i32,
    publish_now: bool,
    daily_reminder: bool,
    daily_reminder_time: NaiveTime,
    deadline_soon_minutes: i32,
    night_deadline_minutes: i32,
    late_deadline_minutes: i32,
    check_at_least_once: bool,
    check_mode: String,
    retention_days: i32,
    fallback_ladder: Vec<String>,
    bind_id_last_six: bool,
    wechat_appid: String,
    wechat_template_ticket_published: String,
    wechat_template_daily_reminder: String,
    wechat_template_deadline_soon: String,
    realname_project: String,
    version: i64,
}

impl Row {
    fn site(self) -> Result<Site, StoreError> {
        let corrupt = || StoreError::corrupt("sites", self.site_id);
        let count = |kept: i32| u32::try_from(kept).map_err(|_| corrupt());
        let ladder = self.fallback_ladder.iter().map(|rung| rung.parse().map_err(|_| corrupt()));
        Ok(Site {
            id: self.site_id.into(),
            zone: SiteZone::parse(&self.time_zone).map_err(|_| corrupt())?,
            settings: Settings {
                access: TimeWindow { start: self.access_start_time, end: self.access_end_time },
                training_deadline: self.training_deadline_time,
                max_span_days: count(self.max_span_days)?,
                video_rule: self.video_rule.parse().map_err(|_| corrupt())?,
                check_seconds: (count(self.check_min_seconds)?, count(self.check_max_seconds)?),
                check_answer_seconds: count(self.check_answer_seconds)?,
                publish_now: self.publish_now,
                daily_reminder: self.daily_reminder,
                daily_reminder_time: self.daily_reminder_time,
                deadline_soon_minutes: count(self.deadline_soon_minutes)?,
                night_deadline_minutes: count(self.night_deadline_minutes)?,
                late_deadline_minutes: count(self.late_deadline_minutes)?,
                check_at_least_once: self.check_at_least_once,
                check_mode: self.check_mode.parse().map_err(|_| corrupt())?,
                retention_days: count(self.retention_days)?,
                fallback_ladder: ladder.collect::<Result<_, _>>()?,
                bind_id_last_six: self.bind_id_last_six,
                wechat: Wechat {
                    appid: self.wechat_appid,
                    ticket_published: self.wechat_template_ticket_published,
                    daily_reminder: self.wechat_template_daily_reminder,
                    deadline_soon: self.wechat_template_deadline_soon,
                },
                realname_project: self.realname_project,
            },
            version: version(self.version),
            name: self.name,
        })
    }
}

/// Which field holds what another site has, by the constraint that says so.
pub(crate) const TAKEN: [(&str, &str); 2] =
    [("sites_name", "name"), ("sites_realname_project", "settings.realname_project")];

/// A new site, with the settings of every new one; [`save`] writes its own.
pub(crate) async fn insert(tx: &mut Tx, site: &Site, at: DateTime<Utc>) -> Result<(), StoreError> {
    let usual = Settings::default();
    sqlx::query!(
        "INSERT INTO directory.sites (site_id, name, time_zone, access_start_time, access_end_time,
             training_deadline_time, max_span_days, video_rule, check_min_seconds, check_max_seconds,
             check_answer_seconds, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        site.id.as_uuid(),
        site.name,
        site.zone.name(),
        usual.access.start,
        usual.access.end,
        usual.training_deadline,
        count(usual.max_span_days),
        usual.video_rule.as_str(),
        count(usual.check_seconds.0),
        count(usual.check_seconds.1),
        count(usual.check_answer_seconds),
        kept(site.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    write(tx, site, site.version).await
}

/// Writes a site that was read at the version before its own.
pub(crate) async fn save(tx: &mut Tx, site: &Site) -> Result<(), StoreError> {
    write(tx, site, site.version - 1).await
}

async fn write(tx: &mut Tx, site: &Site, read_at: u64) -> Result<(), StoreError> {
    let settings = &site.settings;
    let ladder: Vec<String> =
        settings.fallback_ladder.iter().map(|rung| rung.as_str().to_owned()).collect();
    let result = sqlx::query!(
        "UPDATE directory.sites SET name = $3, time_zone = $4, access_start_time = $5, access_end_time = $6,
             training_deadline_time = $7, max_span_days = $8, video_rule = $9, check_min_seconds = $10,
             check_max_seconds = $11, check_answer_seconds = $12, publish_now = $13, daily_reminder = $14,
             daily_reminder_time = $15, deadline_soon_minutes = $16, night_deadline_minutes = $17,
             late_deadline_minutes = $18, check_at_least_once = $19, check_mode = $20, retention_days = $21,
             fallback_ladder = $22, bind_id_last_six = $23, wechat_appid = $24, wechat_template_ticket_published = $25,
             wechat_template_daily_reminder = $26, wechat_template_deadline_soon = $27, realname_project = $28,
             version = $29
         WHERE site_id = $1 AND version = $2",
        site.id.as_uuid(),
        kept(read_at),
        site.name,
        site.zone.name(),
        settings.access.start,
        settings.access.end,
        settings.training_deadline,
        count(settings.max_span_days),
        settings.video_rule.as_str(),
        count(settings.check_seconds.0),
        count(settings.check_seconds.1),
        count(settings.check_answer_seconds),
        settings.publish_now,
        settings.daily_reminder,
        settings.daily_reminder_time,
        count(settings.deadline_soon_minutes),
        count(settings.night_deadline_minutes),
        count(settings.late_deadline_minutes),
        settings.check_at_least_once,
        settings.check_mode.as_str(),
        count(settings.retention_days),
        &ladder,
        settings.bind_id_last_six,
        settings.wechat.appid,
        settings.wechat.ticket_published,
        settings.wechat.daily_reminder,
        settings.wechat.deadline_soon,
        settings.realname_project,
        kept(site.version),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Every site of the scope, by name.
pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<Site>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT site_id, name, time_zone, access_start_time, access_end_time, training_deadline_time, max_span_days,
             video_rule, check_min_seconds, check_max_seconds, check_answer_seconds, publish_now, daily_reminder,
             daily_reminder_time, deadline_soon_minutes, night_deadline_minutes, late_deadline_minutes,
             check_at_least_once, check_mode, retention_days, fallback_ladder, bind_id_last_six, wechat_appid,
             wechat_template_ticket_published, wechat_template_daily_reminder, wechat_template_deadline_soon, realname_project,
             version
         FROM directory.sites ORDER BY name",
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::site).collect()
}

pub(crate) async fn get(tx: &mut Tx, site: SiteId) -> Result<Option<Site>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT site_id, name, time_zone, access_start_time, access_end_time, training_deadline_time, max_span_days,
             video_rule, check_min_seconds, check_max_seconds, check_answer_seconds, publish_now, daily_reminder,
             daily_reminder_time, deadline_soon_minutes, night_deadline_minutes, late_deadline_minutes,
             check_at_least_once, check_mode, retention_days, fallback_ladder, bind_id_last_six, wechat_appid,
             wechat_template_ticket_published, wechat_template_daily_reminder, wechat_template_deadline_soon, realname_project,
             version
         FROM directory.sites WHERE site_id = $1",
        site.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Row::site).transpose()
}

/// Those of `sites` that exist within the scope.
pub(crate) async fn known(tx: &mut Tx, sites: &[SiteId]) -> Result<Vec<SiteId>, StoreError> {
    let known = sqlx::query_scalar!(
        "SELECT site_id FROM directory.sites WHERE site_id = ANY($1)",
        &uuids(sites)
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(known))
}
