//! Whether a phone's session is still of a bound worker. A session's token outlives its binding, so `directory` is asked
//! now and then, and its yes remembered in between.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auth::{Caller, Claims, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::CheckBindingRequest;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::{Refusal, Shell};
use types::{ErrorCode, WorkerId};

/// How long a yes is believed: so long at most a phone goes on after its binding ended.
const FRESH: TimeDelta = TimeDelta::seconds(30);
/// A worker in training waits for this no longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Sessions remembered before those that are no longer fresh are forgotten.
const MANY: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// When each WeChat user was last known to be bound to the worker, system time.
    known: Mutex<HashMap<(String, WorkerId), DateTime<Utc>>>,
}

impl Bindings {
    /// Refuses the session of a worker whose binding has ended, and says why it did. While `directory` is away the
    /// token alone is believed: training goes on, and the token ends by itself.
    pub(crate) async fn check(&self, shell: &Shell, claims: &Claims) -> Result<(), Refusal> {
        let (Subject::Worker(worker), Some(user)) = (&claims.subject, &claims.session) else {
            return Ok(());
        };
        let (now, key) = (shell.system.now(), (user.clone(), *worker));
        if self.is_known(&key, now) {
            return Ok(());
        }
        let message =
            CheckBindingRequest { worker_id: worker.to_string(), wechat_user_id: user.clone() };
        let mut request = shell.signed("gateway", &Caller::service("gateway"), message);
        request.set_timeout(PATIENCE);
        let mut directory = DirectoryServiceClient::new(shell.peers.transport("directory"));
        match directory.check_binding(request).await.map(tonic::Response::into_inner) {
            Ok(answer) if !answer.bound => {
                return Err(
                    Refusal::new(ErrorCode::BindingEnded).data("reason", answer.ended_because)
                );
            }
            Ok(_) => {}
            Err(status) => tracing::debug!(code = ?status.code(), "a session is believed unasked"),
        }
        self.remember(key, now);
        Ok(())
    }

    fn is_known(&self, key: &(String, WorkerId), now: DateTime<Utc>) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).is_some_and(|at| now - *at < FRESH)
    }

    fn remember(&self, key: (String, WorkerId), now: DateTime<Utc>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MANY {
            known.retain(|_, at| now - *at < FRESH);
        }
        known.insert(key, now);
    }
}
