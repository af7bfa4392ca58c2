use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Error;

/// How many hashes are computed at once: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// Password work, off the request threads and a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    verify: fn(&str, &str) -> bool,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), verify: auth::password::verify }
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let hash = self.work(move || auth::password::hash(&password)).await?;
        hash.map_err(|_| Error::Internal("a password could not be hashed"))
    }

    /// Whether the password fits; without a hash the same work is done for nothing.
    pub(crate) async fn fits(&self, password: String, hash: Option<String>) -> Result<bool, Error> {
        let verify = self.verify;
        self.work(move || {
            if let Some(hash) = hash {
                return verify(&password, &hash);
            }
            verify(&password, auth::password::NOBODYS);
            false
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Error::Internal("the password places are closed"))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|_| Error::Internal("password work was cut off"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static VERIFIED: AtomicUsize = AtomicUsize::new(0);

    /// Lets everything pass, and counts.
    fn count(_password: &str, hash: &str) -> bool {
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        VERIFIED.fetch_add(1, Ordering::SeqCst);
        true
    }

    #[tokio::test]
    async fn a_password_of_nobody_is_verified_as_anybodys_and_never_fits() {
        let passwords = Passwords { verify: count, ..Passwords::new() };
        let hash = auth::password::hash("the password").unwrap();
        assert!(passwords.fits("the password".to_owned(), Some(hash)).await.unwrap());
        assert_eq!(VERIFIED.load(Ordering::SeqCst), 1);
        assert!(!passwords.fits("the password".to_owned(), None).await.unwrap());
        assert_eq!(VERIFIED.load(Ordering::SeqCst), 2);
    }
}
