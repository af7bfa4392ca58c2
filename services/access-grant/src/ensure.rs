//! Brings grants to what tickets, trainings, faces and areas say they should be. Called whenever any of them changed;
//! calling it for nothing changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use service::{StoreError, Tx, telemetry};
use types::{AccessGroupId, AreaId, DailyTicketId, GrantId, SiteId, WorkerId};

use crate::domain::{Change, Day, DoorNames, Effect, Grant, Training, reconcile};
use crate::store::{areas, door_log, grants, trainings, workers};
use crate::wire;

/// Closes the difference on these days, for one worker or all, and tells it. The caller holds the turn of their sites
/// (see [`crate::store::lock`]) and calls it once a transaction, last.
pub async fn ensure_grants(
    tx: &mut Tx,
    days: &BTreeMap<DailyTicketId, Day>,
    worker: Option<WorkerId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ids: Vec<DailyTicketId> = days.keys().copied().collect();
    let mut held = grants::of_days(tx, &ids, worker).await?;
    let trainings = trainings::of_days(tx, &ids, worker, None).await?;
    let names = door_names(tx, days, &held, &trainings).await?;
    let mut log = Vec::new();
    for (id, day) in days {
        let trainings = trainings.get(id).map(Vec::as_slice).unwrap_or_default();
        for change in reconcile(day, trainings, held.remove(id).unwrap_or_default(), &names, now) {
            log.extend(logged(&change));
            write(tx, change, now).await?;
        }
    }
    if !log.is_empty() {
        door_log::append(tx, &log, now).await?;
    }
    Ok(())
}

async fn door_names(
    tx: &mut Tx,
    days: &BTreeMap<DailyTicketId, Day>,
    held: &BTreeMap<DailyTicketId, Vec<Grant>>,
    trainings: &BTreeMap<DailyTicketId, Vec<Training>>,
) -> Result<DoorNames, StoreError> {
    let people: BTreeSet<WorkerId> = held
        .values()
        .flatten()
        .map(|grant| grant.worker)
        .chain(trainings.values().flatten().map(|training| training.worker))
        .collect();
    if people.is_empty() {
        return Ok(DoorNames::default());
    }
    let places: BTreeSet<AreaId> = days
        .values()
        .flat_map(|day| day.areas.iter().copied())
        .chain(held.values().flatten().map(|grant| grant.area))
        .collect();
    Ok(DoorNames {
        faces: workers::faces(tx, &people.into_iter().collect::<Vec<_>>()).await?,
        groups: areas::groups(tx, &places.into_iter().collect::<Vec<_>>()).await?,
    })
}

fn logged(change: &Change) -> Vec<(SiteId, AccessGroupId, GrantId)> {
    let groups = change.left.iter().chain(&change.grant.aim.group);
    groups.map(|group| (change.grant.site, group.clone(), change.grant.id)).collect()
}

async fn write(tx: &mut Tx, change: Change, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Change { mut grant, effect, .. } = change;
    grant.traceparent = telemetry::current_traceparent();
    match effect {
        Effect::Created => {
            grants::insert(tx, &grant).await?;
            events::enqueue(tx, &wire::access_granted(&grant), now).await?;
        }
        Effect::Changed => {
            grants::save(tx, &mut grant, now).await?;
            events::enqueue(tx, &wire::access_granted(&grant), now).await?;
        }
        Effect::Revoked => {
            grants::save(tx, &mut grant, now).await?;
            events::enqueue(tx, &wire::access_revoked(&grant), now).await?;
        }
    }
    Ok(())
}
