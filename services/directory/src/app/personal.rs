//! Sealing, indexing, opening and masking. What is opened lives as short as its answer.

use service::StoreError;
use uuid::Uuid;
use vault::{IdNo, Phone, Vault, mask_id_no, mask_phone};

use crate::domain::{Index, Keys, WechatUserId, Worker};
use crate::realname::Listed;
use crate::store::people::Person;
use crate::store::sealed::{SealedUser, SealedWorker};
use crate::store::workers::Sealed;

const NAME: &str = "worker.name";
const ID_NO: &str = "worker.id_no";
const PHONE: &str = "worker.phone";
const PHOTO_URL: &str = "worker.photo_url";
const OPENID: &str = "wechat.openid";
const UNIONID: &str = "wechat.unionid";

/// What a name is found by: its index under each key of the vault, the current one's first. So it is with all below.
pub(super) fn name_indexes(vault: &Vault, name: &str) -> Vec<Index> {
    indexes(vault, NAME, name.trim())
}

pub(super) fn id_no_indexes(vault: &Vault, id_no: &IdNo) -> Vec<Index> {
    indexes(vault, ID_NO, id_no.as_str())
}

pub(super) fn phone_indexes(vault: &Vault, phone: &Phone) -> Vec<Index> {
    indexes(vault, PHONE, phone.as_str())
}

pub(super) fn openid_indexes(vault: &Vault, openid: &str) -> Vec<Index> {
    indexes(vault, OPENID, openid)
}

fn indexes(vault: &Vault, purpose: &str, value: &str) -> Vec<Index> {
    vault.blind_indexes(purpose, value).into_iter().map(|index| index.to_vec()).collect()
}

/// What a phone's rows are kept under that do not outlive a change of keys.
pub(super) fn phone_index(vault: &Vault, phone: &Phone) -> Index {
    vault.blind_index(PHONE, phone.as_str()).to_vec()
}

/// What a person is kept by.
pub(super) fn keys(vault: &Vault, listed: &Listed) -> Keys {
    let id_no = listed.id_no.as_ref().map(IdNo::as_str);
    keys_of(vault, &listed.name, id_no, listed.phone.as_ref().map(Phone::as_str))
}

/// What somebody is found by under the current key, whichever they are kept under.
pub(super) fn current_keys(vault: &Vault, person: &Person) -> Result<Keys, StoreError> {
    let opened = open_person(vault, person)?;
    Ok(keys_of(vault, &opened.name, opened.id_no.as_deref(), opened.phone.as_deref()))
}

fn keys_of(vault: &Vault, name: &str, id_no: Option<&str>, phone: Option<&str>) -> Keys {
    let index = |purpose, value: &str| vault.blind_index(purpose, value).to_vec();
    Keys {
        name: index(NAME, name.trim()),
        id_no: id_no.map(|text| index(ID_NO, text)),
        phone: phone.map(|text| index(PHONE, text)),
    }
}

/// What a person may be kept by, under each key.
pub(super) fn all_keys(vault: &Vault, listed: &Listed) -> Vec<Keys> {
    let names = name_indexes(vault, &listed.name);
    let mut id_nos = listed
        .id_no
        .as_ref()
        .map(|id_no| id_no_indexes(vault, id_no))
        .unwrap_or_default()
        .into_iter();
    let mut phones = listed
        .phone
        .as_ref()
        .map(|phone| phone_indexes(vault, phone))
        .unwrap_or_default()
        .into_iter();
    let keys = |name| Keys { name, id_no: id_nos.next(), phone: phones.next() };
    names.into_iter().map(keys).collect()
}

pub(super) fn photo_index(vault: &Vault, listed: &Listed) -> Option<Index> {
    listed.photo_url.as_ref().map(|url| vault.blind_index(PHOTO_URL, url).to_vec())
}

pub(super) fn seal(vault: &Vault, worker: Worker, listed: &Listed) -> Sealed {
    let record = worker.id.as_uuid();
    let seal = |purpose, text: &str| vault.seal(purpose, record, text.as_bytes());
    Sealed {
        name: seal(NAME, &listed.name),
        id_no: listed.id_no.as_ref().map(|id_no| seal(ID_NO, id_no.as_str())),
        phone: listed.phone.as_ref().map(|phone| seal(PHONE, phone.as_str())),
        photo_url: listed.photo_url.as_ref().map(|url| seal(PHOTO_URL, url)),
        worker,
    }
}

pub(super) fn seal_openid(vault: &Vault, user: WechatUserId, openid: &str) -> Vec<u8> {
    vault.seal(OPENID, user.0, openid.as_bytes())
}

pub(super) fn seal_unionid(vault: &Vault, user: WechatUserId, unionid: &str) -> Vec<u8> {
    vault.seal(UNIONID, user.0, unionid.as_bytes())
}

/// A worker as kept, under the current key.
pub(super) fn seal_worker_anew(
    vault: &Vault,
    kept: &SealedWorker,
) -> Result<SealedWorker, StoreError> {
    let record = kept.worker_id;
    let opened =
        open_worker(vault, record, &kept.name, kept.id_no.as_deref(), kept.phone.as_deref())?;
    let photo_url = kept.photo_url.as_deref().map(|sealed| open_photo_url(vault, record, sealed));
    let photo_url = photo_url.transpose()?;
    let seal = |purpose, text: &String| vault.seal(purpose, record, text.as_bytes());
    let keys = keys_of(vault, &opened.name, opened.id_no.as_deref(), opened.phone.as_deref());
    Ok(SealedWorker {
        worker_id: record,
        name: seal(NAME, &opened.name),
        name_index: keys.name,
        id_no: opened.id_no.as_ref().map(|text| seal(ID_NO, text)),
        id_no_index: keys.id_no,
        phone: opened.phone.as_ref().map(|text| seal(PHONE, text)),
        phone_index: keys.phone,
        photo_url: photo_url.as_ref().map(|text| seal(PHOTO_URL, text)),
        photo_url_index: photo_url.map(|text| vault.blind_index(PHOTO_URL, &text).to_vec()),
    })
}

/// A WeChat user as kept, under the current key.
pub(super) fn seal_user_anew(vault: &Vault, kept: &SealedUser) -> Result<SealedUser, StoreError> {
    let record = kept.wechat_user_id;
    let openid = open_openid(vault, record, &kept.openid)?;
    let unionid = kept.unionid.as_deref();
    let unionid = unionid.map(|sealed| open(vault, UNIONID, "wechat_users", record, sealed));
    Ok(SealedUser {
        wechat_user_id: record,
        openid_index: vault.blind_index(OPENID, &openid).to_vec(),
        openid: vault.seal(OPENID, record, openid.as_bytes()),
        unionid: unionid.transpose()?.map(|text| vault.seal(UNIONID, record, text.as_bytes())),
    })
}

pub(super) fn open_photo_url(
    vault: &Vault,
    worker: Uuid,
    sealed: &[u8],
) -> Result<String, StoreError> {
    open(vault, PHOTO_URL, "workers", worker, sealed)
}

pub(super) fn open_name(vault: &Vault, worker: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
    open(vault, NAME, "workers", worker, sealed)
}

pub(super) fn open_id_no(vault: &Vault, worker: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
    open(vault, ID_NO, "workers", worker, sealed)
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

fn open_person(vault: &Vault, person: &Person) -> Result<Opened, StoreError> {
    let Person { worker_id, name_sealed, id_no_sealed, phone_sealed, .. } = person;
    open_worker(vault, *worker_id, name_sealed, id_no_sealed.as_deref(), phone_sealed.as_deref())
}

/// A row for a list: the name in full, the numbers masked.
pub(super) fn row(
    vault: &Vault,
    person: Person,
) -> Result<proto::directory::v1::WorkerRow, StoreError> {
    let opened = open_person(vault, &person)?;
    Ok(proto::directory::v1::WorkerRow {
        worker_id: person.worker_id.to_string(),
        name: opened.name,
        id_no_masked: opened.id_no.as_deref().map(mask_id_no).unwrap_or_default(),
        phone_masked: opened.phone.as_deref().map(mask_phone).unwrap_or_default(),
        contractor_id: person.contractor_id.map(|id| id.to_string()).unwrap_or_default(),
        trade: person.trade,
        team: person.team,
        bound: person.bound,
        contractor_unknown: person.contractor_unknown,
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
