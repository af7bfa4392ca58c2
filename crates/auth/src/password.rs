//! Passwords of administrators: Argon2id with 19 MiB, two passes, one lane (OWASP's first choice).
//!
//! Each call takes tens of milliseconds of processor time and 19 MiB: make it on a blocking thread.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The hash of nothing anyone knows, made as [`hash`] makes them: to be verified where there is no account to verify
/// against, so that the time taken does not tell which names exist.
pub const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2l0ZXBhc3MtZHVtbXktMQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password could not be hashed: longer than 4 GiB, or the system gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("password cannot be hashed")]
pub struct NotHashed;

/// A PHC string with a salt of its own: the same password hashes to another string each time.
pub fn hash(password: &str) -> Result<String, NotHashed> {
    let hash = argon2().hash_password(password.as_bytes()).map_err(|_| NotHashed)?;
    Ok(hash.to_string())
}

/// Whether `hash` was made from `password`. A hash that does not parse fits no password.
pub fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_and_no_other_does() {
        let hash = hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horsf", &hash));
        assert!(!verify("", &hash));
    }

    #[test]
    fn the_same_password_hashes_to_another_string_each_time() {
        assert_ne!(hash("same").unwrap(), hash("same").unwrap());
    }

    #[test]
    fn what_is_no_hash_fits_no_password() {
        for hash in
            ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$abcdefghijklmnopqrstuv"]
        {
            assert!(!verify("plain", hash), "{hash}");
        }
    }

    #[test]
    fn nobodys_costs_what_a_real_hash_costs() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let real = hash("anything").unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(
            (nobodys.algorithm, nobodys.version, &nobodys.params),
            (real.algorithm, real.version, &real.params)
        );
        assert_eq!(nobodys.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(nobodys.salt.is_some());
        assert_eq!(
            argon2().verify_password(b"anything", &nobodys),
            Err(argon2::password_hash::Error::PasswordInvalid),
            "the work is done, and then the password does not fit"
        );
    }
}
