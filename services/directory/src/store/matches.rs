//! Who the lines of a list could mean.

use service::{StoreError, Tx};
use types::{ContractorId, SiteId};
use uuid::Uuid;

use crate::domain::Index;

use super::people::Person;

/// Somebody who could be meant, and how they stand to the site.
#[derive(Debug)]
pub(crate) struct Row {
    pub person: Person,
    /// On the site's roster now.
    pub here: bool,
}

/// Active people of a site of the scope with one of these names, numbers or phones. `confined_to` leaves out those who
/// work only for other contractors.
pub(crate) async fn candidates(
    tx: &mut Tx,
    site: SiteId,
    [names, id_nos, phones]: [&[Index]; 3],
    confined_to: Option<ContractorId>,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH named AS (
               SELECT worker_id FROM directory.workers WHERE name_index = ANY ($2)
               UNION SELECT worker_id FROM directory.workers WHERE id_no_index = ANY ($3)
               UNION SELECT worker_id FROM directory.workers WHERE phone_index = ANY ($4))
           SELECT DISTINCT ON (w.worker_id) w.worker_id, w.name_sealed, w.id_no_sealed, w.phone_sealed, w.face_id,
                  e.contractor_id, e.contractor_id IS NULL AND e.contractor_unknown AS "contractor_unknown!",
                  e.trade, e.team,
                  b.binding_id IS NOT NULL AS "bound!", e.site_id = $1 AS "here!"
           FROM named
           JOIN directory.workers w ON w.worker_id = named.worker_id AND w.status = 'ACTIVE'
           JOIN directory.engagements e ON e.worker_id = w.worker_id AND e.left_at IS NULL
               AND ($5::uuid IS NULL OR e.contractor_id = $5
                   OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           ORDER BY w.worker_id, e.site_id = $1 DESC, e.site_id"#,
        site.as_uuid(),
        names,
        id_nos,
        phones,
        confined_to.map(ContractorId::as_uuid) as Option<Uuid>,
    )
    .fetch_all(&mut **tx)
    .await?;
    let row = rows.into_iter().map(|row| Row {
        person: Person {
            worker_id: row.worker_id,
            name_sealed: row.name_sealed,
            id_no_sealed: row.id_no_sealed,
            phone_sealed: row.phone_sealed,
            face_id: row.face_id,
            contractor_id: row.contractor_id,
            contractor_unknown: row.contractor_unknown,
            trade: row.trade,
            team: row.team,
            bound: row.bound,
        },
        here: row.here,
    });
    Ok(row.collect())
}
