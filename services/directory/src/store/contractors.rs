use std::collections::HashMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, ContractorId, SiteId};

use crate::domain::Contractor;

use super::{guarded, ids, kept, uuids, version};

pub(crate) async fn insert(
    tx: &mut Tx,
    contractor: &Contractor,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.contractors (contractor_id, name, version, created_at) VALUES ($1, $2, $3, $4)",
        contractor.id.as_uuid(),
        contractor.name,
        kept(contractor.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO directory.contractor_sites (contractor_id, site_id) SELECT $1, unnest($2::uuid[])",
        contractor.id.as_uuid(),
        &uuids(&contractor.sites),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes a contractor that was read, with every site of theirs, at the version before its own.
pub(crate) async fn save(tx: &mut Tx, contractor: &Contractor) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.contractors SET name = $3, version = $4 WHERE contractor_id = $1 AND version = $2",
        contractor.id.as_uuid(),
        kept(contractor.version - 1),
        contractor.name,
        kept(contractor.version),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)?;
    let sites = uuids(&contractor.sites);
    sqlx::query!(
        "DELETE FROM directory.contractor_sites WHERE contractor_id = $1 AND site_id <> ALL($2)",
        contractor.id.as_uuid(),
        &sites,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO directory.contractor_sites (contractor_id, site_id)
         SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING",
        contractor.id.as_uuid(),
        &sites,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Holds a contractor for a change: nobody is put in its service meanwhile, and whoever is being put there is seen after.
pub(crate) async fn lock(tx: &mut Tx, contractor: ContractorId) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT FROM directory.contractors WHERE contractor_id = $1 FOR NO KEY UPDATE",
        contractor.as_uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Holds a contractor as it is until this transaction ends; others may hold it too.
pub(crate) async fn hold(tx: &mut Tx, contractor: ContractorId) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT FROM directory.contractors WHERE contractor_id = $1 FOR SHARE",
        contractor.as_uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The accounts of a contractor that reach a site other than `sites`.
pub(crate) async fn accounts_beyond(
    tx: &mut Tx,
    contractor: ContractorId,
    sites: &[SiteId],
) -> Result<Vec<AccountId>, StoreError> {
    let accounts = sqlx::query_scalar!(
        "SELECT DISTINCT a.account_id FROM directory.accounts a JOIN directory.account_sites s USING (account_id)
         WHERE a.contractor_id = $1 AND s.site_id <> ALL($2) ORDER BY 1",
        contractor.as_uuid(),
        &uuids(sites),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(accounts))
}

/// Contractors by name with those of their sites that the scope shows; of one site or all, one contractor or all.
pub(crate) async fn list(
    tx: &mut Tx,
    site: Option<SiteId>,
    only: Option<ContractorId>,
) -> Result<Vec<Contractor>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT c.contractor_id, c.name, c.version,
               ARRAY(SELECT s.site_id FROM directory.contractor_sites s
                     WHERE s.contractor_id = c.contractor_id ORDER BY 1) AS "sites!"
           FROM directory.contractors c
           WHERE ($1::uuid IS NULL OR EXISTS (SELECT FROM directory.contractor_sites s
                     WHERE s.contractor_id = c.contractor_id AND s.site_id = $1))
             AND ($2::uuid IS NULL OR c.contractor_id = $2)
           ORDER BY c.name"#,
        site.map(SiteId::as_uuid),
        only.map(ContractorId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let contractors = rows.into_iter().map(|row| Contractor {
        id: row.contractor_id.into(),
        name: row.name,
        sites: ids(row.sites),
        version: version(row.version),
    });
    Ok(contractors.collect())
}

/// The sites of the scope on which the contractor works.
pub(crate) async fn sites_of(
    tx: &mut Tx,
    contractor: ContractorId,
) -> Result<Vec<SiteId>, StoreError> {
    let sites = sqlx::query_scalar!(
        "SELECT site_id FROM directory.contractor_sites WHERE contractor_id = $1",
        contractor.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(sites))
}

/// The contractors of a site by name: the real-name system knows no id of ours.
pub(crate) async fn by_name(
    tx: &mut Tx,
    site: SiteId,
) -> Result<HashMap<String, ContractorId>, StoreError> {
    let rows = sqlx::query!(
        "SELECT c.name, c.contractor_id FROM directory.contractors c
         JOIN directory.contractor_sites s USING (contractor_id) WHERE s.site_id = $1",
        site.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.contractor_id.into())).collect())
}
