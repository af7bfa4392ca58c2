//! The newest state of each aggregate, beside the facts.

use super::Ended;
use super::lead::{Lead, Unsent};

/// Publishes the states among the rows of one term of leadership.
pub(super) struct States;

impl States {
    /// Called with rows whose facts the stream has confirmed, before they are marked: a marked row's state is
    /// published.
    #[expect(clippy::unused_async, reason = "nothing is a state yet")]
    pub(super) async fn publish(
        &mut self,
        _lead: &mut Lead,
        _rows: &[Unsent],
    ) -> Result<(), Ended> {
        Ok(())
    }
}
