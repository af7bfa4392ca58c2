//! One site time for every process of a sandbox. The sandbox is the authority; a setting counts when
//! every process that is alive has taken it. Production never runs this: its clock cannot be set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use types::SiteClock;
use uuid::Uuid;

use crate::tasks::Tasks;

const JOIN_EVERY: Duration = Duration::from_millis(500);
/// A process not heard of for this long is gone.
const GONE_AFTER: Duration = Duration::from_secs(3);
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Setting {
    revision: u64,
    now: DateTime<Utc>,
    speed: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Taken {
    process: Uuid,
    revision: u64,
}

/// Why a setting did not take.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("the broker did not take the setting")]
    Broker,
    #[error("{missing} of {known} processes did not take the setting in time")]
    NotTaken { missing: usize, known: usize },
}

/// Keeps this process's clock in step with the authority's.
pub fn follow(tasks: &Tasks, nats: async_nats::Client, prefix: &str, clock: SiteClock) {
    let process = Uuid::new_v4();
    let (set, join) = (format!("{prefix}.clock.set"), format!("{prefix}.clock.join"));
    let stop = tasks.token();
    tasks.spawn("clock", async move {
        let Ok(mut settings) = nats.subscribe(set).await else { return };
        let mut newest = 0;
        let mut beat = tokio::time::interval(JOIN_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(message) = settings.next() => {
                    let Ok(setting) = serde_json::from_slice::<Setting>(&message.payload) else { continue };
                    if setting.revision > newest {
                        newest = setting.revision;
                        clock.set(setting.now, setting.speed);
                    }
                    if let Some(reply) = message.reply {
                        send(&nats, reply.to_string(), &Taken { process, revision: setting.revision }).await;
                    }
                }
                _ = beat.tick() => send(&nats, join.clone(), &Taken { process, revision: newest }).await,
            }
        }
    });
}

async fn send(nats: &async_nats::Client, subject: String, body: &impl Serialize) {
    let Ok(bytes) = serde_json::to_vec(body) else { return };
    // A lost beat is followed by the next one; a lost answer is seen as "not taken".
    if nats.publish(subject, bytes.into()).await.is_err() {
        tracing::debug!("clock message not sent");
    }
}

/// The one who may set site time. Clones share it.
#[derive(Debug, Clone)]
pub struct Authority {
    nats: async_nats::Client,
    set: String,
    clock: SiteClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    revision: u64,
    /// Processes and when they were last heard of.
    known: BTreeMap<Uuid, Instant>,
}

impl Authority {
    /// Starts to listen for processes. `clock` is this process's own, which follows like the others.
    pub fn start(tasks: &Tasks, nats: async_nats::Client, prefix: &str, clock: SiteClock) -> Self {
        let authority = Self {
            nats: nats.clone(),
            set: format!("{prefix}.clock.set"),
            clock,
            state: Arc::default(),
        };
        let (listening, stop, join) =
            (authority.clone(), tasks.token(), format!("{prefix}.clock.join"));
        tasks.spawn("clock authority", async move {
            let Ok(mut joins) = nats.subscribe(join).await else { return };
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Some(message) = joins.next() => listening.joined(&message.payload).await,
                }
            }
        });
        authority
    }

    /// A process said it is there; one that lags is told the time.
    async fn joined(&self, payload: &[u8]) {
        let Ok(taken) = serde_json::from_slice::<Taken>(payload) else { return };
        let mut state = self.state.lock().await;
        state.known.insert(taken.process, Instant::now());
        if taken.revision < state.revision {
            let setting = Setting {
                revision: state.revision,
                now: self.clock.now(),
                speed: self.clock.speed(),
            };
            send(&self.nats, self.set.clone(), &setting).await;
        }
    }

    /// Sets site time and its speed everywhere; answers when every process has taken it.
    pub async fn set(&self, now: DateTime<Utc>, speed: f64) -> Result<usize, ClockError> {
        let (revision, mut waiting) = {
            let mut state = self.state.lock().await;
            // Wall-clock milliseconds keep growing across restarts of the authority.
            let millis = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            state.revision =
                u64::try_from(millis.as_millis()).unwrap_or(u64::MAX).max(state.revision + 1);
            state.known.retain(|_, heard| heard.elapsed() < GONE_AFTER);
            (state.revision, state.known.keys().copied().collect::<std::collections::BTreeSet<_>>())
        };
        let known = waiting.len();
        let inbox = self.nats.new_inbox();
        let mut answers =
            self.nats.subscribe(inbox.clone()).await.map_err(|_| ClockError::Broker)?;
        let body = serde_json::to_vec(&Setting { revision, now, speed })
            .map_err(|_| ClockError::Broker)?;
        let sent = self.nats.publish_with_reply(self.set.clone(), inbox, body.into()).await;
        sent.map_err(|_| ClockError::Broker)?;
        let all = async {
            while !waiting.is_empty() {
                let Some(message) = answers.next().await else { break };
                if let Ok(taken) = serde_json::from_slice::<Taken>(&message.payload) {
                    waiting.remove(&taken.process);
                }
            }
        };
        // Whether all answered is judged by who is still waited for.
        tokio::time::timeout(TAKEN_WITHIN, all).await.ok();
        if waiting.is_empty() {
            Ok(known)
        } else {
            Err(ClockError::NotTaken { missing: waiting.len(), known })
        }
    }
}
