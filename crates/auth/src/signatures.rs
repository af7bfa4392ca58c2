use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::RootTooShort;
use crate::keys::Root;

/// Signs what others are to verify without us, with an Ed25519 key. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    key: Arc<SigningKey>,
}

/// What a [`Signer`]'s signatures are verified with; written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an Ed25519 public key of 64 hexadecimal digits")]
pub struct InvalidPublicKey;

impl Signer {
    /// `secret` is at least 32 bytes. The same secret and label give the same key in every process, another label gives
    /// another.
    pub fn from_root(secret: &[u8], label: &str) -> Result<Self, RootTooShort> {
        Ok(Self { key: Arc::new(Root::new(secret)?.key(label)) })
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// The same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public_key())
    }
}

impl PublicKey {
    /// Whether `signature` is this key's of `message`. Strict: nothing but what a signer makes passes.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidPublicKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| InvalidPublicKey)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidPublicKey, PublicKey, Signer};
    use crate::RootTooShort;

    #[test]
    fn a_signature_is_of_one_message_and_one_key() {
        let signer = Signer::from_root(&[7; 32], "a label").unwrap();
        let signature = signer.sign(b"message");
        assert!(signer.public_key().verifies(b"message", &signature));
        assert!(!signer.public_key().verifies(b"massage", &signature));
        let other = Signer::from_root(&[7; 32], "another label").unwrap();
        assert!(!other.public_key().verifies(b"message", &signature));
        let mut altered = signature;
        altered[0] ^= 1;
        assert!(!signer.public_key().verifies(b"message", &altered));
    }

    #[test]
    fn a_public_key_reads_back_and_the_secret_one_does_not_print() {
        let signer = Signer::from_root(&[7; 32], "a label").unwrap();
        let written = signer.public_key().to_string();
        assert_eq!(written.parse(), Ok(signer.public_key()));
        assert_eq!(format!("{signer:?}"), format!("Signer({written})"));
        for text in ["", "zz", &written[..62], &format!("{written}00")] {
            assert_eq!(text.parse::<PublicKey>(), Err(InvalidPublicKey), "{text}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Signer::from_root(&[7; 31], "a label").unwrap_err(), RootTooShort);
    }
}
