use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{PassageId, ReasonCode, SiteId};

/// Why a door refused, computed as of the event's time.
#[derive(Debug, Clone)]
pub(crate) struct Explanation {
    pub(crate) passage: PassageId,
    pub(crate) site: SiteId,
    pub(crate) reason: ReasonCode,
    pub(crate) detail: String,
    pub(crate) as_of: Option<DateTime<Utc>>,
}

/// Keeps the first explanation of a passage, whether the passage is here yet or not.
pub(crate) async fn keep(tx: &mut Tx, explanation: &Explanation) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO device.explanations (passage_id, site_id, reason_code, detail, as_of)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (passage_id) DO NOTHING",
        explanation.passage.as_uuid(),
        explanation.site.as_uuid(),
        explanation.reason.as_str(),
        explanation.detail,
        explanation.as_of,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
