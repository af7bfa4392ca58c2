//! Writes a batch of the roster's people.

use std::collections::HashMap;

use service::StoreError;
use types::WorkerId;

use super::read_roster::{Person, ROSTER, Underway, changed};
use super::{App, Error, personal};
use crate::domain::{Followed, Index, RosterChange, RosterEntry, Worker};
use crate::store;
use crate::store::rosters::Brought;
use crate::store::workers::Sealed;

/// Another site's reading may meet the same people.
const ATTEMPTS: u32 = 3;

impl App {
    /// Who the batch's people are. What it brought is counted with it.
    pub(super) async fn take_in_patiently(
        &self,
        underway: Underway,
        batch: &[Person],
    ) -> Result<Vec<WorkerId>, Error> {
        let mut attempt = 1;
        loop {
            match self.take_in(underway, batch).await {
                Err(Error::Store(err)) if attempt < ATTEMPTS && met_another(&err) => attempt += 1,
                answer => return answer,
            }
        }
    }

    async fn take_in(&self, underway: Underway, batch: &[Person]) -> Result<Vec<WorkerId>, Error> {
        let Underway { site, reading, epoch, .. } = underway;
        let now = self.clock.now();
        let mut tx = self.store.begin(ROSTER).await?;
        if !store::rosters::hold(&mut tx, site, epoch).await? {
            return Err(Error::SyncOvertaken);
        }
        let keys: Vec<_> =
            batch.iter().flat_map(|(_, listed)| personal::all_keys(&self.vault, listed)).collect();
        let found = store::workers::find(&mut tx, &keys.iter().collect::<Vec<_>>()).await?;
        store::workers::lock(&mut tx, &found).await?;
        // Whom the roster says the same of is compared under one key.
        self.seal_anew(&mut tx, &found).await?;
        let mut known = Known::new(store::workers::load(&mut tx, &found).await?);

        let (mut seen, mut brought) = (Vec::with_capacity(batch.len()), Brought::default());
        let mut noted = Vec::new();
        let mut written: Vec<Sealed> = Vec::new();
        for (entry, listed) in batch {
            let (worker, change) = match known.take(entry) {
                None => (Worker::from_roster(WorkerId::new(), entry.clone()), RosterChange::Added),
                Some(mut worker) => match worker.follow(entry.clone()) {
                    Followed::Changed => (worker, RosterChange::Changed),
                    Followed::Same => {
                        brought.unchanged += 1;
                        seen.push(worker.id);
                        continue;
                    }
                },
            };
            match change {
                RosterChange::Added => brought.added += 1,
                _ => brought.changed += 1,
            }
            seen.push(worker.id);
            noted.push((worker.id, change));
            written.push(personal::seal(&self.vault, worker, listed));
        }
        if !written.is_empty() {
            store::workers::save(&mut tx, &written, now).await?;
            let here = written.iter().filter_map(|Sealed { worker, .. }| {
                let engagement =
                    worker.engagements.iter().find(|engagement| engagement.site == site)?;
                Some((worker.id, engagement))
            });
            store::workers::engage(&mut tx, site, &here.collect::<Vec<_>>(), now).await?;
            store::readings::note(&mut tx, site, reading, &noted).await?;
            let workers: Vec<Worker> = written.into_iter().map(|sealed| sealed.worker).collect();
            events::enqueue_all(&mut tx, &changed(&workers), now).await?;
        }
        store::readings::tally(&mut tx, reading, brought).await?;
        tx.commit().await?;
        Ok(seen)
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
