use std::collections::{HashMap, HashSet};

use auth::Caller;
use chrono::{DateTime, Utc};
use proto::directory::v1::{SyncWorkersResponse, WorkerChanged};
use serde_json::json;
use service::{Scope, StoreError};
use types::{ContractorId, SiteId, WorkerId};

use super::{App, Error, confined, fact, personal};
use crate::domain::{Engagement, Followed, Index, RosterEntry, Worker};
use crate::realname::Listed;
use crate::store::rosters::Brought;
use crate::store::workers::Sealed;
use crate::{store, wire};

/// People written in one transaction: few enough not to hold their rows for long.
const BATCH: usize = 500;
/// Another site's reading may meet the same people.
const ATTEMPTS: u32 = 3;
const ROSTER: Scope = Scope::System("a worker's engagements of every site");

/// One person of the roster, with what it is compared by.
type Person = (RosterEntry, Listed);

impl App {
    /// Brings the site's people up to what the real-name system says. It is read whole before anything is written;
    /// while it is away the last roster stays. Of two at once the later one is written, the other is refused.
    #[tracing::instrument(name = "worker.sync", skip_all, fields(site.id = %site))]
    pub(crate) async fn sync_workers(
        &self,
        caller: &Caller,
        site: SiteId,
    ) -> Result<SyncWorkersResponse, Error> {
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let epoch = store::rosters::begin(&mut tx, site).await?;
        let contractors = store::contractors::by_name(&mut tx, site).await?;
        tx.commit().await?;

        let listed = self.realname.everybody().await.map_err(|_| Error::Upstream("realname"))?;
        let people = self.distinct(listed, site, &contractors);
        let mut brought = Brought::default();
        let mut seen = HashSet::with_capacity(people.len());
        for batch in people.chunks(BATCH) {
            seen.extend(self.take_in_patiently(site, epoch, batch, &mut brought).await?);
        }
        let at = self.finish(caller, site, epoch, &seen, &mut brought).await?;
        let Brought { added, changed, unchanged, gone } = brought;
        Ok(SyncWorkersResponse {
            added,
            changed,
            unchanged,
            gone,
            synced_at: Some(proto::timestamp(at)),
        })
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
            };
            people.push((RosterEntry { keys, face: listed.face.clone(), engagement }, listed));
        }
        people
    }

    async fn take_in_patiently(
        &self,
        site: SiteId,
        epoch: i64,
        batch: &[Person],
        brought: &mut Brought,
    ) -> Result<Vec<WorkerId>, Error> {
        let mut attempt = 1;
        loop {
            match self.take_in(site, epoch, batch).await {
                Ok((ids, of_batch)) => {
                    brought.added += of_batch.added;
                    brought.changed += of_batch.changed;
                    brought.unchanged += of_batch.unchanged;
                    return Ok(ids);
                }
                Err(Error::Store(err)) if attempt < ATTEMPTS && met_another(&err) => attempt += 1,
                Err(err) => return Err(err),
            }
        }
    }

    async fn take_in(
        &self,
        site: SiteId,
        epoch: i64,
        batch: &[Person],
    ) -> Result<(Vec<WorkerId>, Brought), Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(ROSTER).await?;
        if !store::rosters::hold(&mut tx, site, epoch).await? {
            return Err(Error::SyncOvertaken);
        }
        let keys: Vec<_> = batch.iter().map(|(entry, _)| &entry.keys).collect();
        let found = store::workers::find(&mut tx, &keys).await?;
        store::workers::lock(&mut tx, &found).await?;
        let mut known = Known::new(store::workers::load(&mut tx, &found).await?);

        let mut brought = Brought::default();
        let mut ids = Vec::with_capacity(batch.len());
        let mut changed: Vec<Sealed> = Vec::new();
        for (entry, listed) in batch {
            let worker = match known.take(entry) {
                None => {
                    brought.added += 1;
                    Worker::from_roster(WorkerId::new(), entry.clone())
                }
                Some(mut worker) => match worker.follow(entry.clone()) {
                    Followed::Changed => {
                        brought.changed += 1;
                        worker
                    }
                    Followed::Same => {
                        brought.unchanged += 1;
                        ids.push(worker.id);
                        continue;
                    }
                },
            };
            ids.push(worker.id);
            changed.push(personal::seal(&self.vault, worker, listed));
        }
        if !changed.is_empty() {
            store::workers::save(&mut tx, &changed, now).await?;
            let here = changed.iter().filter_map(|Sealed { worker, .. }| {
                let engagement =
                    worker.engagements.iter().find(|engagement| engagement.site == site)?;
                Some((worker.id, engagement))
            });
            store::workers::engage(&mut tx, site, &here.collect::<Vec<_>>()).await?;
            for Sealed { worker, .. } in &changed {
                let event = WorkerChanged { worker: Some(wire::worker(worker)) };
                events::enqueue(&mut tx, &event, now).await?;
            }
        }
        tx.commit().await?;
        Ok((ids, brought))
    }

    /// Lets those go whom the roster no longer has, and records the reading.
    async fn finish(
        &self,
        caller: &Caller,
        site: SiteId,
        epoch: i64,
        seen: &HashSet<WorkerId>,
        brought: &mut Brought,
    ) -> Result<DateTime<Utc>, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(ROSTER).await?;
        if !store::rosters::hold(&mut tx, site, epoch).await? {
            return Err(Error::SyncOvertaken);
        }
        let engaged = store::workers::engaged(&mut tx, site).await?;
        if seen.is_empty() && !engaged.is_empty() {
            // A site that everybody left at once is less likely than a system that lost its data.
            tracing::warn!("the real-name system answered a roster of nobody");
            return Err(Error::Upstream("realname"));
        }
        let gone: Vec<WorkerId> =
            engaged.into_iter().filter(|worker| !seen.contains(worker)).collect();
        store::workers::lock(&mut tx, &gone).await?;
        let mut workers = store::workers::load(&mut tx, &gone).await?;
        workers.retain_mut(|worker| worker.leave(site) == Followed::Changed);
        brought.gone = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        store::workers::disengage(&mut tx, site, &gone, now).await?;
        store::workers::save_state(&mut tx, &workers.iter().collect::<Vec<_>>()).await?;
        for worker in &workers {
            events::enqueue(&mut tx, &WorkerChanged { worker: Some(wire::worker(worker)) }, now)
                .await?;
        }
        store::rosters::finish(&mut tx, site, *brought, now).await?;
        let mut record = fact(caller, "worker.sync", "site", site.to_string(), now);
        record.site = Some(site);
        record.after = Some(
            json!({ "added": brought.added, "changed": brought.changed, "gone": brought.gone }),
        );
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(now)
    }
}

/// A deadlock, or a person that another site's reading wrote in the same moment.
fn met_another(err: &StoreError) -> bool {
    matches!(err, StoreError::Conflict)
        || matches!(err.constraint(), Some("workers_id_no" | "workers_name_and_phone"))
}

/// The workers a batch may mean, by what they are known by.
struct Known {
    by_id_no: HashMap<Index, Worker>,
    /// Only those without an identity number.
    by_name_and_phone: HashMap<(Index, Option<Index>), Worker>,
}

impl Known {
    fn new(workers: Vec<Worker>) -> Self {
        let mut known = Self { by_id_no: HashMap::new(), by_name_and_phone: HashMap::new() };
        for worker in workers {
            if let Some(id_no) = worker.keys.id_no.clone() {
                known.by_id_no.insert(id_no, worker);
            } else {
                let keys = (worker.keys.name.clone(), worker.keys.phone.clone());
                known.by_name_and_phone.insert(keys, worker);
            }
        }
        known
    }

    /// The worker an entry means: their identity number, else name and phone of one who had no number so far.
    fn take(&mut self, entry: &RosterEntry) -> Option<Worker> {
        let by_id_no = entry.keys.id_no.as_ref().and_then(|id_no| self.by_id_no.remove(id_no));
        by_id_no.or_else(|| {
            entry.keys.phone.as_ref()?;
            self.by_name_and_phone.remove(&(entry.keys.name.clone(), entry.keys.phone.clone()))
        })
    }
}
