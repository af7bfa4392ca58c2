use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A fresh token of 32 random bytes, shown once, and the hash it is kept under.
pub(crate) fn fresh() -> (String, Vec<u8>) {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hash(&token);
    (token, hash)
}

/// A token has 256 random bits, so a plain hash keeps it.
pub(crate) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[cfg(test)]
mod tests {
    use super::{fresh, hash};

    #[test]
    fn no_two_tokens_are_the_same_and_each_is_known_by_its_hash() {
        let ((one, kept), (two, _)) = (fresh(), fresh());
        assert_ne!(one, two);
        assert_eq!((one.len(), hash(&one)), (43, kept));
    }
}
