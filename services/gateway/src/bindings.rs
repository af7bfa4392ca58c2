//! Whether a phone's session is still of a bound worker, and which sites are theirs. A session's token outlives its binding
//! and what its worker is engaged on, so `directory` is asked now and then, and its yes remembered in between.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::{Caller, Claims, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::CheckBindingRequest;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::{Refusal, Shell};
use types::{ErrorCode, SiteId, WorkerId};

use crate::failure::is_away;

/// How long a yes is believed: so long at most a phone goes on after its binding ended, and waits for a new site.
const FRESH: TimeDelta = TimeDelta::seconds(30);
/// While `directory` is away no binding ends there either: whoever was seen to be bound goes on with a training for this
/// long after the last yes.
const AT_MOST: TimeDelta = TimeDelta::minutes(10);
/// After it was asked in vain `directory` is left alone for this long.
const AGAIN: TimeDelta = TimeDelta::seconds(5);
/// A worker in training waits for this no longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Sessions remembered before those that are no longer believed are forgotten.
const MANY: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// What is known of each WeChat user and the worker they were seen to be bound to, system time.
    known: Mutex<HashMap<(String, WorkerId), Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    /// Where the worker was engaged then.
    sites: Vec<SiteId>,
    bound_at: DateTime<Utc>,
    /// When `directory` is to be asked again.
    ask_at: DateTime<Utc>,
}

impl Bindings {
    /// The sites of a session's worker. Refuses one whose binding has ended, and says why it did. While `directory` is away, whoever
    /// was seen to be bound is believed a little longer; any other answer that is no yes is none.
    pub(crate) async fn sites(
        &self,
        shell: &Shell,
        claims: &Claims,
    ) -> Result<Vec<SiteId>, Refusal> {
        let (Subject::Worker(worker), Some(user)) = (&claims.subject, &claims.session) else {
            return Err(Refusal::new(ErrorCode::NotSignedIn));
        };
        let (now, key) = (shell.system.now(), (user.clone(), *worker));
        let known = self.all().get(&key).cloned().filter(|known| now - known.bound_at < AT_MOST);
        let known = match known {
            Some(known) if now < known.ask_at => return Ok(known.sites),
            known => known,
        };
        let message =
            CheckBindingRequest { worker_id: worker.to_string(), wechat_user_id: user.clone() };
        let mut request = shell.signed("gateway", &Caller::service("gateway"), message);
        if known.is_some() {
            request.set_timeout(PATIENCE);
        }
        let mut directory = DirectoryServiceClient::new(shell.peers.transport("directory"));
        match directory.check_binding(request).await.map(tonic::Response::into_inner) {
            Ok(answer) if answer.bound => {
                let sites = answer.site_ids.iter().map(|id| id.parse());
                let sites = sites.collect::<Result<Vec<SiteId>, _>>();
                let sites = sites.map_err(|_| Refusal::new(ErrorCode::Internal))?;
                let known = Known { sites: sites.clone(), bound_at: now, ask_at: now + FRESH };
                self.remember(key, known, now);
                Ok(sites)
            }
            Ok(answer) => {
                self.all().remove(&key);
                Err(Refusal::new(ErrorCode::BindingEnded).data("reason", answer.ended_because))
            }
            Err(status) => match known {
                Some(known) if is_away(Refusal::from_status(&status).code) => {
                    let sites = known.sites.clone();
                    self.remember(key, Known { ask_at: now + AGAIN, ..known }, now);
                    Ok(sites)
                }
                _ => {
                    self.all().remove(&key);
                    tracing::warn!(code = ?status.code(), "a binding could not be confirmed");
                    let unknown = Refusal::new(ErrorCode::UpstreamUnavailable);
                    Err(unknown.data("upstream", "directory"))
                }
            },
        }
    }

    fn remember(&self, key: (String, WorkerId), known: Known, now: DateTime<Utc>) {
        let mut all = self.all();
        if all.len() >= MANY {
            all.retain(|_, known| now - known.bound_at < AT_MOST);
        }
        all.insert(key, known);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(String, WorkerId), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
