use auth::Caller;
use chrono::{DateTime, Utc};
use decision::{Decision, Direction, DoorKnowledge};
use types::{AreaId, SiteId, WorkerId};

use super::{App, Error, confined, visible};
use crate::domain::Whom;
use crate::store::{picture, workers};

#[derive(Debug, Clone)]
pub struct Explained {
    pub decision: Decision,
    pub as_of: DateTime<Utc>,
}

impl App {
    /// What a door of the area would have said to the worker at `at` (`None`: now), by what was true then. An instant
    /// to come is judged by what is known now.
    #[tracing::instrument(name = "access.explain", skip_all, fields(worker.id = %worker, area.id = %area))]
    pub async fn explain(
        &self,
        caller: &Caller,
        site: SiteId,
        worker: WorkerId,
        area: AreaId,
        at: Option<DateTime<Utc>>,
    ) -> Result<Explained, Error> {
        let now = self.clock.now();
        let at = at.unwrap_or(now);
        let mut tx = self.store.begin(visible(caller, site)?).await?;
        if let Some(contractor) = confined(caller)
            && !workers::is_of(&mut tx, worker, contractor).await?
        {
            return Err(Error::NotFound);
        }
        if at > now {
            let picture = picture::picture(&mut tx, site, Some(worker), now, at).await?;
            let decision = decision::outlook(&picture.facts(Some(worker), area), now, at);
            return Ok(Explained { decision, as_of: at });
        }
        let facts = picture::facts_as_of(&mut tx, site, area, &Whom::Worker(worker), at).await?;
        let decision = decision::decide(&facts, at, Direction::In, DoorKnowledge::Required);
        Ok(Explained { decision, as_of: at })
    }
}
