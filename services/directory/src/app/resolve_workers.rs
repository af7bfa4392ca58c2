use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use auth::Caller;
use events::AuditFact;
use proto::directory::v1::{ResolveWorkersResponse, ResolvedWorker};
use serde_json::json;
use service::{Scope, StoreError, Tx};
use types::{SiteId, WorkerId};

use super::{App, Error, fact, personal};
use crate::store;
use crate::store::people::Reachable;

/// What personal data is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    WechatNotice,
    DoorSync,
    FaceVerification,
}

/// What is told of a person, besides their id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    IdNo,
    Openid,
    FaceId,
    PhotoUrl,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::WechatNotice, Self::DoorSync, Self::FaceVerification];

    const fn as_str(self) -> &'static str {
        match self {
            Self::WechatNotice => "WECHAT_NOTICE",
            Self::DoorSync => "DOOR_SYNC",
            Self::FaceVerification => "FACE_VERIFICATION",
        }
    }

    /// The one service that may name it, and what it is told; all else stays sealed. Nobody is told a phone yet.
    const fn allows(self) -> (&'static str, &'static [Field]) {
        match self {
            Self::WechatNotice => ("notification", &[Field::Openid]),
            Self::DoorSync => {
                ("access-grant", &[Field::Name, Field::IdNo, Field::FaceId, Field::PhotoUrl])
            }
            Self::FaceVerification => {
                ("training", &[Field::Name, Field::IdNo, Field::Openid, Field::PhotoUrl])
            }
        }
    }
}

impl FromStr for Purpose {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        found.ok_or("is no purpose we open personal data for")
    }
}

impl App {
    /// Personal data in clear, for a service's job: what its purpose needs, and no more. Each batch leaves a record of
    /// who asked, what for and about whom, on each of these people's sites; unknown ids are left out.
    #[tracing::instrument(name = "worker.resolve", skip_all, fields(purpose = purpose.as_str(), workers = workers.len()))]
    pub(crate) async fn resolve_workers(
        &self,
        caller: &Caller,
        workers: &[WorkerId],
        purpose: Purpose,
    ) -> Result<ResolveWorkersResponse, Error> {
        let (service, fields) = purpose.allows();
        if caller.service_name() != Some(service) {
            return Err(Error::Denied);
        }
        let mut tx = self.store.begin(Scope::System("people are of every site")).await?;
        let people = store::people::reachable(&mut tx, workers).await?;
        let known: Vec<WorkerId> = people.iter().map(|person| person.worker_id.into()).collect();
        let opened = people.into_iter().map(|person| self.open(person, fields));
        let workers = opened.collect::<Result<Vec<_>, _>>()?;
        let target = purpose.as_str().to_owned();
        let record = fact(caller, "worker.resolve", "worker_batch", target, self.clock.now());
        audit(&mut tx, &known, record).await?;
        tx.commit().await?;
        Ok(ResolveWorkersResponse { workers })
    }

    fn open(&self, person: Reachable, fields: &[Field]) -> Result<ResolvedWorker, StoreError> {
        let (vault, worker) = (&self.vault, person.worker_id);
        let asked = |field| fields.contains(&field);
        let mut resolved =
            ResolvedWorker { worker_id: worker.to_string(), ..ResolvedWorker::default() };
        if asked(Field::Name) {
            resolved.name = personal::open_name(vault, worker, &person.name_sealed)?;
        }
        if asked(Field::IdNo)
            && let Some(sealed) = &person.id_no_sealed
        {
            resolved.id_no = personal::open_id_no(vault, worker, sealed)?;
        }
        if asked(Field::Openid)
            && let Some((user, sealed)) = person.wechat_user_id.zip(person.openid_sealed)
        {
            resolved.openid = personal::open_openid(vault, user, &sealed)?;
        }
        if asked(Field::FaceId) {
            resolved.face_id = person.face_id.unwrap_or_default();
        }
        if asked(Field::PhotoUrl)
            && let Some(sealed) = &person.photo_url_sealed
        {
            resolved.photo_url = personal::open_photo_url(vault, worker, sealed)?;
        }
        Ok(resolved)
    }
}

/// Writes the record on each site that somebody of the batch is on, naming those who are; of no site where nobody was
/// found.
async fn audit(tx: &mut Tx, workers: &[WorkerId], record: AuditFact<'_>) -> Result<(), StoreError> {
    let mut of_sites: BTreeMap<Option<SiteId>, BTreeSet<WorkerId>> = BTreeMap::new();
    for (site, worker) in store::bindings::sites_of(tx, workers).await? {
        of_sites.entry(Some(site)).or_default().insert(worker);
    }
    if of_sites.is_empty() {
        of_sites.insert(None, workers.iter().copied().collect());
    }
    for (site, workers) in of_sites {
        let worker_ids: Vec<String> = workers.iter().map(ToString::to_string).collect();
        let after = json!({ "purpose": record.target_id, "worker_ids": worker_ids });
        events::audit(tx, AuditFact { site, after: Some(after), ..record.clone() }).await?;
    }
    Ok(())
}
