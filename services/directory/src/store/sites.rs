use chrono::{DateTime, NaiveTime, Utc};
use service::{StoreError, Tx};
use types::{SiteId, SiteZone, TimeWindow};
use uuid::Uuid;

use crate::domain::{Settings, Site};

use super::{ids, kept, uuids, version};

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
    version: i64,
}

impl Row {
    fn site(self) -> Result<Site, StoreError> {
        let corrupt = || StoreError::corrupt("sites", self.site_id);
        let count = |kept: i32| u32::try_from(kept).map_err(|_| corrupt());
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
            },
            version: version(self.version),
            name: self.name,
        })
    }
}

pub(crate) async fn insert(tx: &mut Tx, site: &Site, at: DateTime<Utc>) -> Result<(), StoreError> {
    let settings = &site.settings;
    let count = |seconds: u32| i32::try_from(seconds).unwrap_or(i32::MAX);
    sqlx::query!(
        "INSERT INTO directory.sites (site_id, name, time_zone, access_start_time, access_end_time,
             training_deadline_time, max_span_days, video_rule, check_min_seconds, check_max_seconds,
             check_answer_seconds, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        site.id.as_uuid(),
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
        kept(site.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Every site of the scope, by name.
pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<Site>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT site_id, name, time_zone, access_start_time, access_end_time, training_deadline_time, max_span_days,
             video_rule, check_min_seconds, check_max_seconds, check_answer_seconds, version
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
             video_rule, check_min_seconds, check_max_seconds, check_answer_seconds, version
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
