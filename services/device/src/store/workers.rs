use std::collections::HashMap;

use service::{StoreError, Tx};
use types::{FaceId, WorkerId};
use uuid::Uuid;

use super::signed;
use crate::domain::Worker;

/// Keeps the newest version of a worker; older ones and repeats change nothing.
pub(crate) async fn keep(tx: &mut Tx, worker: &Worker) -> Result<(), StoreError> {
    let (sites, contractors): (Vec<Uuid>, Vec<Uuid>) = worker
        .engagements
        .iter()
        .map(|(site, contractor)| (site.as_uuid(), contractor.as_uuid()))
        .unzip();
    sqlx::query!(
        "INSERT INTO device.workers AS held (worker_id, face_id, site_ids, contractor_ids, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (worker_id) DO UPDATE
         SET face_id = excluded.face_id, site_ids = excluded.site_ids, contractor_ids = excluded.contractor_ids,
             version = excluded.version
         WHERE held.version < excluded.version",
        worker.id.as_uuid(),
        worker.face.as_ref().map(FaceId::as_str),
        &sites,
        &contractors,
        signed(worker.version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whose faces these are. A face that is passing from one worker to another is the one's who was changed last.
pub(crate) async fn of_faces(
    tx: &mut Tx,
    faces: &[String],
) -> Result<HashMap<String, WorkerId>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (face_id) face_id AS "face_id!", worker_id FROM device.workers
           WHERE face_id = ANY($1) ORDER BY face_id, version DESC, worker_id DESC"#,
        faces,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.face_id, row.worker_id.into())).collect())
}
