use auth::{Caller, CallerKeys};
use chrono::{DateTime, Utc};
use service::grpc::Peers;
use service::health::Health;
use service::{Shell, Store, Tasks};
use tonic::Request;
use types::{AccountId, ContractorId, Role, SiteClock, SiteId, SystemClock, WorkerId};

use crate::{Database, Nats};

/// When every test begins, in seconds: 2026-03-02T00:00:00Z, a Monday, 08:00 in Asia/Shanghai.
pub const START: i64 = 1_772_409_600;

/// What a service needs to run, on servers shared by the run: its own database, streams, clocks and keys.
#[derive(Debug)]
pub struct Harness {
    pub database: Database,
    pub nats: Nats,
    pub shell: Shell,
}

impl Harness {
    /// # Panics
    /// When the run's servers are not there.
    pub async fn new() -> Self {
        let (database, nats) = tokio::join!(Database::create(), Nats::connect());
        let start = DateTime::from_timestamp(START, 0).expect("a valid instant");
        let shell = Shell {
            clock: SiteClock::manual(start),
            system: SystemClock::manual(start),
            tasks: Tasks::new(),
            peers: Peers::in_process(),
            nats: nats.connection.clone(),
            stream_prefix: nats.prefix.clone(),
            stream_replicas: 1,
            keys: CallerKeys::from_root(&[42; 32]).expect("32 bytes are enough"),
            health: Health::default(),
        };
        Self { database, nats, shell }
    }

    /// Site time now.
    pub fn now(&self) -> DateTime<Utc> {
        self.shell.clock.now()
    }

    /// The tables of `service`, as its app role.
    pub async fn store(&self, service: &'static str) -> Store {
        self.database.store(service).await
    }

    /// A request of `caller`, signed as the gateway would.
    pub fn request<M>(&self, caller: &Caller, message: M) -> Request<M> {
        self.shell.signed("gateway", caller, message)
    }

    /// The caller as a service sees them: verified, with the token they came with.
    ///
    /// # Panics
    /// Never: the token is this harness's own.
    pub fn verified(&self, caller: &Caller) -> Caller {
        let now = self.shell.system.now();
        let token = self.shell.keys.sign("gateway", caller, now);
        self.shell.keys.verify(&token, now).expect("a token of our own")
    }

    pub fn sysadmin(&self, sites: &[SiteId]) -> Caller {
        Caller::account(AccountId::new(), Role::SysAdmin, sites.to_vec(), None)
    }

    pub fn contractor_admin(&self, site: SiteId, contractor: ContractorId) -> Caller {
        Caller::account(AccountId::new(), Role::ContractorAdmin, vec![site], Some(contractor))
    }

    pub fn worker(&self, worker: WorkerId, site: SiteId) -> Caller {
        Caller::worker(worker, vec![site])
    }

    /// Stops what the test started and deletes its streams.
    ///
    /// # Panics
    /// When some task does not stop in ten seconds.
    pub async fn stop(self) {
        self.shell.tasks.stop();
        assert!(
            self.shell.tasks.finished(std::time::Duration::from_secs(10)).await,
            "a task did not stop"
        );
        self.nats.delete_streams().await;
    }
}
