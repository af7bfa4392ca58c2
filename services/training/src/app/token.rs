use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A fresh token of 32 random bytes, shown once, and the hash it is kept under.
pub(crate) fn fresh() -> (String, Vec<u8>) {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hash(&token);
    (token, hash)
}

/// The token of the session that this face token starts. Whoever starts it again, under the same key, shows the face token
/// again and is given the same: nothing that opens anything is kept for that.
pub(crate) fn of_session(face_token: &str) -> (String, Vec<u8>) {
    let digest = Sha256::new().chain_update("training session\0").chain_update(face_token);
    let token = URL_SAFE_NO_PAD.encode(digest.finalize());
    let hash = hash(&token);
    (token, hash)
}

/// A token has 256 random bits, so a plain hash keeps it.
pub(crate) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[cfg(test)]
mod tests {
    use super::{Engine, URL_SAFE_NO_PAD, fresh, hash, of_session};

    #[test]
    fn no_two_tokens_are_the_same_and_each_is_known_by_its_hash() {
        let ((one, kept), (two, _)) = (fresh(), fresh());
        assert_ne!(one, two);
        assert_eq!((one.len(), hash(&one)), (43, kept));
    }

    #[test]
    fn a_session_s_token_is_its_face_token_s_and_no_other_s_and_neither_s_hash() {
        let (face, kept) = fresh();
        let (session, hashed) = of_session(&face);
        assert_eq!(of_session(&face), (session.clone(), hashed.clone()));
        assert_ne!(of_session(&fresh().0).0, session);
        assert_eq!((session.len(), hash(&session)), (43, hashed));
        assert_ne!(session, URL_SAFE_NO_PAD.encode(kept), "what is kept gives none away");
    }
}
