use std::fmt;
use std::sync::Arc;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const MIN_ROOT_BYTES: usize = 32;
/// The one key there is; a second gets the next number, and `open` chooses by it.
const KEY_VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// A root secret of fewer than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the root secret is shorter than {MIN_ROOT_BYTES} bytes")]
pub struct RootTooShort;

/// Why a sealed value does not open. Trying again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("sealed value too short")]
    TooShort,
    /// Sealed with a key this process does not have.
    #[error("sealed with key version {0}, which is not known")]
    UnknownKey(u8),
    /// Altered, sealed under another root, or for another purpose or record.
    #[error("sealed value not authentic")]
    NotAuthentic,
}

/// Seals personal data for the database, and makes the blind indexes it is looked up by. Clones share the keys.
#[derive(Clone)]
pub struct Vault {
    cipher: Arc<Aes256GcmSiv>,
    index: Arc<Zeroizing<[u8; 32]>>,
}

impl Vault {
    /// `root` is at least 32 secret bytes. Without it nothing sealed opens again, and no index is found again.
    pub fn from_root(root: &[u8]) -> Result<Self, RootTooShort> {
        if root.len() < MIN_ROOT_BYTES {
            return Err(RootTooShort);
        }
        let key = Zeroizing::new(hmac(root, &[b"sitepass vault seal 1"]));
        let cipher = Aes256GcmSiv::new((&*key).into());
        Ok(Self {
            cipher: Arc::new(cipher),
            index: Arc::new(Zeroizing::new(hmac(root, &[b"sitepass vault index 1"]))),
        })
    }

    /// Seals `plain` for one column (`purpose`, such as `worker.id_no`) of one record; it opens for no other. The same
    /// value seals to other bytes each time: key version, nonce, ciphertext, tag; 29 bytes longer than `plain`.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn seal(&self, purpose: &str, record: Uuid, plain: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; HEAD_BYTES];
        sealed[0] = KEY_VERSION;
        getrandom::fill(&mut sealed[1..]).expect("the operating system gives random bytes");
        let aad = associated_data(KEY_VERSION, purpose, record);
        let ciphertext = self
            .cipher
            .encrypt(&nonce(&sealed), Payload { msg: plain, aad: &aad })
            .expect("a value in memory is shorter than 64 GiB");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// What was sealed for this `purpose` and `record`; wiped when dropped.
    pub fn open(
        &self,
        purpose: &str,
        record: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let version = *sealed.first().ok_or(Broken::TooShort)?;
        if version != KEY_VERSION {
            return Err(Broken::UnknownKey(version));
        }
        if sealed.len() < HEAD_BYTES + TAG_BYTES {
            return Err(Broken::TooShort);
        }
        let aad = associated_data(version, purpose, record);
        let payload = Payload { msg: &sealed[HEAD_BYTES..], aad: &aad };
        self.cipher
            .decrypt(&nonce(sealed), payload)
            .map(Zeroizing::new)
            .map_err(|_| Broken::NotAuthentic)
    }

    /// A keyed hash to find equal values by: the same for the same purpose and value, unrelated between purposes.
    /// Normalise first; it tells nothing without the root.
    pub fn blind_index(&self, purpose: &str, value: &str) -> [u8; 32] {
        hmac(self.index.as_slice(), &[&length(purpose.len()), purpose.as_bytes(), value.as_bytes()])
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

/// Lengths come before what varies, so that no two different pairs read the same.
fn associated_data(version: u8, purpose: &str, record: Uuid) -> Vec<u8> {
    [&[version][..], &length(purpose.len()), purpose.as_bytes(), record.as_bytes()].concat()
}

fn length(bytes: usize) -> [u8; 8] {
    u64::try_from(bytes).expect("a length in memory fits 64 bits").to_be_bytes()
}

fn nonce(sealed: &[u8]) -> Nonce {
    let bytes: [u8; NONCE_BYTES] =
        sealed[1..HEAD_BYTES].try_into().expect("the head holds a nonce");
    bytes.into()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &[u8] = b"a root secret of thirty-two bytes";
    const RECORD: Uuid = Uuid::from_u128(7);

    fn vault() -> Vault {
        Vault::from_root(ROOT).unwrap()
    }

    proptest! {
        #[test]
        fn whatever_was_sealed_opens(plain: Vec<u8>, purpose: String, record: u128) {
            let record = Uuid::from_u128(record);
            let sealed = vault().seal(&purpose, record, &plain);
            prop_assert_eq!(sealed.len(), plain.len() + 29);
            prop_assert_eq!(vault().open(&purpose, record, &sealed).map(|opened| opened.to_vec()), Ok(plain));
        }

        #[test]
        fn no_bytes_make_it_panic(sealed: Vec<u8>) {
            prop_assert!(vault().open("worker.id_no", RECORD, &sealed).is_err());
        }
    }

    #[test]
    fn a_sealed_value_moved_to_another_record_does_not_open() {
        let sealed = vault().seal("worker.id_no", RECORD, b"secret");
        let opened = vault().open("worker.id_no", Uuid::from_u128(8), &sealed);
        assert_eq!(opened, Err(Broken::NotAuthentic));
    }

    #[test]
    fn a_sealed_value_moved_to_another_column_does_not_open() {
        let sealed = vault().seal("worker.id_no", RECORD, b"secret");
        assert_eq!(vault().open("worker.phone", RECORD, &sealed), Err(Broken::NotAuthentic));
    }

    #[test]
    fn no_byte_of_a_sealed_value_can_be_altered() {
        let sealed = vault().seal("worker.id_no", RECORD, b"secret");
        for index in 1..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(
                vault().open("worker.id_no", RECORD, &altered),
                Err(Broken::NotAuthentic),
                "byte {index}"
            );
        }
    }

    #[test]
    fn a_value_of_another_key_version_is_refused_by_its_first_byte() {
        let mut sealed = vault().seal("worker.id_no", RECORD, b"secret");
        assert_eq!(sealed[0], 1);
        sealed[0] = 2;
        assert_eq!(vault().open("worker.id_no", RECORD, &sealed), Err(Broken::UnknownKey(2)));
    }

    #[test]
    fn a_value_cut_short_is_refused() {
        let sealed = vault().seal("worker.id_no", RECORD, b"");
        for length in [0, 1, 13, 28] {
            assert_eq!(
                vault().open("worker.id_no", RECORD, &sealed[..length]),
                Err(Broken::TooShort)
            );
        }
        let sealed = vault().seal("worker.id_no", RECORD, b"secret");
        assert_eq!(vault().open("worker.id_no", RECORD, &sealed[..30]), Err(Broken::NotAuthentic));
    }

    #[test]
    fn the_same_value_seals_to_other_bytes_each_time() {
        assert_ne!(vault().seal("p", RECORD, b"secret"), vault().seal("p", RECORD, b"secret"));
    }

    #[test]
    fn another_root_opens_and_finds_nothing() {
        let other = Vault::from_root(b"another secret of thirty-two bytes").unwrap();
        let sealed = vault().seal("p", RECORD, b"secret");
        assert_eq!(other.open("p", RECORD, &sealed), Err(Broken::NotAuthentic));
        assert_ne!(other.blind_index("p", "value"), vault().blind_index("p", "value"));
    }

    #[test]
    fn a_blind_index_is_the_same_for_a_purpose_and_another_for_the_next() {
        let vault = vault();
        assert_eq!(
            vault.blind_index("worker.phone", "1"),
            vault.clone().blind_index("worker.phone", "1")
        );
        assert_ne!(vault.blind_index("worker.phone", "1"), vault.blind_index("worker.phone", "2"));
        assert_ne!(vault.blind_index("worker.phone", "1"), vault.blind_index("worker.id_no", "1"));
        assert_ne!(vault.blind_index("ab", "c"), vault.blind_index("a", "bc"));
    }

    #[test]
    fn a_short_root_is_refused_and_a_vault_never_prints_its_keys() {
        assert_eq!(Vault::from_root(&[7; 31]).unwrap_err(), RootTooShort);
        assert_eq!(format!("{:?}", vault()), "Vault(***)");
    }
}
