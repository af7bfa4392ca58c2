//! Which of several tickets answers for a refusal.

use std::cmp::{Ordering, Reverse};

use chrono::{DateTime, Utc};

use crate::{Detail, Failing};

/// The greater one answers: the one whose first failing condition comes latest; of two alike, whose next one does, and one
/// without a next one is better still; at last, the one that opens soonest or closed last.
pub(crate) fn compare(left: &[Failing], right: &[Failing]) -> Ordering {
    for (one, other) in left.iter().zip(right) {
        let by_reason = one.reason.cmp(&other.reason);
        if by_reason.is_ne() {
            return by_reason;
        }
    }
    let fewer = right.len().cmp(&left.len());
    fewer.then_with(|| left.last().map(nearness).cmp(&right.last().map(nearness)))
}

fn nearness(failing: &Failing) -> (Option<Reverse<DateTime<Utc>>>, Option<DateTime<Utc>>) {
    match failing.detail {
        Detail::TooEarly { opens_at } => (Some(Reverse(opens_at)), None),
        Detail::TooLate { closed_at } => (None, Some(closed_at)),
        _ => (None, None),
    }
}
