use std::collections::HashMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AreaId, ContractorId, DeviceId, FaceId, PassageId, ReasonCode, SiteId, WorkerId};
use uuid::Uuid;

use super::{signed, unsigned, uuids};
use crate::domain::{Held, Key, Passage, Report, Source, Verdict};

/// What to look for; empty fields match everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) site: Option<SiteId>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) area: Option<AreaId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) reason: Option<ReasonCode>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
    /// Only workers engaged on the passage's site by this contractor.
    pub(crate) contractor: Option<ContractorId>,
}

/// Where a page ended: the next one starts behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: DateTime<Utc>,
    pub(crate) passage: PassageId,
}

struct Row {
    passage_id: Uuid,
    site_id: Uuid,
    device_id: String,
    area_id: Uuid,
    seq: i64,
    delivery: String,
    event_time: DateTime<Utc>,
    corrected_time: DateTime<Utc>,
    received_at: DateTime<Utc>,
    face_id: Option<String>,
    worker_id: Option<Uuid>,
    direction: String,
    result: String,
    reported_reason: String,
    reason_code: Option<String>,
    computed_reason: Option<String>,
    detail: Option<String>,
}

impl TryFrom<Row> for Passage {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("passages", row.passage_id);
        let reason = |code: &str| code.parse::<ReasonCode>().map_err(|_| corrupt());
        let report = Report {
            event_time: row.event_time,
            face: row.face_id.as_deref().map(FaceId::parse).transpose().map_err(|_| corrupt())?,
            direction: row.direction.parse().map_err(|_| corrupt())?,
            verdict: row.result.parse().map_err(|_| corrupt())?,
            reason: row.reported_reason,
        };
        let reason = match (&row.reason_code, &row.computed_reason) {
            (Some(code), _) => Some((reason(code)?, Source::Reported)),
            (None, Some(code)) if report.verdict == Verdict::Deny => {
                Some((reason(code)?, Source::Computed))
            }
            (None, _) => None,
        };
        let detail = match reason {
            Some((_, Source::Computed)) => row.detail.unwrap_or_default(),
            _ => String::new(),
        };
        Ok(Self {
            id: row.passage_id.into(),
            site: row.site_id.into(),
            device: DeviceId::parse(&row.device_id).map_err(|_| corrupt())?,
            area: row.area_id.into(),
            key: Key {
                seq: unsigned(row.seq, "passages", row.passage_id)?,
                delivery: row.delivery,
            },
            report,
            corrected_time: row.corrected_time,
            received_at: row.received_at,
            worker: row.worker_id.map(WorkerId::from_uuid),
            reason,
            detail,
        })
    }
}

/// Which of these events of a controller are kept already.
pub(crate) async fn held(
    tx: &mut Tx,
    device: &DeviceId,
    keys: &[Key],
) -> Result<HashMap<Key, Held>, StoreError> {
    let (seqs, deliveries): (Vec<i64>, Vec<String>) =
        keys.iter().map(|key| (signed(key.seq), key.delivery.clone())).unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT p.passage_id, p.site_id, p.device_id, p.area_id, p.seq, p.delivery, p.event_time, p.corrected_time,
               p.received_at, p.face_id, p.worker_id, p.direction, p.result, p.reported_reason, p.reason_code,
               NULL::text AS computed_reason, NULL::text AS detail
           FROM unnest($2::bigint[], $3::text[]) AS given (seq, delivery)
           JOIN device.passages p ON p.device_id = $1 AND p.seq = given.seq AND p.delivery = given.delivery"#,
        device.as_str(),
        &seqs,
        &deliveries,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let passage = Passage::try_from(row)?;
            Ok((passage.key, Held { id: passage.id, report: passage.report }))
        })
        .collect()
}

/// Keeps new passages of one controller. One that is there already breaks the constraint `passages_event`.
pub(crate) async fn insert(tx: &mut Tx, passages: &[Passage]) -> Result<(), StoreError> {
    let Some(first) = passages.first() else { return Ok(()) };
    let ids: Vec<PassageId> = passages.iter().map(|passage| passage.id).collect();
    let column = |read: fn(&Passage) -> String| passages.iter().map(read).collect::<Vec<String>>();
    let seqs: Vec<i64> = passages.iter().map(|passage| signed(passage.key.seq)).collect();
    let event_times: Vec<DateTime<Utc>> =
        passages.iter().map(|passage| passage.report.event_time).collect();
    let corrected: Vec<DateTime<Utc>> =
        passages.iter().map(|passage| passage.corrected_time).collect();
    let faces: Vec<Option<String>> = passages
        .iter()
        .map(|passage| passage.report.face.as_ref().map(ToString::to_string))
        .collect();
    let workers: Vec<Option<Uuid>> =
        passages.iter().map(|passage| passage.worker.map(WorkerId::as_uuid)).collect();
    let reasons: Vec<Option<String>> =
        passages.iter().map(|passage| passage.reason.map(|(code, _)| code.to_string())).collect();
    sqlx::query!(
        "INSERT INTO device.passages (passage_id, site_id, device_id, area_id, received_at, seq, delivery, event_time,
             corrected_time, face_id, worker_id, direction, result, reported_reason, reason_code)
         SELECT passage_id, $2, $3, $4, $5, seq, delivery, event_time, corrected_time, face_id, worker_id, direction,
             result, reported_reason, reason_code
         FROM unnest($1::uuid[], $6::bigint[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::text[],
             $11::uuid[], $12::text[], $13::text[], $14::text[], $15::text[])
             AS given (passage_id, seq, delivery, event_time, corrected_time, face_id, worker_id, direction, result,
                 reported_reason, reason_code)",
        &uuids(&ids),
        first.site.as_uuid(),
        first.device.as_str(),
        first.area.as_uuid(),
        first.received_at,
        &seqs,
        &column(|passage| passage.key.delivery.clone()),
        &event_times,
        &corrected,
        &faces as &[Option<String>],
        &workers as &[Option<Uuid>],
        &column(|passage| passage.report.direction.as_str().to_owned()),
        &column(|passage| passage.report.verdict.as_str().to_owned()),
        &column(|passage| passage.report.reason.clone()),
        &reasons as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The newest passages that match, behind `after` when given, newest first, each with its explanation.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Passage>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT p.passage_id, p.site_id, p.device_id, p.area_id, p.seq, p.delivery, p.event_time, p.corrected_time,
               p.received_at, p.face_id, p.worker_id, p.direction, p.result, p.reported_reason, p.reason_code,
               e.reason_code AS "computed_reason?", e.detail AS "detail?"
           FROM device.passages p LEFT JOIN device.explanations e USING (passage_id)
           WHERE ($1::uuid IS NULL OR p.site_id = $1) AND ($2::uuid IS NULL OR p.worker_id = $2)
               AND ($3::uuid IS NULL OR p.area_id = $3) AND ($4::text IS NULL OR p.device_id = $4)
               AND ($5::text IS NULL OR p.result = $5)
               AND ($6::text IS NULL OR p.result = 'DENY' AND coalesce(p.reason_code, e.reason_code) = $6)
               AND ($7::timestamptz IS NULL OR p.corrected_time >= $7)
               AND ($8::timestamptz IS NULL OR p.corrected_time < $8)
               AND ($9::uuid IS NULL OR EXISTS (
                   SELECT FROM device.workers w, unnest(w.site_ids, w.contractor_ids) AS work (site_id, contractor_id)
                   WHERE w.worker_id = p.worker_id AND work.site_id = p.site_id AND work.contractor_id = $9))
               AND ($10::timestamptz IS NULL OR (p.corrected_time, p.passage_id) < ($10, $11))
           ORDER BY p.corrected_time DESC, p.passage_id DESC LIMIT $12"#,
        filter.site.map(SiteId::as_uuid),
        filter.worker.map(WorkerId::as_uuid),
        filter.area.map(AreaId::as_uuid),
        filter.device.as_ref().map(DeviceId::as_str),
        filter.verdict.map(Verdict::as_str),
        filter.reason.map(ReasonCode::as_str),
        filter.from,
        filter.to,
        filter.contractor.map(ContractorId::as_uuid),
        after.map(|place| place.at),
        after.map(|place| place.passage.as_uuid()),
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Passage::try_from).collect()
}
