//! What is sealed under a key that is no longer the current one. The first byte of a sealed value says which key; the
//! values and indexes of one row are always of the same.

use service::{StoreError, Tx};
use types::WorkerId;
use uuid::Uuid;

use super::{guarded, uuids};

/// A worker's sealed columns and their indexes.
#[derive(Debug)]
pub(crate) struct SealedWorker {
    pub worker_id: Uuid,
    pub name: Vec<u8>,
    pub name_index: Vec<u8>,
    pub id_no: Option<Vec<u8>>,
    pub id_no_index: Option<Vec<u8>>,
    pub phone: Option<Vec<u8>>,
    pub phone_index: Option<Vec<u8>>,
    pub photo_url: Option<Vec<u8>>,
    pub photo_url_index: Option<Vec<u8>>,
}

/// The first `most` workers after `after` who are sealed under an earlier key than `current`, held until the transaction
/// ends. A later key is that of a process which is ahead of this one.
pub(crate) async fn stale_workers(
    tx: &mut Tx,
    current: u8,
    after: Uuid,
    most: i64,
) -> Result<Vec<SealedWorker>, StoreError> {
    let workers = sqlx::query_as!(
        SealedWorker,
        "SELECT worker_id, name_sealed AS name, name_index, id_no_sealed AS id_no, id_no_index,
             phone_sealed AS phone, phone_index, photo_url_sealed AS photo_url, photo_url_index
         FROM directory.workers WHERE get_byte(name_sealed, 0) < $1 AND worker_id > $2
         ORDER BY worker_id LIMIT $3 FOR NO KEY UPDATE",
        i32::from(current),
        after,
        most,
    );
    Ok(workers.fetch_all(&mut **tx).await?)
}

/// Those of `workers`, whom the caller holds, who are sealed under another key than `current`.
pub(crate) async fn stale_of(
    tx: &mut Tx,
    current: u8,
    workers: &[WorkerId],
) -> Result<Vec<SealedWorker>, StoreError> {
    let workers = sqlx::query_as!(
        SealedWorker,
        "SELECT worker_id, name_sealed AS name, name_index, id_no_sealed AS id_no, id_no_index,
             phone_sealed AS phone, phone_index, photo_url_sealed AS photo_url, photo_url_index
         FROM directory.workers WHERE get_byte(name_sealed, 0) <> $1 AND worker_id = ANY($2)",
        i32::from(current),
        &uuids(workers),
    );
    Ok(workers.fetch_all(&mut **tx).await?)
}

/// Writes sealed columns and indexes of workers who are held. Who they are stays the same, and so does their version.
pub(crate) async fn save_workers(tx: &mut Tx, workers: &[SealedWorker]) -> Result<(), StoreError> {
    let column =
        |read: fn(&SealedWorker) -> Option<Vec<u8>>| workers.iter().map(read).collect::<Vec<_>>();
    let result = sqlx::query!(
        "UPDATE directory.workers w SET name_sealed = new.name, name_index = new.name_index,
             id_no_sealed = new.id_no, id_no_index = new.id_no_index, phone_sealed = new.phone,
             phone_index = new.phone_index, photo_url_sealed = new.photo_url, photo_url_index = new.photo_url_index
         FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[],
             $8::bytea[], $9::bytea[])
             AS new (worker_id, name, name_index, id_no, id_no_index, phone, phone_index, photo_url, photo_url_index)
         WHERE w.worker_id = new.worker_id",
        &workers.iter().map(|worker| worker.worker_id).collect::<Vec<_>>(),
        &workers.iter().map(|worker| worker.name.clone()).collect::<Vec<_>>(),
        &workers.iter().map(|worker| worker.name_index.clone()).collect::<Vec<_>>(),
        &column(|worker| worker.id_no.clone()) as _,
        &column(|worker| worker.id_no_index.clone()) as _,
        &column(|worker| worker.phone.clone()) as _,
        &column(|worker| worker.phone_index.clone()) as _,
        &column(|worker| worker.photo_url.clone()) as _,
        &column(|worker| worker.photo_url_index.clone()) as _,
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, workers.len())
}

/// A WeChat user's sealed columns and the index.
#[derive(Debug)]
pub(crate) struct SealedUser {
    pub wechat_user_id: Uuid,
    pub openid: Vec<u8>,
    pub openid_index: Vec<u8>,
    pub unionid: Option<Vec<u8>>,
}

/// As [`stale_workers`], of WeChat users.
pub(crate) async fn stale_users(
    tx: &mut Tx,
    current: u8,
    after: Uuid,
    most: i64,
) -> Result<Vec<SealedUser>, StoreError> {
    let users = sqlx::query_as!(
        SealedUser,
        "SELECT wechat_user_id, openid_sealed AS openid, openid_index, unionid_sealed AS unionid
         FROM directory.wechat_users WHERE get_byte(openid_sealed, 0) < $1 AND wechat_user_id > $2
         ORDER BY wechat_user_id LIMIT $3 FOR NO KEY UPDATE",
        i32::from(current),
        after,
        most,
    );
    Ok(users.fetch_all(&mut **tx).await?)
}

/// As [`save_workers`], of WeChat users.
pub(crate) async fn save_users(tx: &mut Tx, users: &[SealedUser]) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.wechat_users u SET openid_sealed = new.openid, openid_index = new.openid_index,
             unionid_sealed = new.unionid
         FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[])
             AS new (wechat_user_id, openid, openid_index, unionid)
         WHERE u.wechat_user_id = new.wechat_user_id",
        &users.iter().map(|user| user.wechat_user_id).collect::<Vec<_>>(),
        &users.iter().map(|user| user.openid.clone()).collect::<Vec<_>>(),
        &users.iter().map(|user| user.openid_index.clone()).collect::<Vec<_>>(),
        &users.iter().map(|user| user.unionid.clone()).collect::<Vec<_>>() as _,
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, users.len())
}

/// How many rows of each table are sealed under which key version.
pub(crate) async fn versions(tx: &mut Tx) -> Result<Vec<(String, i32, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT 'workers' AS "table!", get_byte(name_sealed, 0) AS "version!", count(*) AS "count!"
           FROM directory.workers GROUP BY 2
           UNION ALL
           SELECT 'wechat_users', get_byte(openid_sealed, 0), count(*) FROM directory.wechat_users GROUP BY 2
           ORDER BY 1, 2"#,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.table, row.version, row.count)).collect())
}
