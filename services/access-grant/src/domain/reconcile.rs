//! Level, not edge: compares the grants a day should have with those it has, and closes the difference. Running it
//! again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use types::{AccessGroupId, AreaId, FaceId, GrantId, WorkerId};

use super::day::{Day, Training};
use super::grant::{Aim, Grant, RevokeReason, State};

/// A grant that changed, to be saved and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub grant: Grant,
    pub effect: Effect,
    /// The group whose doors held it until now, if it is another one than the grant's.
    pub left: Option<AccessGroupId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// New.
    Created,
    /// Live again, or with another window, face or group.
    Changed,
    Revoked,
}

/// What doors know of people and areas.
#[derive(Debug, Clone, Default)]
pub struct DoorNames {
    pub faces: BTreeMap<WorkerId, FaceId>,
    pub groups: BTreeMap<AreaId, AccessGroupId>,
}

impl DoorNames {
    fn aim(&self, day: &Day, worker: WorkerId, area: AreaId) -> Aim {
        Aim {
            window: day.window,
            zone: day.zone,
            face: self.faces.get(&worker).cloned(),
            group: self.groups.get(&area).cloned(),
        }
    }
}

/// The changes that bring `held` (every grant of the day, ended ones too) to what the day and its trainings earn.
/// What was given stays given while worker and area stay on the day, whatever becomes of the deadline; only a training
/// that was reopened takes it back.
pub fn reconcile(
    day: &Day,
    trainings: &[Training],
    held: Vec<Grant>,
    names: &DoorNames,
    now: DateTime<Utc>,
) -> Vec<Change> {
    let earned: BTreeSet<WorkerId> = trainings
        .iter()
        .filter(|training| day.earns(training))
        .map(|training| training.worker)
        .collect();
    let reopened: BTreeSet<WorkerId> = trainings
        .iter()
        .filter(|training| training.reopened)
        .map(|training| training.worker)
        .collect();
    let mut missing: BTreeSet<(WorkerId, AreaId)> = earned
        .iter()
        .flat_map(|worker| day.areas.iter().map(|area| (*worker, *area)))
        .filter(|(worker, area)| day.bars(*worker, *area).is_none())
        .collect();
    let mut changes = Vec::new();
    for mut grant in held {
        missing.remove(&(grant.worker, grant.area));
        let old_group = grant.aim.group.clone();
        let aim = names.aim(day, grant.worker, grant.area).or_known(&grant.aim);
        let effect = match day.bars(grant.worker, grant.area) {
            Some(reason) => grant.revoke(reason, now).then_some(Effect::Revoked),
            None if reopened.contains(&grant.worker) => {
                grant.revoke(RevokeReason::TrainingReopened, now).then_some(Effect::Revoked)
            }
            None if grant.is_live() => grant.aim_at(aim, now).then_some(Effect::Changed),
            None if earned.contains(&grant.worker) && now < day.window.end => {
                grant.revive(aim, now).then_some(Effect::Changed)
            }
            None => None,
        };
        if let Some(effect) = effect {
            let left = old_group.filter(|group| Some(group) != grant.aim.group.as_ref());
            changes.push(Change { grant, effect, left });
        }
    }
    if now < day.window.end {
        changes.extend(missing.into_iter().map(|(worker, area)| Change {
            grant: create(day, worker, area, names, now),
            effect: Effect::Created,
            left: None,
        }));
    }
    changes
}

fn create(
    day: &Day,
    worker: WorkerId,
    area: AreaId,
    names: &DoorNames,
    now: DateTime<Utc>,
) -> Grant {
    let mut grant = Grant {
        id: GrantId::new(),
        site: day.site,
        contractor: day.contractor,
        ticket: day.ticket,
        day: day.id,
        worker,
        area,
        aim: names.aim(day, worker, area),
        revision: 1,
        state: State::Pending,
        created_at: now,
        sent_at: None,
        proved_at: None,
        attempts: 0,
        last_error: None,
        due_at: None,
        traceparent: None,
        version: 1,
    };
    grant.schedule(now);
    grant
}

#[cfg(test)]
mod tests;
