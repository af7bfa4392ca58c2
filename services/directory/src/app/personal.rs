//! Sealing, indexing, opening and masking. What is opened lives as short as its answer.

use service::StoreError;
use uuid::Uuid;
use vault::{IdNo, Phone, Vault, mask_id_no, mask_phone};

use crate::domain::{Index, Keys, WechatUserId, Worker};
use crate::realname::Listed;
use crate::store::people::Person;
use crate::store::workers::Sealed;

const NAME: &str = "worker.name";
const ID_NO: &str = "worker.id_no";
const PHONE: &str = "worker.phone";
const OPENID: &str = "wechat.openid";
const UNIONID: &str = "wechat.unionid";

pub(super) fn name_index(vault: &Vault, name: &str) -> Index {
    vault.blind_index(NAME, name.trim()).to_vec()
}

pub(super) fn id_no_index(vault: &Vault, id_no: &IdNo) -> Index {
    vault.blind_index(ID_NO, id_no.as_str()).to_vec()
}

pub(super) fn phone_index(vault: &Vault, phone: &Phone) -> Index {
    vault.blind_index(PHONE, phone.as_str()).to_vec()
}

pub(super) fn openid_index(vault: &Vault, openid: &str) -> Index {
    vault.blind_index(OPENID, openid).to_vec()
}

pub(super) fn keys(vault: &Vault, listed: &Listed) -> Keys {
    Keys {
        name: name_index(vault, &listed.name),
        id_no: listed.id_no.as_ref().map(|id_no| id_no_index(vault, id_no)),
        phone: listed.phone.as_ref().map(|phone| phone_index(vault, phone)),
    }
}

pub(super) fn seal(vault: &Vault, worker: Worker, listed: &Listed) -> Sealed {
    let record = worker.id.as_uuid();
    let seal = |purpose, text: &str| vault.seal(purpose, record, text.as_bytes());
    Sealed {
        name: seal(NAME, &listed.name),
        id_no: listed.id_no.as_ref().map(|id_no| seal(ID_NO, id_no.as_str())),
        phone: listed.phone.as_ref().map(|phone| seal(PHONE, phone.as_str())),
        worker,
    }
}

pub(super) fn seal_openid(vault: &Vault, user: WechatUserId, openid: &str) -> Vec<u8> {
    vault.seal(OPENID, user.0, openid.as_bytes())
}

pub(super) fn seal_unionid(vault: &Vault, user: WechatUserId, unionid: &str) -> Vec<u8> {
    vault.seal(UNIONID, user.0, unionid.as_bytes())
}

pub(super) fn open_openid(vault: &Vault, user: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
    open(vault, OPENID, "wechat_users", user, sealed)
}

/// A person's name and numbers in clear.
pub(super) struct Opened {
    pub name: String,
    pub id_no: Option<String>,
    pub phone: Option<String>,
}

pub(super) fn open_worker(
    vault: &Vault,
    worker: Uuid,
    name: &[u8],
    id_no: Option<&[u8]>,
    phone: Option<&[u8]>,
) -> Result<Opened, StoreError> {
    let open = |purpose, sealed: &[u8]| open(vault, purpose, "workers", worker, sealed);
    Ok(Opened {
        name: open(NAME, name)?,
        id_no: id_no.map(|sealed| open(ID_NO, sealed)).transpose()?,
        phone: phone.map(|sealed| open(PHONE, sealed)).transpose()?,
    })
}

/// A row for a list: the name in full, the numbers masked.
pub(super) fn row(
    vault: &Vault,
    person: Person,
) -> Result<proto::directory::v1::WorkerRow, StoreError> {
    let opened = open_worker(
        vault,
        person.worker_id,
        &person.name_sealed,
        person.id_no_sealed.as_deref(),
        person.phone_sealed.as_deref(),
    )?;
    Ok(proto::directory::v1::WorkerRow {
        worker_id: person.worker_id.to_string(),
        name: opened.name,
        id_no_masked: opened.id_no.as_deref().map(mask_id_no).unwrap_or_default(),
        phone_masked: opened.phone.as_deref().map(mask_phone).unwrap_or_default(),
        contractor_id: person.contractor_id.map(|id| id.to_string()).unwrap_or_default(),
        trade: person.trade,
        team: person.team,
        bound: person.bound,
        face_id: person.face_id.unwrap_or_default(),
    })
}

fn open(
    vault: &Vault,
    purpose: &str,
    table: &'static str,
    record: Uuid,
    sealed: &[u8],
) -> Result<String, StoreError> {
    let opened =
        vault.open(purpose, record, sealed).map_err(|_| StoreError::corrupt(table, record))?;
    String::from_utf8(opened.to_vec()).map_err(|_| StoreError::corrupt(table, record))
}
