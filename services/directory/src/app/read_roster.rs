use std::collections::{HashMap, HashSet};

use auth::Caller;
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::WorkerChanged;
use serde_json::json;
use service::{Scope, StoreError, Tx};
use types::{ContractorId, SiteId, WorkerId};

use super::{App, CONTEXT, Error, fact, personal};
use crate::domain::{
    Employer, Engagement, Followed, Index, ReadingEnd, ReadingId, ReadingKind, RosterChange,
    RosterEntry, Worker, is_of_site, is_suspect,
};
use crate::realname::{Listed, Pulled};
use crate::store::readings::Ended;
use crate::store::rosters::{Begin, Brought, Project};
use crate::{store, wire};

/// People written in one transaction: few enough not to hold their rows for long.
const BATCH: usize = 500;
pub(super) const ROSTER: Scope = Scope::System("a worker's engagements of every site");
/// A reading that has neither ended by then nor asked for as long again has died with its process.
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
    /// Whether the roster is believed however many it lacks: a person has said so.
    pub accept_departures: bool,
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
    accept_departures: bool,
    /// How many people the site had when it began.
    held: usize,
}

/// The contractors of the site, as the roster calls them.
type Contractors = HashMap<String, ContractorId>;

/// Who was listed: by identity number, or where there is none by name and phone.
type Known = HashSet<Result<Index, (Index, Option<Index>)>>;

/// What a reading was answered besides the people it took in.
struct Rest<'a> {
    seen: HashSet<WorkerId>,
    left: Vec<Listed>,
    left_out: u32,
    newest: Option<DateTime<Utc>>,
    /// By whose names the people were taken in.
    contractors: &'a Contractors,
}

impl App {
    /// Reads the roster of a site that is there. The answer is read whole before anything is written, and once more
    /// where it came in pages and before a whole one lets anybody go. What came of it is written down, also where
    /// nothing did or the service stops meanwhile; `None` where the reading gave way to another.
    pub(super) async fn read_roster(
        &self,
        caller: &Caller,
        wanted: ReadRoster,
    ) -> Result<Option<Read>, Error> {
        let ReadRoster { site, kind, overtakes, accept_departures } = wanted;
        let (at, now) = (self.clock.now(), self.system.now());
        let reading = ReadingId::new();
        let mut tx = self.store.begin(ROSTER).await?;
        let project = store::rosters::project(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let begin = Begin { at, now, busy_until: now + LONGEST, overtakes };
        let Some(epoch) = store::rosters::begin(&mut tx, site, begin).await? else {
            return Ok(None);
        };
        let asked_by = caller.account_id();
        let overtaken =
            store::readings::begin(&mut tx, site, (reading, kind), asked_by, at).await?;
        // Nobody else is left who would tell what they changed.
        for ended in overtaken.iter().filter(|ended| ended.brought.news() > 0) {
            record(&mut tx, &Caller::service(CONTEXT), site, ended, None, at).await?;
        }
        let held = store::workers::engaged(&mut tx, site).await?.len();
        let contractors = store::contractors::by_name(&mut tx, site).await?;
        tx.commit().await?;

        let underway = Underway { site, reading, kind, epoch, accept_departures, held };
        let read = tokio::select! {
            biased;
            read = self.pull_and_write(caller, underway, &project, &contractors) => read,
            () = self.tasks.cancelled() => Err(Error::Stopping),
        };
        match read {
            Ok(read) => Ok(Some(read)),
            Err(err) => {
                if let Err(unwritten) = self.give_up(caller, underway, &err).await {
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
        project: &Project,
        contractors: &Contractors,
    ) -> Result<Read, Error> {
        let Underway { site, kind, .. } = underway;
        if !is_of_site(&project.code, project.others) {
            let mut tx = self.store.begin(Scope::Site(site)).await?;
            let synced_at = store::rosters::synced_at(&mut tx, site).await?;
            return Err(Error::ProjectNeeded { synced_at });
        }
        let Pulled { present, mut left, left_out, mut newest, in_pages } =
            self.pull(underway, project).await?;
        let (mut known, mut seen) = (Known::new(), HashSet::new());
        let people = self.distinct(present, site, contractors, &mut known);
        self.take_in_all(underway, &people, &mut seen).await?;
        if in_pages || (kind == ReadingKind::Whole && self.lacks_anybody(site, &seen).await?) {
            // One who leaves while another joins keeps the roster's length and moves its rows: somebody may have
            // slipped from one page to another, and no later change would name them. Whoever is on either answer
            // stays.
            self.renew(underway).await?;
            let again = self.pull(underway, project).await?;
            let missed = self.distinct(again.present, site, contractors, &mut known);
            self.take_in_all(underway, &missed, &mut seen).await?;
            left.extend(again.left);
            // The second answer is not looked at for those on the first: what became of them since is asked for again.
            newest = newest.zip(again.newest).map(|(first, second)| first.min(second));
        }
        self.finish(caller, underway, Rest { seen, left, left_out, newest, contractors }).await
    }

    async fn pull(&self, underway: Underway, project: &Project) -> Result<Pulled, Error> {
        let Underway { site, kind, .. } = underway;
        if let Ok(pulled) = self.realname.pull(&project.code, kind, self.system.now()).await {
            return Ok(pulled);
        }
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        Err(Error::RosterAway { synced_at })
    }

    /// Gives the reading as long again, unless a newer one has begun.
    async fn renew(&self, underway: Underway) -> Result<(), Error> {
        let Underway { site, epoch, .. } = underway;
        let busy_until = self.system.now() + LONGEST;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        if !store::rosters::renew(&mut tx, site, epoch, busy_until).await? {
            return Err(Error::SyncOvertaken);
        }
        tx.commit().await?;
        Ok(())
    }

    async fn take_in_all(
        &self,
        underway: Underway,
        people: &[Person],
        seen: &mut HashSet<WorkerId>,
    ) -> Result<(), Error> {
        for batch in people.chunks(BATCH) {
            seen.extend(self.take_in_patiently(underway, batch).await?);
        }
        Ok(())
    }

    /// Whether a whole roster on which these were seen would let anybody go.
    async fn lacks_anybody(&self, site: SiteId, seen: &HashSet<WorkerId>) -> Result<bool, Error> {
        let mut tx = self.store.begin(ROSTER).await?;
        let engaged = store::workers::engaged(&mut tx, site).await?;
        Ok(engaged.iter().any(|worker| !seen.contains(worker)))
    }

    /// Writes down how far a reading came that goes no further, and leaves the record of whom it has changed.
    async fn give_up(&self, caller: &Caller, underway: Underway, err: &Error) -> Result<(), Error> {
        let end = match err {
            Error::RosterAway { .. } => ReadingEnd::Away,
            Error::RosterSuspect { .. } => ReadingEnd::Suspect,
            Error::ProjectNeeded { .. } => ReadingEnd::NoProject,
            Error::SyncOvertaken => ReadingEnd::Overtaken,
            _ => ReadingEnd::Failed,
        };
        let Underway { site, reading, epoch, accept_departures, .. } = underway;
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let ended = store::readings::end(&mut tx, reading, end, now).await?;
        if let Some(ended) = ended.filter(|ended| ended.brought.news() > 0) {
            record(&mut tx, caller, site, &ended, Some(accept_departures), now).await?;
        }
        store::rosters::release(&mut tx, site, epoch).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everybody once who is not `known` yet: the first of those who cannot be told apart.
    fn distinct(
        &self,
        listed: Vec<Listed>,
        site: SiteId,
        contractors: &Contractors,
        known: &mut Known,
    ) -> Vec<Person> {
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
                employer: employer(&listed.contractor_name, contractors),
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
        rest: Rest<'_>,
    ) -> Result<Read, Error> {
        let Underway { site, reading, kind, epoch, accept_departures, held } = underway;
        let Rest { seen, left, left_out, newest, contractors } = rest;
        let now = self.clock.now();
        let mut tx = self.store.begin(ROSTER).await?;
        if !store::rosters::hold(&mut tx, site, epoch).await? {
            return Err(Error::SyncOvertaken);
        }
        let engaged = store::workers::engaged(&mut tx, site).await?;
        let gone: Vec<WorkerId> = match kind {
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
        // Only a whole roster says by silence who is gone.
        let whole = kind == ReadingKind::Whole;
        if whole && !accept_departures && is_suspect(seen.len(), held, gone.len()) {
            tracing::warn!(held, gone = gone.len(), "the roster lacks most of a site's people");
            let synced_at = store::rosters::synced_at(&mut tx, site).await?;
            return Err(Error::RosterSuspect { synced_at, held, gone: gone.len() });
        }
        store::workers::lock(&mut tx, &gone).await?;
        let mut workers = store::workers::load(&mut tx, &gone).await?;
        let of_site = store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let today = of_site.zone.date_at(now);
        workers.retain_mut(|worker| worker.leave(site, today) == Followed::Changed);
        store::workers::disengage(&mut tx, site, &gone, now).await?;
        store::workers::save_state(&mut tx, &workers.iter().collect::<Vec<_>>()).await?;
        events::enqueue_all(&mut tx, &changed(&workers), now).await?;
        let noted: Vec<_> = workers.iter().map(|worker| (worker.id, RosterChange::Gone)).collect();
        store::readings::note(&mut tx, site, reading, &noted).await?;
        let gone = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        let brought = Brought { gone, left_out, ..Brought::default() };
        store::readings::tally(&mut tx, reading, brought).await?;
        let ended = store::readings::end(&mut tx, reading, ReadingEnd::Done, now).await?;
        let ended = ended.ok_or(Error::SyncOvertaken)?;
        let brought = ended.brought;
        // Whoever became a contractor of the site meanwhile finds their people by another whole one.
        let settled = store::contractors::by_name(&mut tx, site).await? == *contractors;
        store::rosters::finish(&mut tx, site, (kind, settled), brought, newest, now).await?;
        store::readings::forget(&mut tx, site, now - KEPT).await?;
        // What time asks for and what brings nothing is no command.
        if caller.account_id().is_some() || brought.news() > 0 {
            record(&mut tx, caller, site, &ended, Some(accept_departures), now).await?;
        }
        tx.commit().await?;
        Ok(Read { reading, at: now, brought })
    }
}

/// Of a reading that has ended. Of one that ended unseen it is not known whether its departures were accepted; it let
/// nobody go.
async fn record(
    tx: &mut Tx,
    caller: &Caller,
    site: SiteId,
    ended: &Ended,
    accept_departures: Option<bool>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Ended { reading, kind, asked_by, end, brought } = ended;
    let mut record = fact(caller, "worker.sync", "site", site.to_string(), at);
    record.site = Some(site);
    record.after = Some(json!({
        "reading_id": reading.to_string(), "kind": kind, "asked_by": asked_by, "outcome": end.as_str(),
        "added": brought.added, "changed": brought.changed, "gone": brought.gone,
        "accept_departures": accept_departures,
    }));
    events::audit(tx, record).await?;
    Ok(())
}

fn employer(name: &str, contractors: &Contractors) -> Employer {
    match contractors.get(name) {
        Some(contractor) => Employer::Contractor(*contractor),
        None if name.is_empty() => Employer::Nobody,
        None => Employer::Unknown,
    }
}

pub(super) fn changed(workers: &[Worker]) -> Vec<WorkerChanged> {
    workers.iter().map(|worker| WorkerChanged { worker: Some(wire::worker(worker)) }).collect()
}
