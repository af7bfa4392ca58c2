//! Looking entries up, newest first.

use std::ops::Range;

use service::{StoreError, Tx};
use types::SiteId;

use super::entries::{Row, number, sealed};
use crate::domain::{Filter, Place, Sealed, between};

/// The newest entries of a site that match, below a place when given.
pub(crate) async fn list(
    tx: &mut Tx,
    site: SiteId,
    filter: &Filter,
    below: Option<Place>,
    limit: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let Range { start: from, end } = between(filter.from, filter.to);
    // One bound above: of two the index would be entered at the one that says less. Positions begin with 1.
    let place =
        below.map(|place| Ok::<_, StoreError>((place.at, number(place.position)?))).transpose()?;
    let below = place.map_or((end, 0), |place| place.min((end, 0)));

    /// One statement for each filter, or two, that lead, so that the plan of a prepared statement walks their index
    /// whatever the others are. Times and places are always given: behind row-level security a `coalesce` is no index
    /// condition but a filter, and every newer entry would be read.
    macro_rules! newest {
        ($wanted:tt) => {
            sqlx::query_as!(
                Row,
                "SELECT site_id, position, event_id, event_type, actor, role, action, target_type, target_id, before,
                     after, reason, address, trace_id, at, previous_hash, hash
                 FROM audit.entries
                 WHERE site_id = $1 AND " + $wanted + "
                     AND at >= $6 AND (at, position) < ($7, $8)
                 ORDER BY at DESC, position DESC LIMIT $9",
                site.as_uuid(),
                filter.target_id,
                filter.actor,
                filter.action,
                filter.target_type,
                from,
                below.0,
                below.1,
                limit,
            )
            .fetch_all(&mut **tx)
            .await?
        };
    }

    let Filter { target_id, actor, action, target_type, .. } = filter;
    let rows = match (target_id, actor, action, target_type) {
        // Of one thing there is never much.
        (Some(_), ..) => newest!(
            "target_id = $2 AND ($3::text IS NULL OR actor = $3)
             AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR target_type = $5)"
        ),
        // An action has its kind of target: a third filter leaves all or nothing.
        (None, Some(_), Some(_), _) => newest!(
            "$2::text IS NULL AND actor = $3 AND action = $4
             AND ($5::text IS NULL OR target_type = $5)"
        ),
        (None, Some(_), None, Some(_)) => newest!(
            "$2::text IS NULL AND $4::text IS NULL
             AND actor = $3 AND target_type = $5"
        ),
        (None, Some(_), None, None) => newest!(
            "$2::text IS NULL AND $4::text IS NULL AND $5::text IS NULL
             AND actor = $3"
        ),
        (None, None, Some(_), Some(_)) => newest!(
            "$2::text IS NULL AND $3::text IS NULL
             AND action = $4 AND target_type = $5"
        ),
        (None, None, Some(_), None) => newest!(
            "$2::text IS NULL AND $3::text IS NULL AND $5::text IS NULL
             AND action = $4"
        ),
        (None, None, None, Some(_)) => newest!(
            "$2::text IS NULL AND $3::text IS NULL AND $4::text IS NULL
             AND target_type = $5"
        ),
        (None, None, None, None) => newest!(
            "$2::text IS NULL AND $3::text IS NULL AND $4::text IS NULL
             AND $5::text IS NULL"
        ),
    };
    rows.into_iter().map(sealed).collect()
}
