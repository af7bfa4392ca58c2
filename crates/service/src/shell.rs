//! What a process lends to each service it runs.

use auth::{Caller, CallerKeys};
use tonic::Request;
use tonic::metadata::MetadataValue;
use types::{SiteClock, SystemClock};

use crate::grpc::{CALLER, Peers};
use crate::health::Health;
use crate::nats::Nats;
use crate::tasks::Tasks;

/// Made once by the process and handed to every `serve`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Site time: dates, windows, deadlines, lifecycle, back-off, watched seconds.
    pub clock: SiteClock,
    /// System time: tokens, nonces, leases, call deadlines.
    pub system: SystemClock,
    pub tasks: Tasks,
    pub peers: Peers,
    pub nats: Nats,
    /// First part of every subject and stream name; `sitepass` but for tests.
    pub stream_prefix: String,
    /// How many servers of a NATS cluster hold each stream.
    pub stream_replicas: usize,
    pub keys: CallerKeys,
    pub health: Health,
}

impl Shell {
    /// A request that `service` makes as itself.
    pub fn as_service<M>(&self, service: &str, message: M) -> Request<M> {
        self.signed(service, &Caller::service(service), message)
    }

    /// A request made for the caller who is being served: their own token travels on. Falls back to a
    /// request nobody signed, which is refused, when the caller came without one.
    pub fn on_behalf<M>(&self, caller: &Caller, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(token) =
            caller.token.as_deref().and_then(|token| MetadataValue::try_from(token).ok())
        {
            request.metadata_mut().insert(CALLER, token);
        }
        request
    }

    /// A request for `caller`, signed by `issuer`. Only the gateway may speak for others.
    pub fn signed<M>(&self, issuer: &str, caller: &Caller, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let token = self.keys.sign(issuer, caller, self.system.now());
        if let Ok(token) = MetadataValue::try_from(token) {
            request.metadata_mut().insert(CALLER, token);
        }
        request
    }
}
