use std::fmt;
use std::sync::Arc;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const MIN_ROOT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// Roots that make no ring of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRoots {
    #[error("a root secret is shorter than {MIN_ROOT_BYTES} bytes")]
    TooShort,
    /// A version is one byte, and 0 is none.
    #[error("more than 255 roots")]
    TooMany,
    #[error("there is no root to seal with")]
    NoCurrent,
}

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
///
/// The keys form a ring: each root has a version, counted from 1, and what is sealed says by which. One of them is
/// current; the others open and find what was sealed by them.
#[derive(Clone)]
pub struct Vault {
    ring: Arc<Ring>,
}

struct Ring {
    /// By version less one; a retired version has none.
    keys: Vec<Option<Key>>,
    current: u8,
}

struct Key {
    cipher: Aes256GcmSiv,
    index: Zeroizing<[u8; 32]>,
}

impl Key {
    fn new(root: &[u8]) -> Result<Self, BadRoots> {
        if root.len() < MIN_ROOT_BYTES {
            return Err(BadRoots::TooShort);
        }
        let key = Zeroizing::new(hmac(root, &[b"sitepass vault seal 1"]));
        Ok(Self {
            cipher: Aes256GcmSiv::new((&*key).into()),
            index: Zeroizing::new(hmac(root, &[b"sitepass vault index 1"])),
        })
    }

    fn blind_index(&self, purpose: &str, value: &str) -> [u8; 32] {
        let length = length(purpose.len());
        hmac(self.index.as_slice(), &[&length, purpose.as_bytes(), value.as_bytes()])
    }
}

impl Vault {
    /// A ring of one. `root` is at least 32 secret bytes. Without it nothing sealed opens again, and no index is found
    /// again.
    pub fn from_root(root: &[u8]) -> Result<Self, BadRoots> {
        Self::from_ring(&[Some(root)], 1)
    }

    /// Roots by version, the first being 1; a version that nothing is sealed with any more may be left out. New values
    /// are sealed under `current`.
    pub fn from_ring(roots: &[Option<&[u8]>], current: u8) -> Result<Self, BadRoots> {
        if roots.len() > usize::from(u8::MAX) {
            return Err(BadRoots::TooMany);
        }
        let keys = roots.iter().map(|root| root.map(Key::new).transpose());
        let ring = Ring { keys: keys.collect::<Result<_, _>>()?, current };
        ring.key(current).ok_or(BadRoots::NoCurrent)?;
        Ok(Self { ring: Arc::new(ring) })
    }

    /// The version that seals, from 1: the first byte of what it sealed.
    pub fn key_version(&self) -> u8 {
        self.ring.current
    }

    /// Seals `plain` for one column (`purpose`, such as `worker.id_no`) of one record; it opens for no other. The same
    /// value seals to other bytes each time: key version, nonce, ciphertext, tag; 29 bytes longer than `plain`.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn seal(&self, purpose: &str, record: Uuid, plain: &[u8]) -> Vec<u8> {
        let version = self.ring.current;
        let mut sealed = vec![0; HEAD_BYTES];
        sealed[0] = version;
        getrandom::fill(&mut sealed[1..]).expect("the operating system gives random bytes");
        let aad = associated_data(version, purpose, record);
        let ciphertext = self
            .ring
            .sealing()
            .cipher
            .encrypt(&nonce(&sealed), Payload { msg: plain, aad: &aad })
            .expect("a value in memory is shorter than 64 GiB");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// What was sealed for this `purpose` and `record`, under any key of the ring; wiped when dropped.
    pub fn open(
        &self,
        purpose: &str,
        record: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let version = *sealed.first().ok_or(Broken::TooShort)?;
        let key = self.ring.key(version).ok_or(Broken::UnknownKey(version))?;
        if sealed.len() < HEAD_BYTES + TAG_BYTES {
            return Err(Broken::TooShort);
        }
        let aad = associated_data(version, purpose, record);
        let payload = Payload { msg: &sealed[HEAD_BYTES..], aad: &aad };
        key.cipher
            .decrypt(&nonce(sealed), payload)
            .map(Zeroizing::new)
            .map_err(|_| Broken::NotAuthentic)
    }

    /// A keyed hash to find equal values by, under the current key: the same for the same purpose and value, unrelated
    /// between purposes. Normalise first; it tells nothing without the root.
    pub fn blind_index(&self, purpose: &str, value: &str) -> [u8; 32] {
        self.ring.sealing().blind_index(purpose, value)
    }

    /// What [`Self::blind_index`] is or was under each key of the ring, the current one's first: while values are
    /// sealed anew, look for all of them.
    pub fn blind_indexes(&self, purpose: &str, value: &str) -> Vec<[u8; 32]> {
        let mut indexes = vec![self.blind_index(purpose, value)];
        let current = usize::from(self.ring.current) - 1;
        let others = self.ring.keys.iter().enumerate().filter(|(at, _)| *at != current);
        let others = others.filter_map(|(_, key)| Some(key.as_ref()?.blind_index(purpose, value)));
        indexes.extend(others);
        indexes
    }
}

impl Ring {
    fn key(&self, version: u8) -> Option<&Key> {
        self.keys.get(usize::from(version).checked_sub(1)?)?.as_ref()
    }

    fn sealing(&self) -> &Key {
        self.key(self.current).expect("a ring has its current key")
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
        assert_eq!(Vault::from_root(&[7; 31]).unwrap_err(), BadRoots::TooShort);
        assert_eq!(format!("{:?}", vault()), "Vault(***)");
    }

    const SECOND: &[u8] = b"a second secret of thirty-two bytes";

    fn rotated() -> Vault {
        Vault::from_ring(&[Some(ROOT), Some(SECOND)], 2).unwrap()
    }

    #[test]
    fn what_an_earlier_key_sealed_opens_and_what_is_sealed_now_says_the_new_one() {
        let before = vault().seal("worker.id_no", RECORD, b"secret");
        let after = rotated().seal("worker.id_no", RECORD, b"secret");
        assert_eq!((before[0], after[0], rotated().key_version()), (1, 2, 2));
        for sealed in [&before, &after] {
            assert_eq!(
                rotated().open("worker.id_no", RECORD, sealed).unwrap().as_slice(),
                b"secret"
            );
        }
        assert_eq!(vault().open("worker.id_no", RECORD, &after), Err(Broken::UnknownKey(2)));
    }

    #[test]
    fn one_key_s_value_does_not_pass_for_another_s() {
        let mut sealed = vault().seal("worker.id_no", RECORD, b"secret");
        sealed[0] = 2;
        assert_eq!(rotated().open("worker.id_no", RECORD, &sealed), Err(Broken::NotAuthentic));
        // The same root twice: the version alone tells them apart.
        let twice = Vault::from_ring(&[Some(ROOT), Some(ROOT)], 2).unwrap();
        assert_eq!(twice.open("worker.id_no", RECORD, &sealed), Err(Broken::NotAuthentic));
    }

    #[test]
    fn a_value_is_found_by_its_index_of_any_key_and_the_current_one_comes_first() {
        let old = vault().blind_index("worker.phone", "1");
        let new = rotated().blind_index("worker.phone", "1");
        assert_ne!(old, new);
        assert_eq!(rotated().blind_indexes("worker.phone", "1"), [new, old]);
        let upcoming = Vault::from_ring(&[Some(ROOT), Some(SECOND)], 1).unwrap();
        assert_eq!(upcoming.blind_indexes("worker.phone", "1"), [old, new]);
        assert_eq!(upcoming.seal("p", RECORD, b"secret")[0], 1);
    }

    #[test]
    fn a_retired_key_opens_nothing_and_the_versions_after_it_stay_what_they_are() {
        let retired = Vault::from_ring(&[None, Some(SECOND)], 2).unwrap();
        let (old, new) = (vault().seal("p", RECORD, b"1"), rotated().seal("p", RECORD, b"2"));
        assert_eq!(retired.open("p", RECORD, &old), Err(Broken::UnknownKey(1)));
        assert_eq!(retired.open("p", RECORD, &new).unwrap().as_slice(), b"2");
        assert_eq!(retired.blind_indexes("p", "v").len(), 1);
    }

    #[test]
    fn a_ring_without_its_current_key_or_with_too_many_is_refused() {
        for (roots, current) in
            [(&[None, Some(ROOT)][..], 1), (&[Some(ROOT)], 2), (&[Some(ROOT)], 0)]
        {
            assert_eq!(Vault::from_ring(roots, current).unwrap_err(), BadRoots::NoCurrent);
        }
        assert_eq!(Vault::from_ring(&[Some(ROOT); 256], 1).unwrap_err(), BadRoots::TooMany);
        assert_eq!(
            Vault::from_ring(&[Some(&[7; 31]), Some(ROOT)], 2).unwrap_err(),
            BadRoots::TooShort
        );
    }
}
