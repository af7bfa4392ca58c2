use auth::{Caller, Subject};
use chrono::{DateTime, Utc};
use decision::{Controller, Decision, Direction, DoorKnowledge, Person, Senses};
use sqlx::types::Uuid;
use types::{AreaId, DeviceId, EventId, FaceId, SiteId};

use super::{App, Error, visible};
use crate::domain::Whom;
use crate::store::{decisions, devices, picture};

/// What a door asks.
#[derive(Debug, Clone)]
pub struct Ask {
    pub device: DeviceId,
    pub site: SiteId,
    pub area: AreaId,
    pub face: FaceId,
    pub direction: Direction,
    /// By the device's clock: recorded, never decided by.
    pub asked_at: Option<DateTime<Utc>>,
    /// The device tells no directions: both ways are controlled.
    pub controlled_both_ways: bool,
}

#[derive(Debug, Clone)]
pub struct Decided {
    pub id: Uuid,
    pub decision: Decision,
}

impl App {
    /// Decides by the site clock and what is known now. Whatever is not known refuses. Asking twice decides twice, and
    /// each decision is kept with its facts.
    #[tracing::instrument(name = "access.decide", skip_all, fields(area.id = %ask.area))]
    pub async fn decide(&self, caller: &Caller, ask: Ask) -> Result<Decided, Error> {
        if matches!(&caller.subject, Subject::Device(own) if *own != ask.device) {
            return Err(Error::NotFound);
        }
        let now = self.clock.now();
        let mut tx = self.store.begin(visible(caller, ask.site)?).await?;
        let whom = Whom::Face(ask.face.clone());
        let mut facts = picture::facts_as_of(&mut tx, ask.site, ask.area, &whom, now).await?;
        // A door that asks is at work.
        facts.door.controller = Controller::Working;
        facts.door.senses = if ask.controlled_both_ways {
            Senses::None
        } else {
            devices::senses(&mut tx, &ask.device).await?
        };
        let decision = decision::decide(&facts, now, ask.direction, DoorKnowledge::Ignored);
        let id = EventId::new().as_uuid();
        let worker = match facts.person {
            Person::Worker { worker_id, .. } => Some(worker_id),
            Person::UnknownFace => None,
        };
        let decided = decisions::Decided {
            id,
            site: ask.site,
            area: ask.area,
            device: &ask.device,
            face: &ask.face,
            worker,
            direction: if ask.direction == Direction::In { "IN" } else { "OUT" },
            asked_at: ask.asked_at,
            decided_at: now,
            facts: &facts,
            decision: &decision,
        };
        decisions::keep_decision(&mut tx, decided).await?;
        tx.commit().await?;
        let reason = decision.reason.map_or("NONE", types::ReasonCode::as_str);
        metrics::counter!("sitepass_decisions_total", "reason" => reason).increment(1);
        Ok(Decided { id, decision })
    }
}
