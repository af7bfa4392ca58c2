use std::collections::BTreeSet;

use auth::{Caller, Subject};
use decision::{Decision, Direction, DoorKnowledge};
use types::{AreaId, DailyTicketId, SiteId, WorkerId};

use super::{App, Error, scope};
use crate::domain::DayState;
use crate::store::picture;

/// One area of a worker's day.
#[derive(Debug, Clone)]
pub struct Line {
    pub site: SiteId,
    pub area: AreaId,
    /// The day that answers.
    pub day: DailyTicketId,
    pub decision: Decision,
}

impl App {
    /// A worker's own pass: a line for each area of today's tickets, on each of their sites.
    #[tracing::instrument(name = "access.pass", skip_all, fields(worker.id = %worker))]
    pub async fn get_pass(&self, caller: &Caller, worker: WorkerId) -> Result<Vec<Line>, Error> {
        if caller.subject != Subject::Worker(worker) {
            return Err(Error::NotFound);
        }
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller, "a worker's pass")).await?;
        let mut lines = Vec::new();
        for site in picture::sites_of(&mut tx, worker, now).await? {
            let picture = picture::picture(&mut tx, site, Some(worker), now, now).await?;
            let open = picture
                .days
                .iter()
                .map(|known| &known.day)
                .filter(|day| day.state == DayState::Open);
            let areas: BTreeSet<(AreaId, DailyTicketId)> =
                open.flat_map(|day| day.areas.iter().map(|area| (*area, day.id))).collect();
            let mut last = None;
            for (area, day) in areas {
                if last.replace(area) == Some(area) {
                    continue;
                }
                let facts = picture.facts(Some(worker), area);
                let decision =
                    decision::decide(&facts, now, Direction::In, DoorKnowledge::Required);
                let day = decision.because.first().copied().unwrap_or(day);
                lines.push(Line { site, area, day, decision });
            }
        }
        Ok(lines)
    }
}
