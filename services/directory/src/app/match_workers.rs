use std::collections::HashMap;
use std::fmt;

use auth::Caller;
use proto::directory::v1::{MatchWorkersResponse, WorkerMatch, WorkerRow};
use serde_json::json;
use service::StoreError;
use types::{ContractorId, SiteId, WorkerId};
use vault::{IdNo, InvalidIdNo, InvalidPhone, Phone};

use super::{App, Error, confined, fact, personal, scope};
use crate::domain::{Candidate, Index, Keys, Matched, Matcher, Part, Place, Sought};
use crate::store;
use crate::store::matches::Row;
use crate::store::people::Person;

/// Of an ambiguous line, as many as a person would look through.
const MOST_SHOWN: usize = 10;

/// No text that a roster has as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too long, or with control characters")]
pub(crate) struct BadName;

/// What a line says of one person: absent, readable or not.
pub(crate) struct Line {
    pub name: Option<Result<String, BadName>>,
    pub id_no: Option<Result<IdNo, InvalidIdNo>>,
    pub phone: Option<Result<Phone, InvalidPhone>>,
}

pub(crate) struct MatchWorkers {
    pub site: SiteId,
    pub contractor: Option<ContractorId>,
    pub lines: Vec<Line>,
}

impl fmt::Debug for MatchWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchWorkers").field("site", &self.site).finish_non_exhaustive()
    }
}

impl App {
    /// Whom each line means, of the people who may be on a ticket of this contractor on this site; masked. Nobody but
    /// these is known to a contractor's administrator: whoever works for another is not found. Each list leaves a
    /// record of who asked and how many lines there were.
    #[tracing::instrument(name = "worker.match", skip_all, fields(site.id = %query.site, lines = query.lines.len()))]
    pub(crate) async fn match_workers(
        &self,
        caller: &Caller,
        query: MatchWorkers,
    ) -> Result<MatchWorkersResponse, Error> {
        let MatchWorkers { site, contractor, lines } = query;
        confined(caller, site)?;
        if let (Some(own), Some(wanted)) = (caller.contractor, contractor)
            && own != wanted
        {
            return Err(Error::NotFound);
        }
        let contractor = contractor.or(caller.contractor);
        let read: Vec<Result<Wanted, WorkerMatch>> =
            lines.iter().map(|line| self.looked_up(line)).collect();

        let mut tx = self.store.begin(scope(caller)).await?;
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let indexes = lookups(&read);
        let wanted = [&*indexes[0], &*indexes[1], &*indexes[2]];
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        let rows = store::matches::candidates(&mut tx, site, wanted, caller.contractor).await?;
        let candidates: Vec<Candidate> = rows
            .iter()
            .map(|row| {
                let keys = personal::current_keys(&self.vault, &row.person)?;
                Ok(candidate(row, keys, contractor))
            })
            .collect::<Result<_, StoreError>>()?;
        let rows = rows.into_iter().map(|row| {
            let worker = WorkerId::from(row.person.worker_id);
            personal::row(&self.vault, row.person).map(|row| (worker, row))
        });
        let rows: HashMap<WorkerId, WorkerRow> = rows.collect::<Result<_, StoreError>>()?;
        let mut matcher = Matcher::new(&candidates);
        let answers: Vec<WorkerMatch> = read
            .into_iter()
            .enumerate()
            .map(|(place, wanted)| match wanted {
                Ok(wanted) => told(matcher.take(place, &wanted.sought()), &rows),
                Err(unreadable) => unreadable,
            })
            .collect();

        let found = answers.iter().filter(|each| each.outcome == "FOUND").count();
        let mut record =
            fact(caller, "worker.match", "worker_batch", site.to_string(), self.clock.now());
        record.site = Some(site);
        record.after = Some(json!({ "lines": answers.len(), "found": found }));
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(MatchWorkersResponse {
            matches: answers,
            roster_synced_at: synced_at.map(proto::timestamp),
        })
    }

    /// What a line is looked up by, or what about it cannot be read.
    fn looked_up(&self, line: &Line) -> Result<Wanted, WorkerMatch> {
        let Line { name, id_no, phone } = line;
        if name.is_none() && id_no.is_none() && phone.is_none() {
            return Err(unreadable("EMPTY", Part::Name, "says nothing of anybody"));
        }
        let vault = &self.vault;
        Ok(Wanted {
            id_no: indexes(id_no.as_ref(), Part::IdNo, |no| personal::id_no_indexes(vault, no))?,
            name: indexes(name.as_ref(), Part::Name, |name| personal::name_indexes(vault, name))?,
            phone: indexes(phone.as_ref(), Part::Phone, |no| personal::phone_indexes(vault, no))?,
        })
    }
}

/// What a line is looked up by: indexes under each key of the vault, the current one's first; none of what it does not
/// say.
struct Wanted {
    name: Vec<Index>,
    id_no: Vec<Index>,
    phone: Vec<Index>,
}

impl Wanted {
    /// Under the current key.
    fn sought(&self) -> Sought {
        let first = |indexes: &[Index]| indexes.first().cloned();
        Sought { name: first(&self.name), id_no: first(&self.id_no), phone: first(&self.phone) }
    }
}

fn indexes<T, E: fmt::Display>(
    read: Option<&Result<T, E>>,
    part: Part,
    indexes: impl FnOnce(&T) -> Vec<Index>,
) -> Result<Vec<Index>, WorkerMatch> {
    let outcome = match part {
        Part::Name => "BAD_NAME",
        Part::IdNo => "BAD_ID_NO",
        Part::Phone => "BAD_PHONE",
    };
    match read {
        None => Ok(Vec::new()),
        Some(Ok(value)) => Ok(indexes(value)),
        Some(Err(problem)) => Err(unreadable(outcome, part, &problem.to_string())),
    }
}

fn unreadable(outcome: &str, part: Part, detail: &str) -> WorkerMatch {
    WorkerMatch {
        outcome: outcome.to_owned(),
        field: part.as_str().to_owned(),
        detail: detail.to_owned(),
        ..WorkerMatch::default()
    }
}

/// Names, identity numbers and phones of the lines that can be read.
fn lookups(read: &[Result<Wanted, WorkerMatch>]) -> [Vec<Index>; 3] {
    let mut indexes = [Vec::new(), Vec::new(), Vec::new()];
    for wanted in read.iter().flatten() {
        let [names, id_nos, phones] = &mut indexes;
        // With a number, a name only helps where the roster has none for the person, and then beside a phone.
        if wanted.id_no.is_empty() || !wanted.phone.is_empty() {
            names.extend_from_slice(&wanted.name);
        }
        id_nos.extend_from_slice(&wanted.id_no);
        if wanted.id_no.is_empty() && wanted.name.is_empty() {
            phones.extend_from_slice(&wanted.phone);
        }
    }
    indexes
}

fn candidate(row: &Row, keys: Keys, contractor: Option<ContractorId>) -> Candidate {
    let others = contractor.is_some_and(|wanted| {
        let Person { contractor_id, contractor_unknown, .. } = row.person;
        contractor_unknown || contractor_id.is_some_and(|held| held != wanted.as_uuid())
    });
    Candidate {
        worker: WorkerId::from(row.person.worker_id),
        keys,
        place: match (row.here, others) {
            (false, _) => Place::NotOnSite,
            (true, true) => Place::OtherContractor,
            (true, false) => Place::Here,
        },
    }
}

fn told(matched: Matched, rows: &HashMap<WorkerId, WorkerRow>) -> WorkerMatch {
    let row = |worker: &WorkerId| rows.get(worker).cloned();
    let outcome = |outcome: &str, field: &str| WorkerMatch {
        outcome: outcome.to_owned(),
        field: field.to_owned(),
        ..WorkerMatch::default()
    };
    match matched {
        Matched::Found(worker) => {
            WorkerMatch { workers: row(&worker).into_iter().collect(), ..outcome("FOUND", "") }
        }
        Matched::Ambiguous(workers, part) => WorkerMatch {
            detail: format!("{} people fit", workers.len()),
            workers: workers.iter().filter_map(row).take(MOST_SHOWN).collect(),
            ..outcome("AMBIGUOUS", part.as_str())
        },
        Matched::Duplicate(worker, first_line, part) => WorkerMatch {
            workers: row(&worker).into_iter().collect(),
            first_line: u32::try_from(first_line).unwrap_or(u32::MAX),
            ..outcome("DUPLICATE", part.as_str())
        },
        Matched::NotFound(part) => outcome("NOT_FOUND", part.as_str()),
        Matched::NotOnSite(part) => outcome("NOT_ON_SITE", part.as_str()),
        Matched::OtherContractor(part) => outcome("OTHER_CONTRACTOR", part.as_str()),
        Matched::NameDiffers => outcome("NAME_DIFFERS", Part::Name.as_str()),
    }
}
