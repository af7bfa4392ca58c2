//! Tells again every site, contractor, area, worker, binding and account there is.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use events::{Announce, Announced, Live, Rows, async_trait};
use proto::directory::v1 as pb;
use service::{StoreError, Tx};
use types::{AccountId, AreaId, ContractorId, SiteId, WorkerId};

use crate::{store, wire};

/// When a row became what it is, it does not tell: its beginning stands for it.
#[derive(Debug, Clone, Copy)]
pub struct Announcer;

const fn all(table: &'static str, key: &'static [(&'static str, &'static str)]) -> Rows {
    Rows { table, key, live: "true", since: "created_at" }
}

#[async_trait]
impl Announce for Announcer {
    fn context(&self) -> &'static str {
        "directory"
    }

    fn rows(&self, kind: &str) -> Rows {
        match kind {
            "Site" => all("directory.sites", &[("site_id", "uuid")]),
            "Contractor" => all("directory.contractors", &[("contractor_id", "uuid")]),
            "Area" => all("directory.areas", &[("area_id", "uuid")]),
            "Account" => all("directory.accounts", &[("account_id", "uuid")]),
            // A binding changes under its worker's lock.
            "WorkerBinding" => Rows {
                live: "EXISTS (SELECT FROM directory.bindings b
                               WHERE b.worker_id = workers.worker_id AND b.ended_at IS NULL)",
                ..all("directory.workers", &[("worker_id", "uuid")])
            },
            _ => all("directory.workers", &[("worker_id", "uuid")]),
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        match kind {
            "Site" => sites(tx, live).await,
            "Contractor" => contractors(tx, live).await,
            "Area" => areas(tx, live).await,
            "Account" => accounts(tx, live).await,
            "WorkerBinding" => bindings(tx, live).await,
            _ => workers(tx, live).await,
        }
    }
}

fn ids<T: FromStr>(table: &'static str, live: &[Live]) -> Result<Vec<T>, StoreError> {
    live.iter()
        .map(|Live { id, .. }| id.parse().map_err(|_| StoreError::corrupt(table, id)))
        .collect()
}

async fn sites(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let mut told = Vec::new();
    for (id, Live { since, .. }) in ids::<SiteId>("sites", live)?.into_iter().zip(live) {
        let site = store::sites::get(tx, id).await?;
        let site = site.map(|site| pb::SiteChanged { site: Some(wire::site(&site)) });
        told.extend(site.map(|fact| Announced::of(&fact, *since)));
    }
    Ok(told)
}

async fn contractors(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let mut told = Vec::new();
    for (id, Live { since, .. }) in ids::<ContractorId>("contractors", live)?.into_iter().zip(live)
    {
        for contractor in store::contractors::list(tx, None, Some(id)).await? {
            let contractor = Some(wire::contractor(&contractor));
            told.push(Announced::of(&pb::ContractorChanged { contractor }, *since));
        }
    }
    Ok(told)
}

async fn areas(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let areas = store::areas::named(tx, &ids::<AreaId>("areas", live)?).await?;
    let since = since(live);
    let tell = |area: &crate::domain::Area| {
        let fact = pb::AreaChanged { area: Some(wire::area(area)) };
        Some(Announced::of(&fact, *since.get(&area.id.to_string())?))
    };
    Ok(areas.iter().filter_map(tell).collect())
}

async fn accounts(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let mut told = Vec::new();
    for (id, Live { since, .. }) in ids::<AccountId>("accounts", live)?.into_iter().zip(live) {
        let account = store::accounts::get(tx, id).await?;
        let account = account.map(|account| wire::account_changed(&account));
        told.extend(account.map(|fact| Announced::of(&fact, *since)));
    }
    Ok(told)
}

async fn workers(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let workers = store::workers::load(tx, &ids("workers", live)?).await?;
    let since = since(live);
    let tell = |worker: &crate::domain::Worker| {
        let fact = pb::WorkerChanged { worker: Some(wire::worker(worker)) };
        Some(Announced::of(&fact, *since.get(&worker.id.to_string())?))
    };
    Ok(workers.iter().filter_map(tell).collect())
}

async fn bindings(tx: &mut Tx, live: &[Live]) -> Result<Vec<Announced>, StoreError> {
    let ids: Vec<WorkerId> = ids("workers", live)?;
    let mut told = Vec::new();
    for worker in store::workers::load(tx, &ids).await? {
        let Some(binding) = store::bindings::of_worker(tx, worker.id).await? else { continue };
        let fact = pb::WorkerBound {
            worker: Some(wire::worker(&worker)),
            binding_id: binding.id.to_string(),
            bound_at: Some(proto::timestamp(binding.bound_at)),
        };
        told.push(Announced::of(&fact, binding.bound_at));
    }
    Ok(told)
}

fn since(live: &[Live]) -> HashMap<String, DateTime<Utc>> {
    live.iter().map(|Live { id, since }| (id.clone(), *since)).collect()
}
