use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{FuturesUnordered, StreamExt};
use proto::directory::v1::ResolveWorkersRequest;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::{Scope, Shell, Store, StoreError, telemetry};
use sqlx::types::Uuid;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use types::{AccessGroupId, EventId, GrantId, WorkerId};

use super::prove_doors::read_all;
use crate::domain::{Grant, Sight};
use crate::door::{Door, Entry, Fault, Order, Person};
use crate::record::{Finding, record};
use crate::store::queue;

/// Grants taken at once.
const BATCH: i64 = 256;
/// Calls to the doors of one group at a time.
const AT_ONCE: usize = 2;
/// Groups worked on at a time.
const GROUPS: usize = 16;
/// System time after which others may take a grant over; calls begin only in the first half of it.
const LEASE: Duration = Duration::from_mins(1);
const WORK: Duration = Duration::from_secs(30);
/// How often is looked for what other processes wrote and for what became due.
const POLL: Duration = Duration::from_secs(1);
/// What a stop waits for; what is unfinished then is taken up again when its lease is over.
const DRAIN: Duration = Duration::from_secs(3);

/// Brings doors to what they should hold, and believes only what it reads there. Any number may run at once.
#[derive(Debug, Clone)]
pub struct Pusher {
    store: Store,
    shell: Shell,
    door: Arc<dyn Door>,
}

type People = Result<BTreeMap<WorkerId, Person>, &'static str>;
/// Works a group off and answers which it was.
type Job = BoxFuture<'static, AccessGroupId>;
type SharedPeople = Shared<BoxFuture<'static, Arc<People>>>;

/// What calling a door for a grant came to.
struct Called {
    at: DateTime<Utc>,
    fault: Option<Fault>,
}

impl Pusher {
    pub fn new(store: Store, shell: Shell, door: Arc<dyn Door>) -> Self {
        Self { store, shell, door }
    }

    /// Works until `stop`: on each commit of this process and a short poll.
    pub async fn run(self, stop: CancellationToken) {
        let mut changed = self.store.changed();
        let mut busy = BTreeSet::new();
        let mut jobs = FuturesUnordered::new();
        while !stop.is_cancelled() {
            changed.borrow_and_update();
            if jobs.len() < GROUPS {
                match self.claim(&busy).await {
                    Ok(groups) => {
                        for (group, job) in groups {
                            busy.insert(group);
                            jobs.push(job);
                        }
                    }
                    Err(err) => tracing::warn!(error = %err, "due grants cannot be taken"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(group) = jobs.next(), if !jobs.is_empty() => { busy.remove(&group); }
                _ = changed.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        let drained = async { while jobs.next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("doors were still being called at the stop");
        }
    }

    /// Takes what is due now and works it off; answers for how many groups.
    pub async fn push_due(&self) -> Result<usize, StoreError> {
        let groups = self.claim(&BTreeSet::new()).await?;
        let mut jobs: FuturesUnordered<_> = groups.into_iter().map(|(_, job)| job).collect();
        let count = jobs.len();
        while jobs.next().await.is_some() {}
        Ok(count)
    }

    async fn claim(
        &self,
        busy: &BTreeSet<AccessGroupId>,
    ) -> Result<Vec<(AccessGroupId, Job)>, StoreError> {
        let lease = EventId::new().as_uuid();
        let system_now = self.shell.system.now();
        let until = system_now + TimeDelta::from_std(LEASE).unwrap_or_default();
        let busy: Vec<AccessGroupId> = busy.iter().cloned().collect();
        let mut tx = self.store.begin(Scope::System("push due grants")).await?;
        let now = self.shell.clock.now();
        let taken = queue::claim(&mut tx, lease, now, system_now, until, &busy, BATCH).await?;
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        tx.commit().await?;
        let live = taken.iter().filter(|grant| grant.is_live()).map(|grant| grant.worker);
        let people = self.people(live.collect());
        let mut groups: BTreeMap<AccessGroupId, Vec<Grant>> = BTreeMap::new();
        for grant in taken {
            if let Some(group) = grant.aim.group.clone() {
                groups.entry(group).or_default().push(grant);
            }
        }
        let deadline = Instant::now() + WORK;
        let jobs = groups.into_iter().map(|(group, grants)| {
            let (pusher, people, name) = (self.clone(), people.clone(), group.clone());
            let job = async move {
                pusher.work(&name, grants, people, lease, deadline).await;
                name
            };
            (group, job.boxed())
        });
        Ok(jobs.collect())
    }

    /// Everyone of a batch, asked for once and only when the first grant is to be sent.
    fn people(&self, workers: BTreeSet<WorkerId>) -> SharedPeople {
        let shell = self.shell.clone();
        async move { Arc::new(resolve(&shell, workers).await) }.boxed().shared()
    }

    async fn work(
        &self,
        group: &AccessGroupId,
        grants: Vec<Grant>,
        people: SharedPeople,
        lease: Uuid,
        deadline: Instant,
    ) {
        let (live, revoked): (Vec<Grant>, Vec<Grant>) =
            grants.into_iter().partition(Grant::is_live);
        let ids: Vec<GrantId> = live.iter().chain(&revoked).map(|grant| grant.id).collect();
        let nobody: Arc<People> = Arc::new(Ok(BTreeMap::new()));
        // Revocations first, and without waiting for anyone's data.
        let mut called = self.call(group, &revoked, &nobody, deadline).await;
        let away = called
            .values()
            .find_map(|call| call.fault.clone())
            .filter(|fault| matches!(fault, Fault::Away(_)));
        if !live.is_empty() && away.is_none() {
            let people = people.await;
            called.extend(self.call(group, &live, &people, deadline).await);
        } else if let Some(fault) = away {
            let at = self.shell.clock.now();
            called.extend(
                live.iter().map(|grant| (grant.id, Called { at, fault: Some(fault.clone()) })),
            );
        }
        let seen = read_all(self.door.as_ref(), group).await;
        let found = live.iter().chain(&revoked).filter_map(|grant| {
            let call = called.get(&grant.id)?;
            Some(Finding {
                grant: grant.id,
                revision: grant.revision,
                sent_at: Some(call.at),
                sight: sight(grant, call.fault.as_ref(), &seen),
            })
        });
        if let Err(err) = self.take_in(lease, &ids, found.collect()).await {
            tracing::warn!(error = %err, door.group = %group, "what a door answered cannot be kept, it will be called again");
        }
    }

    /// Calls the door for each grant, a few at once; not for those the time is too short for, nor after it was found away.
    async fn call(
        &self,
        group: &AccessGroupId,
        grants: &[Grant],
        people: &People,
        deadline: Instant,
    ) -> BTreeMap<GrantId, Called> {
        let away = OnceLock::new();
        let calls: Vec<_> = grants
            .iter()
            .map(|grant| self.call_one(group, grant, people, deadline, &away))
            .collect();
        let called: Vec<_> = futures::stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;
        called.into_iter().flatten().collect()
    }

    async fn call_one(
        &self,
        group: &AccessGroupId,
        grant: &Grant,
        people: &People,
        deadline: Instant,
        away: &OnceLock<Fault>,
    ) -> Option<(GrantId, Called)> {
        if Instant::now() >= deadline {
            return None;
        }
        let at = self.shell.clock.now();
        let fault = match away.get() {
            Some(fault) => Some(fault.clone()),
            None => self.tell(group, grant, people).await.err(),
        };
        if let Some(fault @ Fault::Away(_)) = &fault {
            away.get_or_init(|| fault.clone());
        }
        Some((grant.id, Called { at, fault }))
    }

    async fn tell(
        &self,
        group: &AccessGroupId,
        grant: &Grant,
        people: &People,
    ) -> Result<(), Fault> {
        let span = tracing::info_span!(
            parent: None,
            "door.push",
            otel.kind = "client",
            grant.id = %grant.id,
            grant.status = grant.state.as_str(),
            door.group = %group,
            error.r#type = tracing::field::Empty,
        );
        telemetry::set_parent(&span, grant.traceparent.as_deref());
        let told = async {
            if !grant.is_live() {
                return self.door.remove(group, &grant.id.to_string()).await;
            }
            let unresolved = |code: &str| Fault::Refused(code.to_owned());
            let people = people.as_ref().map_err(|code| unresolved(code))?;
            let person =
                people.get(&grant.worker).ok_or_else(|| unresolved("WORKER_UNRESOLVED"))?;
            let face_id =
                grant.aim.face.as_ref().ok_or_else(|| unresolved("FACE_UNKNOWN"))?.as_str();
            let (window, zone) = (grant.aim.window, grant.aim.zone);
            self.door.push(&Order { grant: grant.id, group, face_id, person, window, zone }).await
        };
        let told = told.instrument(span.clone()).await;
        if let Err(fault) = &told {
            span.record("error.type", fault.code());
        }
        told
    }

    async fn take_in(
        &self,
        lease: Uuid,
        ids: &[GrantId],
        found: Vec<Finding>,
    ) -> Result<(), StoreError> {
        let now = self.shell.clock.now();
        let mut tx = self.store.begin(Scope::System("keep what doors answered")).await?;
        let mut grants = Vec::new();
        let mut ours = BTreeSet::new();
        for leased in queue::with_siblings(&mut tx, ids).await? {
            if leased.lease == Some(lease) {
                ours.insert(leased.grant.id);
            }
            grants.push(leased.grant);
        }
        // Whoever took a grant over meanwhile says what became of it.
        let found = found.into_iter().filter(|finding| ours.contains(&finding.grant)).collect();
        record(&mut tx, grants, found, now).await?;
        queue::give_back(&mut tx, lease, ids).await?;
        tx.commit().await
    }
}

/// What is to be believed of a grant after its door was called and read.
fn sight(
    grant: &Grant,
    fault: Option<&Fault>,
    seen: &Result<BTreeMap<String, Entry>, Fault>,
) -> Sight {
    let why = fault.map(|fault| fault.code().to_owned());
    match seen {
        Err(unread) => Sight::Unknown { error: why.unwrap_or_else(|| unread.code().to_owned()) },
        Ok(entries) => match entries.get(&grant.id.to_string()) {
            None => Sight::Missing { why },
            Some(entry) if entry.is_as(grant) => Sight::Right,
            Some(_) => Sight::Different { why },
        },
    }
}

impl Entry {
    /// Whether a door holds the grant as it should.
    pub fn is_as(&self, grant: &Grant) -> bool {
        let face = grant.aim.face.as_ref().is_some_and(|face| face.as_str() == self.face_id);
        face && self.window == grant.aim.window
    }
}

/// Names and numbers for the moment of sending; the error is a code.
async fn resolve(shell: &Shell, workers: BTreeSet<WorkerId>) -> People {
    if workers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let worker_ids = workers.iter().map(ToString::to_string).collect();
    let request = ResolveWorkersRequest { worker_ids, purpose: "DOOR_SYNC".to_owned() };
    let mut directory = DirectoryServiceClient::new(shell.peers.transport("directory"));
    let answer = directory.resolve_workers(shell.as_service("access-grant", request)).await;
    let resolved = answer.map_err(|_| "DIRECTORY_UNAVAILABLE")?.into_inner().workers;
    let known =
        resolved.into_iter().filter(|worker| !worker.id_no.is_empty() && !worker.name.is_empty());
    let people = known.filter_map(|worker| {
        Some((worker.worker_id.parse().ok()?, Person { id_no: worker.id_no, name: worker.name }))
    });
    Ok(people.collect())
}
