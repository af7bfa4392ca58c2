use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use fleet::{Admin, Demo};
use prost::Message;
use proto::common::v1::{CommandAudited, EventEnvelope};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use servers::{Durability, PrivateNats, PrivatePostgres};
use sqlx::AssertSqlSafe;
use test_support::{
    Backing, Blueprint, Checker, Installation, Ledger, NetFault, Proxy, SERVICES, eventually,
};
use tokio::task::block_in_place;
use types::{EventId, SystemClock};
use uuid::Uuid;

/// One process a group of services.
pub(super) const SPLIT: &[&str] = &[
    "gateway,sandbox",
    "directory,ticket",
    "training,notification,access-grant,device",
    "audit,report",
];
/// The process of audit and report.
pub(super) const READERS: usize = 3;
/// A second replica of `ticket`, whose server nobody calls: the first process.
pub(super) const REPLICAS: &[&str] = &["ticket", "all"];
/// No answer takes longer: the gateway ends what lasts 15 s.
const BOUNDED: Duration = Duration::from_secs(18);
/// How a process ends at a marked point: SIGABRT.
const ABORTED: i32 = 6;
pub(super) const PREFIX: &str = "sitepass";

/// How long faults last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Seconds, and some of the combinations.
    Quick,
    /// As the matrix says, and all of them; the old snapshot is held so long.
    Full { snapshot: Duration },
}

/// An installation with a proxy on each way, on servers of its own, and what is known of it.
pub struct World {
    pub installation: Installation,
    pub ledger: Ledger,
    pub checker: Checker,
    pub scale: Scale,
    pub(super) seed: u64,
    pub(super) random: StdRng,
    pub(super) postgres: PrivatePostgres,
    pub(super) nats: PrivateNats,
    pub(super) ways: Ways,
    pub(super) demo: Demo,
    pub(super) workers: Vec<String>,
    /// Titles go on counting over all loads.
    pub(super) titles: std::sync::Arc<std::sync::atomic::AtomicU64>,
    folder: tempfile::TempDir,
}

/// Every way between processes, by who goes it.
pub(super) struct Ways {
    pub(super) postgres: Vec<Proxy>,
    pub(super) nats: Vec<Proxy>,
    pub(super) grpc: BTreeMap<&'static str, Proxy>,
}

impl Ways {
    async fn new(postgres: u16, nats: u16, blueprint: &mut Blueprint, seed: u64) -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut ways = Self { postgres: Vec::new(), nats: Vec::new(), grpc: BTreeMap::new() };
        for process in 0..blueprint.targets().len() {
            let database = Proxy::start(local(postgres), seed).await;
            let url = format!("postgres://127.0.0.1:{}/sitepass", database.port());
            blueprint.set_for(process, "SITEPASS_DATABASE_URL", url);
            let broker = Proxy::start(local(nats), seed).await;
            let url = format!("nats://127.0.0.1:{}", broker.port());
            blueprint.set_for(process, "SITEPASS_NATS_URL", url);
            ways.postgres.push(database);
            ways.nats.push(broker);
        }
        for service in SERVICES {
            let proxy = Proxy::start(blueprint.grpc(service), seed).await;
            blueprint.reach(service, proxy.port());
            ways.grpc.insert(service, proxy);
        }
        ways
    }

    pub(super) fn heal(&self) {
        for proxy in self.postgres.iter().chain(&self.nats).chain(self.grpc.values()) {
            proxy.set(NetFault::None);
        }
    }
}

impl World {
    /// Servers, processes and the demo's site; ready for load.
    pub async fn start(split: &[&str], seed: u64, scale: Scale) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let postgres = PrivatePostgres::start(&folder.path().join("pg"), Durability::Durable, None)
            .expect("PostgreSQL starts");
        let nats =
            PrivateNats::start(&folder.path().join("nats"), true, None).expect("NATS starts");
        let admin_url = postgres.url("sitepass");
        test_support::migrate_all(&admin_url).await;
        let backing = Backing {
            database_url: admin_url.replacen("postgres@", "", 1),
            nats_url: nats.url(),
            stream_prefix: PREFIX.to_owned(),
        };
        let mut blueprint = Blueprint::new(&backing, split);
        let ways = Ways::new(postgres.port(), nats.port(), &mut blueprint, seed).await;
        if split == REPLICAS {
            blueprint.apart(0, "ticket");
        }
        let installation = blueprint.start().await;
        let urls = &installation.urls;
        let demo =
            fleet::seed(urls, &Installation::video()).await.expect("the demo's site is made");
        let admin = Admin::sign_in(&urls.gateway, "admin", fleet::PASSWORD).await.expect("sign in");
        let body = json!({ "site_id": demo.site_id, "page": 1, "page_size": 3 });
        let found = admin.post("/api/admin/workers/search", &body).await.expect("the roster");
        let id = |worker: &Value| worker["worker_id"].as_str().map(ToOwned::to_owned);
        let workers = found["items"].as_array().into_iter().flatten().filter_map(id).collect();
        let checker = Checker::connect(&admin_url, &nats.url(), PREFIX).await;
        Self {
            installation,
            ledger: Ledger::new(seed),
            checker,
            scale,
            seed,
            random: StdRng::seed_from_u64(seed),
            postgres,
            nats,
            ways,
            demo,
            workers,
            titles: std::sync::Arc::default(),
            folder,
        }
    }

    /// An installation that is to make a mistake: it is given up on sooner than one that is to heal, though not before
    /// what a dead process had in hand was delivered again.
    pub(super) async fn start_for_mistakes(replicas: bool, seed: u64) -> Self {
        let split = if replicas { REPLICAS } else { SPLIT };
        let mut world = Self::start(split, seed, Scale::Quick).await;
        world.checker.give_up_after(Duration::from_secs(30));
        world
    }

    /// Commits facts of one service at once, as another process of it would; their ids.
    pub(super) async fn burst(&self, context: &str, count: usize) -> Vec<Uuid> {
        let now = SystemClock::system().now();
        let (mut ids, mut payloads) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let id = EventId::new();
            let fact =
                CommandAudited { action: "chaos.burst".to_owned(), ..CommandAudited::default() };
            let envelope = EventEnvelope {
                id: id.to_string(),
                source: format!("/sitepass/{context}"),
                r#type: format!("sitepass.{context}.v1.CommandAudited"),
                time: Some(proto::timestamp(now)),
                site_id: self.demo.site_id.clone(),
                data: fact.encode_to_vec(),
                ..EventEnvelope::default()
            };
            ids.push(id.as_uuid());
            payloads.push(envelope.encode_to_vec());
        }
        let sql = format!(
            "INSERT INTO {context}.outbox (event_id, context, name, site, payload, created_at)
             SELECT event_id, '{context}', 'CommandAudited', $3, payload, $4
             FROM unnest($1::uuid[], $2::bytea[]) AS given (event_id, payload)"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(&ids)
            .bind(payloads)
            .bind(&self.demo.site_id)
            .bind(now)
            .execute(self.checker.pool())
            .await
            .expect("PostgreSQL answers");
        ids
    }

    /// Whether a service's relay has marked all of these as sent.
    pub(super) async fn are_published(&self, context: &str, ids: &[Uuid]) -> bool {
        let sql = format!(
            "SELECT count(*) FROM {context}.outbox WHERE event_id = ANY ($1) AND sent_at IS NULL"
        );
        let unsent: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(ids)
            .fetch_one(self.checker.pool())
            .await
            .expect("PostgreSQL answers");
        unsent == 0
    }

    /// How long something lasts.
    pub(super) fn lasts(&self, quick: u64, full: u64) -> Duration {
        Duration::from_secs(if self.scale == Scale::Quick { quick } else { full })
    }

    /// Lets a fault last, and writes down that it began.
    pub(super) async fn suffer(&self, what: impl Into<String>, how_long: Duration) {
        self.ledger.note(what);
        test_support::lasts(how_long).await;
    }

    /// Up to some hundred milliseconds, so that what comes next comes at any moment.
    pub(super) async fn any_moment(&mut self) {
        let wait = Duration::from_millis(self.random.random_range(0..400));
        test_support::lasts(wait).await;
    }

    /// Waits until so many more commands are acked.
    pub(super) async fn acked(&self, more: usize) {
        let wanted = self.ledger.acked() + more;
        for _ in 0..3 {
            let enough = || async { (self.ledger.acked() >= wanted).then_some(()) };
            if tokio::time::timeout(Duration::from_secs(19), eventually("commands", enough))
                .await
                .is_ok()
            {
                return;
            }
        }
        panic!("no command is acked any more\n{}", self.ledger.story());
    }

    /// Waits until every process is ready. None has ended that nobody killed: a fault outside a process is nothing it may
    /// die of.
    pub(super) async fn ready(&mut self) {
        self.assert_running();
        self.installation.ready().await;
        self.assert_running();
    }

    fn assert_running(&mut self) {
        for process in 0..self.installation.len() {
            if let Some(ended) = self.installation.ended(process) {
                let (targets, story) = (self.installation.targets(process), self.ledger.story());
                panic!("{targets} has ended by itself: {ended}\n{story}");
            }
        }
    }

    /// Starts a process again with these settings, one of which is `point`, and waits until it has died there.
    pub(super) async fn dies_at(&mut self, process: usize, point: &str, besides: &[(&str, &str)]) {
        let targets = self.installation.targets(process).to_owned();
        self.ledger.note(format!("{targets} will die at {point}"));
        let mut settings = vec![("SITEPASS_FAULT_POINT", point)];
        settings.extend(besides);
        self.installation.restart(process, &settings);
        let ended = eventually(&format!("{targets} to die at {point}"), || {
            let ended = self.installation.ended(process);
            async move { ended }
        })
        .await;
        // One that could not start, or had no such point, has ended too.
        assert_eq!(ended.signal(), Some(ABORTED), "{targets}: {ended}\n{}", self.ledger.story());
    }

    /// Every invariant, the log's chain, and that no client waited without end.
    ///
    /// # Panics
    /// With seed, timeline and what is broken.
    pub async fn assert_whole(&self) {
        self.checker.assert_whole(&self.ledger).await;
        let verified = self.admin(&["audit", "verify"]);
        assert!(verified.is_ok(), "I7: {verified:?}\n{}", self.ledger.story());
        let slowest = self.ledger.entries().into_values().map(|entry| entry.slowest).max();
        assert!(
            slowest.is_none_or(|slowest| slowest < BOUNDED),
            "an answer took {slowest:?}\n{}",
            self.ledger.story()
        );
    }

    /// Runs a command of the binary; what it printed, or how it failed.
    pub(super) fn admin(&self, args: &[&str]) -> Result<String, String> {
        let mut command = self.installation.command(args);
        let done = block_in_place(|| command.output()).map_err(|err| err.to_string())?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() {
            return Ok(said);
        }
        Err(format!("{} {said} {}", done.status, String::from_utf8_lossy(&done.stderr)))
    }

    /// Where a scenario may keep a copy of something.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends everything in order.
    pub fn stop(self) {
        // A blocked worker would stop the proxies, and with them what the processes still have to say.
        let codes = block_in_place(|| self.installation.stop());
        assert!(
            codes.iter().all(|code| *code == Some(0)),
            "a process did not stop in order: {codes:?}"
        );
        block_in_place(|| self.nats.stop()).expect("NATS stops");
        block_in_place(|| self.postgres.stop()).expect("PostgreSQL stops");
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
