//! Who workers are: sealed names and numbers, to be opened by the use case that shows or sends them.

use std::collections::HashMap;

use chrono::NaiveDate;
use service::{StoreError, Tx};
use types::{ContractorId, Page, SiteId, WorkerId};
use uuid::Uuid;

use crate::domain::Index;

use super::uuids;

/// A person as kept, and their place on one of the scope's sites.
#[derive(Debug)]
pub(crate) struct Person {
    pub worker_id: Uuid,
    pub name_sealed: Vec<u8>,
    pub id_no_sealed: Option<Vec<u8>>,
    pub phone_sealed: Option<Vec<u8>>,
    pub face_id: Option<String>,
    pub contractor_id: Option<Uuid>,
    /// The roster names a contractor that is none of the site's.
    pub contractor_unknown: bool,
    pub trade: String,
    pub team: String,
    pub bound: bool,
}

/// Whom to look for on one site. A keyword is an exact name, phone or identity number, by its indexes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub contractor: Option<ContractorId>,
    /// Only this contractor's and those of whom the roster names none.
    pub confined_to: Option<ContractorId>,
    pub keyword: Option<Vec<Index>>,
    pub bound: Option<bool>,
    /// Those too who have left the site, by their last place there.
    pub departed_too: bool,
}

/// One page of those found, in the order they were first seen, and how many there are.
pub(crate) async fn search(
    tx: &mut Tx,
    site: SiteId,
    wanted: &Wanted,
    page: Page,
) -> Result<(Vec<Person>, u32), StoreError> {
    let keyword = wanted.keyword.as_deref();
    let contractor = wanted.contractor.map(ContractorId::as_uuid);
    let confined_to = wanted.confined_to.map(ContractorId::as_uuid);
    let people = sqlx::query_as!(
        Person,
        r#"SELECT w.worker_id, w.name_sealed, w.id_no_sealed, w.phone_sealed, w.face_id, e.contractor_id,
               e.contractor_id IS NULL AND e.contractor_unknown AS "contractor_unknown!", e.trade, e.team,
               b.binding_id IS NOT NULL AS "bound!"
           FROM directory.engagements e
           JOIN directory.workers w ON w.worker_id = e.worker_id
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           WHERE e.site_id = $1 AND (e.left_at IS NULL OR $8)
             AND ($2::uuid IS NULL OR e.contractor_id = $2)
             AND ($3::uuid IS NULL OR e.contractor_id = $3
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
             AND ($4::bytea[] IS NULL OR w.name_index = ANY($4) OR w.phone_index = ANY($4) OR w.id_no_index = ANY($4))
             AND ($5::boolean IS NULL OR (b.binding_id IS NOT NULL) = $5)
           ORDER BY w.worker_id LIMIT $6 OFFSET $7"#,
        site.as_uuid(),
        contractor,
        confined_to,
        keyword as _,
        wanted.bound,
        page.limit(),
        page.offset(),
        wanted.departed_too,
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM directory.engagements e
           JOIN directory.workers w ON w.worker_id = e.worker_id
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           WHERE e.site_id = $1 AND (e.left_at IS NULL OR $6)
             AND ($2::uuid IS NULL OR e.contractor_id = $2)
             AND ($3::uuid IS NULL OR e.contractor_id = $3
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
             AND ($4::bytea[] IS NULL OR w.name_index = ANY($4) OR w.phone_index = ANY($4) OR w.id_no_index = ANY($4))
             AND ($5::boolean IS NULL OR (b.binding_id IS NOT NULL) = $5)"#,
        site.as_uuid(),
        contractor,
        confined_to,
        keyword as _,
        wanted.bound,
        wanted.departed_too,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((people, u32::try_from(total).unwrap_or(u32::MAX)))
}

/// Those of `workers` who are or were on a site of the scope, with their present or last place there.
pub(crate) async fn known(tx: &mut Tx, workers: &[WorkerId]) -> Result<Vec<Person>, StoreError> {
    known_to(tx, workers, None).await
}

/// The same, as a contractor's administrator knows them: places that are another contractor's do not count.
pub(crate) async fn known_to(
    tx: &mut Tx,
    workers: &[WorkerId],
    confined_to: Option<ContractorId>,
) -> Result<Vec<Person>, StoreError> {
    let people = sqlx::query_as!(
        Person,
        r#"SELECT DISTINCT ON (w.worker_id) w.worker_id, w.name_sealed, w.id_no_sealed, w.phone_sealed, w.face_id,
               e.contractor_id, e.contractor_id IS NULL AND e.contractor_unknown AS "contractor_unknown!", e.trade,
               e.team, b.binding_id IS NOT NULL AS "bound!"
           FROM directory.engagements e
           JOIN directory.workers w ON w.worker_id = e.worker_id
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           WHERE e.worker_id = ANY($1)
             AND ($2::uuid IS NULL OR e.contractor_id = $2
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
           ORDER BY w.worker_id, e.left_at DESC NULLS FIRST, e.site_id"#,
        &uuids(workers),
        confined_to.map(ContractorId::as_uuid),
    );
    Ok(people.fetch_all(&mut **tx).await?)
}

/// What a sender needs of one person; the openid is sealed for its WeChat user.
#[derive(Debug)]
pub(crate) struct Reachable {
    pub worker_id: Uuid,
    pub name_sealed: Vec<u8>,
    pub id_no_sealed: Option<Vec<u8>>,
    pub face_id: Option<String>,
    pub photo_url_sealed: Option<Vec<u8>>,
    pub wechat_user_id: Option<Uuid>,
    pub openid_sealed: Option<Vec<u8>>,
}

pub(crate) async fn reachable(
    tx: &mut Tx,
    workers: &[WorkerId],
) -> Result<Vec<Reachable>, StoreError> {
    let people = sqlx::query_as!(
        Reachable,
        r#"SELECT w.worker_id, w.name_sealed, w.id_no_sealed, w.face_id, w.photo_url_sealed,
               u.wechat_user_id AS "wechat_user_id?", u.openid_sealed AS "openid_sealed?"
           FROM directory.workers w
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           LEFT JOIN directory.wechat_users u ON u.wechat_user_id = b.wechat_user_id
           WHERE w.worker_id = ANY($1) ORDER BY w.worker_id"#,
        &uuids(workers),
    );
    Ok(people.fetch_all(&mut **tx).await?)
}

/// Somebody on a site's roster now.
#[derive(Debug)]
pub(crate) struct OnSite {
    pub bound: bool,
    /// Their last day there, where the roster says.
    pub until: Option<NaiveDate>,
}

/// Those of `workers` who are on the site's roster now. `confined_to` leaves out other contractors' people.
pub(crate) async fn on_site(
    tx: &mut Tx,
    site: SiteId,
    workers: &[WorkerId],
    confined_to: Option<ContractorId>,
) -> Result<HashMap<WorkerId, OnSite>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT e.worker_id, e.until, b.binding_id IS NOT NULL AS "bound!"
           FROM directory.engagements e
           LEFT JOIN directory.bindings b ON b.worker_id = e.worker_id AND b.ended_at IS NULL
           WHERE e.site_id = $1 AND e.left_at IS NULL AND e.worker_id = ANY($2)
             AND ($3::uuid IS NULL OR e.contractor_id = $3
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))"#,
        site.as_uuid(),
        &uuids(workers),
        confined_to.map(ContractorId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let on_site = rows
        .into_iter()
        .map(|row| (row.worker_id.into(), OnSite { bound: row.bound, until: row.until }));
    Ok(on_site.collect())
}

/// A person found by phone.
#[derive(Debug)]
pub(crate) struct WithPhone {
    pub worker_id: Uuid,
    pub id_no_sealed: Option<Vec<u8>>,
    /// Whether they have the name asked for.
    pub named: bool,
    /// Whether a site they are on is content with the last six characters.
    pub six_are_enough: bool,
}

/// The active people with one of these phones.
pub(crate) async fn with_phone(
    tx: &mut Tx,
    phones: &[Index],
    names: &[Index],
) -> Result<Vec<WithPhone>, StoreError> {
    let people = sqlx::query_as!(
        WithPhone,
        r#"SELECT w.worker_id, w.id_no_sealed, w.name_index = ANY($2) AS "named!",
               EXISTS (SELECT FROM directory.engagements e JOIN directory.sites s ON s.site_id = e.site_id
                       WHERE e.worker_id = w.worker_id AND e.left_at IS NULL AND s.bind_id_last_six)
                   AS "six_are_enough!"
           FROM directory.workers w
           WHERE w.phone_index = ANY($1) AND w.status = 'ACTIVE'"#,
        phones,
        names,
    );
    Ok(people.fetch_all(&mut **tx).await?)
}
