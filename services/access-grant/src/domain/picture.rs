use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use decision::{Controller, Door, Facts, Identity, Person, Senses};
use types::{AreaId, DailyTicketId, FaceId, InstantWindow, SiteId, WorkerId};

use super::day::{Day, DayState, Training};

/// Who is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    Worker(WorkerId),
    /// As a door sees them.
    Face(FaceId),
}

/// What was known of one site at one instant, of one worker or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub site: SiteId,
    /// What became known later is not in it.
    pub as_of: DateTime<Utc>,
    /// Days in force at `as_of` that are among "today's" at the instant asked about.
    pub days: Vec<KnownDay>,
    pub bound: BTreeSet<WorkerId>,
    /// Areas of which every door that gave a sign said last that it cannot decide.
    pub failed_areas: BTreeSet<AreaId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDay {
    pub day: Day,
    pub live: InstantWindow,
    pub trainings: BTreeMap<WorkerId, Training>,
    /// Workers who were granted anything of this day.
    pub given: BTreeSet<WorkerId>,
    /// What a door was known to hold as it should.
    pub proved: BTreeSet<(WorkerId, AreaId)>,
}

impl Picture {
    /// What the decision needs about `worker` (`None`: a face nobody here has) at `area`.
    pub fn facts(&self, worker: Option<WorkerId>, area: AreaId) -> Facts {
        let controller = if self.failed_areas.contains(&area) {
            Controller::Failed
        } else {
            Controller::Working
        };
        let mut facts = Facts {
            site: self.site,
            area,
            person: Person::UnknownFace,
            door: Door { controller, senses: Senses::Both },
            emergency_open_until: None,
            tickets: Vec::new(),
        };
        if let Some(worker_id) = worker {
            let bound = self.bound.contains(&worker_id);
            let identity = if bound { Identity::Bound } else { Identity::Unidentified };
            facts.person = Person::Worker { worker_id, identity };
            facts.tickets =
                self.days.iter().filter_map(|known| known.ticket(worker_id, area)).collect();
        }
        facts
    }

    /// Every worker and area that a day expects at `at`, with the day; sorted.
    pub fn expected(&self, at: DateTime<Utc>) -> BTreeMap<(WorkerId, AreaId), DailyTicketId> {
        let open = self.days.iter().map(|known| &known.day);
        let open = open.filter(|day| day.state == DayState::Open && day.window.contains(at));
        let pairs = open.flat_map(|day| {
            day.workers
                .iter()
                .flat_map(|worker| day.areas.iter().map(|area| ((*worker, *area), day.id)))
        });
        pairs.collect()
    }
}

impl KnownDay {
    fn ticket(&self, worker: WorkerId, area: AreaId) -> Option<decision::DailyTicket> {
        if !self.day.workers.contains(&worker) {
            return None;
        }
        let training = self.trainings.get(&worker);
        Some(decision::DailyTicket {
            id: self.day.id,
            site: self.day.site,
            areas: self.day.areas.iter().copied().collect(),
            cancelled: matches!(self.day.state, DayState::Cancelled | DayState::Draft),
            live: self.live,
            window: self.day.window,
            deadline_at: self.day.deadline_at,
            training: decision::Training {
                completed_at: training.map(|training| training.completed_at),
                released: training.is_some_and(|training| training.released),
                given: training.is_some_and(|training| training.in_time)
                    || self.given.contains(&worker),
            },
            grant_proved: self.proved.contains(&(worker, area)),
        })
    }
}
