use auth::Caller;
use chrono::{DateTime, Utc};
use decision::Decision;
use types::{AreaId, DailyTicketId, SiteId, WorkerId};

use super::{App, Error, confined, visible};
use crate::store::picture;

/// Who is expected at an instant, and who of them would be refused.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub at: DateTime<Utc>,
    /// Pairs of worker and area.
    pub expected: usize,
    pub refused: Vec<(WorkerId, AreaId, DailyTicketId, Decision)>,
}

impl App {
    /// Judges everyone whose window covers `at`, by what is known now.
    #[tracing::instrument(name = "access.outlook", skip_all, fields(site.id = %site))]
    pub async fn get_outlook(
        &self,
        caller: &Caller,
        site: SiteId,
        at: DateTime<Utc>,
    ) -> Result<Outlook, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(visible(caller, site)?).await?;
        let picture = picture::picture(&mut tx, site, None, now.min(at), at).await?;
        drop(tx);
        let mut expected = picture.expected(at);
        if let Some(contractor) = confined(caller) {
            let theirs = |id: &DailyTicketId| {
                picture
                    .days
                    .iter()
                    .any(|known| known.day.id == *id && known.day.contractor == contractor)
            };
            expected.retain(|_, day| theirs(day));
        }
        let count = expected.len();
        let judged = expected.into_iter().map(|((worker, area), day)| {
            let decision = decision::outlook(&picture.facts(Some(worker), area), now, at);
            let day = decision.because.first().copied().unwrap_or(day);
            (worker, area, day, decision)
        });
        let refused = judged.filter(|(_, _, _, decision)| !decision.allow).collect();
        Ok(Outlook { at, expected: count, refused })
    }
}
