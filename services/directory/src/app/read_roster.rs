use std::collections::{HashMap, HashSet};

use auth::Caller;
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::WorkerChanged;
use serde_json::json;
use service::Scope;
use types::{ContractorId, SiteId, WorkerId};

use super::take_in::Taken;
use super::{App, Error, fact, personal};
use crate::domain::{
    Engagement, Followed, ReadingEnd, ReadingId, ReadingKind, RosterChange, RosterEntry, Worker,
};
use crate::realname::{Listed, Pulled};
use crate::store::rosters::{Begin, Brought};
use crate::{store, wire};

/// People written in one transaction: few enough not to hold their rows for long.
const BATCH: usize = 500;
pub(super) const ROSTER: Scope = Scope::System("a worker's engagements of every site");
/// A reading that has not ended by then has died with its process.
const LONGEST: TimeDelta = TimeDelta::minutes(2);
/// How long what a reading found is kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// One person of the roster, with what it is compared by.
pub(super) type Person = (RosterEntry, Listed);

#[derive(Debug, Clone, Copy)]
pub(super) struct ReadRoster {
    pub site: SiteId,
    pub kind: ReadingKind,
    /// Whether a reading that is under way gives way; else this one does.
    pub overtakes: bool,
}

/// A reading that was written whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub reading: ReadingId,
    pub at: DateTime<Utc>,
    pub brought: Brought,
}

/// A reading under way: what it writes is written while no newer one has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Underway {
    pub site: SiteId,
    pub reading: ReadingId,
    pub kind: ReadingKind,
    pub epoch: i64,
}

impl App {
    /// Reads the roster of a site that is there. The answer is read whole before anything is written. What came of it
    /// is written down, also where nothing did; `None` where the reading gave way to another.
    pub(super) async fn read_roster(
        &self,
        caller: &Caller,
        wanted: ReadRoster,
    ) -> Result<Option<Read>, Error> {
        let ReadRoster { site, kind, overtakes } = wanted;
        let (at, now) = (self.clock.now(), self.system.now());
        let reading = ReadingId::new();
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let begin = Begin { at, now, busy_until: now + LONGEST, overtakes };
        let Some(epoch) = store::rosters::begin(&mut tx, site, begin).await? else {
            return Ok(None);
        };
        store::readings::begin(&mut tx, site, (reading, kind), caller.account_id(), at).await?;
        let contractors = store::contractors::by_name(&mut tx, site).await?;
        tx.commit().await?;

        let underway = Underway { site, reading, kind, epoch };
        match self.pull_and_write(caller, underway, &contractors).await {
            Ok((at, brought)) => Ok(Some(Read { reading, at, brought })),
            Err(err) => {
                if let Err(unwritten) = self.give_up(underway, &err).await {
                    tracing::warn!(error = %unwritten, "the end of a reading was not written down");
                }
                Err(err)
            }
        }
    }

    async fn pull_and_write(
        &self,
        caller: &Caller,
        underway: Underway,
        contractors: &HashMap<String, ContractorId>,
    ) -> Result<(DateTime<Utc>, Brought), Error> {
        let Ok(pulled) = self.realname.pull(underway.kind).await else {
            return Err(self.roster_away(underway.site).await?);
        };
        let Pulled { present, left, left_out, newest } = pulled;
        let people = self.distinct(present, underway.site, contractors);
        let mut taken = Taken::default();
        for batch in people.chunks(BATCH) {
            taken.add(self.take_in_patiently(underway, batch).await?);
        }
        let mut brought = Brought { left_out, ..taken.brought };
        let at = self.finish(caller, underway, &taken.seen, &left, newest, &mut brought).await?;
        Ok((at, brought))
    }

    /// The refusal of who asked for the roster while the real-name system is away: how old the one we have is.
    async fn roster_away(&self, site: SiteId) -> Result<Error, Error> {
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        Ok(Error::RosterAway { synced_at: store::rosters::synced_at(&mut tx, site).await? })
    }

    async fn give_up(&self, underway: Underway, err: &Error) -> Result<(), Error> {
        let end = match err {
            Error::RosterAway { .. } => ReadingEnd::Away,
            Error::SyncOvertaken => ReadingEnd::Overtaken,
            _ => ReadingEnd::Failed,
        };
        let Underway { site, reading, epoch, .. } = underway;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        store::readings::end(&mut tx, reading, end, Brought::default(), self.clock.now()).await?;
        store::rosters::release(&mut tx, site, epoch).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everybody once: the first of those who cannot be told apart.
    fn distinct(
        &self,
        listed: Vec<Listed>,
        site: SiteId,
        contractors: &HashMap<String, ContractorId>,
    ) -> Vec<Person> {
        let mut known = HashSet::new();
        let mut people = Vec::with_capacity(listed.len());
        for listed in listed {
            let keys = personal::keys(&self.vault, &listed);
            let by =
                keys.id_no.clone().map_or_else(|| Err((keys.name.clone(), keys.phone.clone())), Ok);
            if !known.insert(by) {
                continue;
            }
            let engagement = Engagement {
                site,
                contractor: contractors.get(&listed.contractor_name).copied(),
                trade: listed.trade.clone(),
                team: listed.team.clone(),
                until: listed.exit_date,
            };
            let photo = personal::photo_index(&self.vault, &listed);
            let face = listed.face.clone();
            people.push((RosterEntry { keys, face, photo, engagement }, listed));
        }
        people
    }

    /// Lets those go whom the roster no longer has, and records the reading.
    async fn finish(
        &self,
        caller: &Caller,
        underway: Underway,
        seen: &HashSet<WorkerId>,
        left: &[Listed],
        newest: Option<DateTime<Utc>>,
        brought: &mut Brought,
    ) -> Result<DateTime<Utc>, Error> {
        let Underway { site, reading, kind, epoch } = underway;
        let now = self.clock.now();
        let mut tx = self.store.begin(ROSTER).await?;
        if !store::rosters::hold(&mut tx, site, epoch).await? {
            return Err(Error::SyncOvertaken);
        }
        let engaged = store::workers::engaged(&mut tx, site).await?;
        let gone: Vec<WorkerId> = match kind {
            ReadingKind::Whole if seen.is_empty() && !engaged.is_empty() => {
                // A site that everybody left at once is less likely than a system that lost its data.
                tracing::warn!("the real-name system answered a roster of nobody");
                drop(tx);
                return Err(self.roster_away(site).await?);
            }
            ReadingKind::Whole => {
                engaged.into_iter().filter(|worker| !seen.contains(worker)).collect()
            }
            ReadingKind::Changes { .. } => {
                let keys: Vec<_> = left
                    .iter()
                    .flat_map(|listed| personal::all_keys(&self.vault, listed))
                    .collect();
                let named = store::workers::find(&mut tx, &keys.iter().collect::<Vec<_>>()).await?;
                let gone = named.into_iter().filter(|worker| !seen.contains(worker));
                gone.filter(|worker| engaged.contains(worker)).collect()
            }
        };
        store::workers::lock(&mut tx, &gone).await?;
        let mut workers = store::workers::load(&mut tx, &gone).await?;
        workers.retain_mut(|worker| worker.leave(site) == Followed::Changed);
        brought.gone = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        store::workers::disengage(&mut tx, site, &gone, now).await?;
        store::workers::save_state(&mut tx, &workers.iter().collect::<Vec<_>>()).await?;
        events::enqueue_all(&mut tx, &changed(&workers), now).await?;
        let noted: Vec<_> = workers.iter().map(|worker| (worker.id, RosterChange::Gone)).collect();
        store::readings::note(&mut tx, site, reading, &noted).await?;
        store::rosters::finish(&mut tx, site, kind, *brought, newest, now).await?;
        store::readings::end(&mut tx, reading, ReadingEnd::Done, *brought, now).await?;
        store::readings::forget(&mut tx, site, now - KEPT).await?;
        // What time asks for and what brings nothing is no command.
        if caller.account_id().is_some() || brought.added + brought.changed + brought.gone > 0 {
            let mut record = fact(caller, "worker.sync", "site", site.to_string(), now);
            record.site = Some(site);
            record.after = Some(json!({
                "reading_id": reading.to_string(), "kind": kind.as_str(),
                "added": brought.added, "changed": brought.changed, "gone": brought.gone,
            }));
            events::audit(&mut tx, record).await?;
        }
        tx.commit().await?;
        Ok(now)
    }
}

pub(super) fn changed(workers: &[Worker]) -> Vec<WorkerChanged> {
    workers.iter().map(|worker| WorkerChanged { worker: Some(wire::worker(worker)) }).collect()
}
