use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auth::Caller;
use sqlx::types::Uuid;
use tokio::time::Instant;
use types::{AccessGroupId, GrantId};

use super::{App, Error, scope};
use crate::domain::Grant;
use crate::store::door_log::{self, Extent};
use crate::store::grants;

/// The longest wait of one call.
pub const MAX_WAIT: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(500);

/// What a door should do about a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoorChange {
    Upsert(Grant),
    Remove(Grant),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorChanges {
    pub changes: Vec<DoorChange>,
    pub cursor: String,
    /// Ask again at once.
    pub more: bool,
}

/// A position: in the log, or in the first listing of all that doors should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    epoch: Uuid,
    /// Which groups it is of; another set starts anew.
    groups: u64,
    position: i64,
    listed: Option<GrantId>,
}

impl App {
    /// What changed for some groups since `cursor`, or all they should hold when there is none. Waits up to `wait` for
    /// a first change. A grant that changed twice is told once, as it now is; the same cursor answers again.
    #[tracing::instrument(name = "door.changes", skip_all)]
    pub async fn list_door_changes(
        &self,
        caller: &Caller,
        groups: &BTreeSet<AccessGroupId>,
        cursor: Option<&str>,
        limit: u32,
        wait: Duration,
    ) -> Result<DoorChanges, Error> {
        let until = Instant::now() + wait.min(MAX_WAIT);
        let mut changed = self.store.changed();
        loop {
            changed.borrow_and_update();
            let found = self.door_changes(caller, groups, cursor, i64::from(limit)).await?;
            if !found.changes.is_empty() || cursor.is_none() || Instant::now() >= until {
                return Ok(found);
            }
            let next = until.min(Instant::now() + POLL);
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    async fn door_changes(
        &self,
        caller: &Caller,
        groups: &BTreeSet<AccessGroupId>,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<DoorChanges, Error> {
        let mut tx = self.store.begin(scope(caller, "list door changes")).await?;
        let extent = door_log::extent(&mut tx, groups).await?;
        let start = Cursor {
            epoch: extent.epoch,
            groups: digest(groups),
            position: extent.last,
            listed: None,
        };
        let Some(text) = cursor else {
            return self.listing(&mut tx, groups, start, limit).await;
        };
        let cursor = Cursor::parse(text)
            .filter(|cursor| cursor.is_of(groups, extent))
            .ok_or(Error::CursorExpired)?;
        if cursor.listed.is_some() {
            return self.listing(&mut tx, groups, cursor, limit).await;
        }
        let rows = door_log::after(&mut tx, groups, cursor.position, limit + 1).await?;
        let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        let rows: Vec<_> =
            rows.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        let ids: Vec<GrantId> = rows.iter().map(|(_, id)| *id).collect();
        let grants = grants::by_ids(&mut tx, &ids).await?;
        let grants: BTreeMap<GrantId, Grant> =
            grants.into_iter().map(|grant| (grant.id, grant)).collect();
        let now = self.clock.now();
        let held = |grant: &Grant| {
            let here = grant.aim.group.as_ref().is_some_and(|group| groups.contains(group));
            here && grant.is_live() && grant.aim.is_complete() && grant.aim.window.end > now
        };
        let change = |(_, id): &(i64, GrantId)| {
            let grant = grants.get(id)?.clone();
            Some(if held(&grant) { DoorChange::Upsert(grant) } else { DoorChange::Remove(grant) })
        };
        let changes = rows.iter().filter_map(change).collect();
        let last = rows.last().map_or(extent.last.max(extent.cut_at), |(position, _)| *position);
        let cursor = Cursor { position: cursor.position.max(last), ..cursor };
        Ok(DoorChanges { changes, cursor: cursor.to_string(), more })
    }

    async fn listing(
        &self,
        tx: &mut service::Tx,
        groups: &BTreeSet<AccessGroupId>,
        cursor: Cursor,
        limit: i64,
    ) -> Result<DoorChanges, Error> {
        let now = self.clock.now();
        let ids = door_log::held(tx, groups, cursor.listed, now, limit + 1).await?;
        let more = ids.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        let page: Vec<GrantId> =
            ids.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        let listed = if more { page.last().copied() } else { None };
        let changes =
            grants::by_ids(tx, &page).await?.into_iter().map(DoorChange::Upsert).collect();
        Ok(DoorChanges { changes, cursor: Cursor { listed, ..cursor }.to_string(), more })
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let cursor = Self {
            epoch: Uuid::try_parse(parts.next()?).ok()?,
            groups: u64::from_str_radix(parts.next()?, 16).ok()?,
            position: parts.next()?.parse().ok()?,
            listed: match parts.next() {
                None => None,
                Some(id) => Some(id.parse().ok()?),
            },
        };
        parts.next().is_none().then_some(cursor)
    }

    fn is_of(&self, groups: &BTreeSet<AccessGroupId>, extent: Extent) -> bool {
        let known = extent.cut_at..=extent.last.max(extent.cut_at);
        self.epoch == extent.epoch
            && self.groups == digest(groups)
            && known.contains(&self.position)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:016x}.{}", self.epoch, self.groups, self.position)?;
        match self.listed {
            Some(id) => write!(f, ".{id}"),
            None => Ok(()),
        }
    }
}

/// FNV-1a over the groups' names: the same in every build, unlike the standard library's hasher.
fn digest(groups: &BTreeSet<AccessGroupId>) -> u64 {
    let bytes = groups.iter().flat_map(|group| group.as_str().bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
