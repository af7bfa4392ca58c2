use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Error;

/// How many hashes are computed at once: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// Password work, off the request threads and a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let hash = self.work(move || auth::password::hash(&password)).await?;
        hash.map_err(|_| Error::Internal("a password could not be hashed"))
    }

    /// Whether the password fits; without a hash the same work is done for nothing.
    pub(crate) async fn fits(&self, password: String, hash: Option<String>) -> Result<bool, Error> {
        self.work(move || {
            if let Some(hash) = hash {
                return auth::password::verify(&password, &hash);
            }
            auth::password::verify_dummy(&password);
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
