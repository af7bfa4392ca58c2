//! AUDIT: looking entries up in a log of a million, through the service's own calls.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use audit::{Archive, CheckpointConfig, Record};
use chrono::TimeDelta;
use events::{Delivery, Handler};
use prost::Message as _;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use proto::audit::v1::{ListEntriesRequest, VerifyChainRequest};
use proto::common::v1::CommandAudited;
use service::config::Secret;
use service::grpc::Transport;
use service::{Scope, Shell, Store};
use types::{AccountId, EventId, Role, SiteClock, SiteId, SystemClock};

use crate::facts::at;
use crate::figures::{Figures, percentile};
use crate::sizes::Sizes;
use crate::wait::rate;
use crate::world::World;

/// Entries taken in by one transaction, as a consumer would.
const BATCH: usize = 500;
const ACTORS: usize = 200;
const TARGETS: usize = 50_000;
const ACTIONS: usize = 40;
const KINDS: usize = 12;
/// Whose every other entry is, with actions and kinds of its own: half of each.
const SERVICE: &str = "service:device";
/// What it does once in so many of its entries.
const RARE: &str = "act.rare";
const RARELY: usize = 50_000;
const GOAL_MS: f64 = 100.0;
/// A cold cache is warmed by so many calls, which do not count.
const WARM: usize = 20;

const SEARCHES: [&str; 11] = [
    "the newest, p95",
    "by actor, p95",
    "by target, p95",
    "by kind of target, p95",
    "by action, p95",
    "by a day, p95",
    "a page deep in the log, p95",
    "by whom half of it is of and a rare action, p95",
    "by the same and an action of others, p95",
    "by the same and a kind of others, p95",
    "by an action and a kind it never has, p95",
];

pub(crate) async fn measure(world: &World, sizes: &Sizes) -> Result<Figures> {
    say!("\nAUDIT: search in the log");
    let mut figures = Figures::of("AUDIT", "Search in the audit log, each filter, a page of 20");
    let database = world.bare().await?;
    service::migrate::migrate(&database.url, "audit", &audit::MIGRATIONS)
        .await
        .context("migrate")?;
    let store = database.store("audit").await?;
    let log = Log { site: SiteId::new(), actors: (0..ACTORS).map(|_| AccountId::new()).collect() };
    let began = Instant::now();
    log.fill(&store, sizes.entries).await?;
    figures.show("taken in", "entries/s", rate(sizes.entries, began.elapsed()));
    let mut conn = world.admin(&database.name).await?;
    sqlx::query("VACUUM ANALYZE audit.entries").execute(&mut conn).await?;
    let held = database.number("SELECT count(*) FROM audit.entries").await?;
    figures.count("entries", sizes.entries as u64, held);

    let shell = world.shell(SiteClock::system(), SystemClock::system())?;
    let folder = crate::folder().join("checkpoints");
    let checkpoints =
        CheckpointConfig { dir: folder, secret: Secret::new(&[7; 32]), trusted: Vec::new() };
    audit::testing::offer(&shell, store.clone(), Archive::open(&checkpoints)?);
    let client = AuditServiceClient::new(shell.peers.transport("audit"));
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        for (kind, name) in SEARCHES.into_iter().enumerate() {
            let times = log.search(&shell, client.clone(), kind, sizes).await?;
            figures.show(name, "ms", percentile(&times, 0.95));
        }
    }
    for name in SEARCHES {
        figures.worst(&format!("{name} ≤ {GOAL_MS} ms (worst round)"), name, GOAL_MS);
    }
    let began = Instant::now();
    let verified = log.verify(&shell, client).await?;
    figures.count("entries verified", sizes.entries as u64, verified);
    figures.show("the whole chain verified in", "s", began.elapsed().as_secs_f64());
    figures.setting("log", format!("{} entries of one site, half of them of one service, the others of {ACTORS} accounts: {TARGETS} targets, {ACTIONS} actions, one each half minute", sizes.entries));
    figures.setting("search", format!("{} calls of ListEntries a filter and round, one after the other, in process with every layer, values drawn anew", sizes.searches));
    store.close().await;
    world.discard(&database.name).await?;
    Ok(figures)
}

#[derive(Debug)]
struct Log {
    site: SiteId,
    actors: Vec<AccountId>,
}

impl Log {
    /// Takes commands in as the service does: hashed, chained, under row-level security.
    async fn fill(&self, store: &Store, count: usize) -> Result<()> {
        let record = Record::of("ticket");
        for first in (0..count).step_by(BATCH) {
            let batch: Vec<Delivery> =
                (first..count.min(first + BATCH)).map(|number| self.command(number)).collect();
            let mut tx = store.begin(Scope::System("fill the log")).await?;
            let taken = record.handle_all(&mut tx, &batch).await;
            taken.map_err(|failure| anyhow::anyhow!("not taken in: {failure:?}"))?;
            tx.commit().await?;
        }
        Ok(())
    }

    fn command(&self, number: usize) -> Delivery {
        let seconds = i64::try_from(number).unwrap_or_default() * 30;
        // What is even is the service's.
        let (pair, odd) = (number / 2, number % 2);
        let rare = odd == 0 && pair.is_multiple_of(RARELY);
        let command = CommandAudited {
            actor: match odd {
                0 => SERVICE.to_owned(),
                _ => format!("account:{}", self.actors[pair * 7_919 % ACTORS]),
            },
            role: Role::SysAdmin.as_str().to_owned(),
            action: if rare { RARE.to_owned() } else { action(2 * pair * 104_729 + odd) },
            target_type: kind(2 * pair * 15_485_863 + odd),
            target_id: target(number * 32_452_843),
            before: format!(r#"{{"status":"ACTIVE","note":"{}"}}"#, "x".repeat(80)),
            after: format!(r#"{{"status":"CANCELLED","note":"{}"}}"#, "y".repeat(160)),
            reason: "rain".to_owned(),
            address: "192.0.2.7".to_owned(),
            ..CommandAudited::default()
        };
        Delivery {
            id: EventId::new(),
            name: "CommandAudited".to_owned(),
            context: "ticket".to_owned(),
            site: Some(self.site),
            subject_id: command.target_id.clone(),
            version: 0,
            at: at() + TimeDelta::seconds(seconds),
            data: command.encode_to_vec(),
            attempt: 1,
            traceparent: None,
        }
    }

    /// What one search of a kind asks, the `number`th time.
    fn question(&self, kind_of: usize, number: usize, entries: usize) -> ListEntriesRequest {
        let drawn = number.wrapping_mul(2_654_435_761) % entries;
        let time = |entry: usize| {
            let seconds = i64::try_from(entry).unwrap_or_default() * 30;
            Some(proto::timestamp(at() + TimeDelta::seconds(seconds)))
        };
        let mut ask = ListEntriesRequest {
            site_id: self.site.to_string(),
            limit: 20,
            ..ListEntriesRequest::default()
        };
        match kind_of {
            1 => ask.actor = format!("account:{}", self.actors[drawn % ACTORS]),
            2 => ask.target_id = target(drawn),
            3 => ask.target_type = kind(drawn),
            4 => ask.action = action(drawn),
            5 => (ask.from, ask.to) = (time(drawn), time(drawn + 2 * 60 * 24)),
            6 => ask.to = time(drawn),
            7 => (ask.actor, ask.action) = (SERVICE.to_owned(), RARE.to_owned()),
            8 => (ask.actor, ask.action) = (SERVICE.to_owned(), action(2 * drawn + 1)),
            9 => (ask.actor, ask.target_type) = (SERVICE.to_owned(), kind(2 * drawn + 1)),
            10 => (ask.action, ask.target_type) = (action(2 * drawn), kind(2 * drawn + 1)),
            _ => {}
        }
        ask
    }

    /// How long each call took, in milliseconds.
    async fn search(
        &self,
        shell: &Shell,
        mut client: AuditServiceClient<Transport>,
        kind: usize,
        sizes: &Sizes,
    ) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(sizes.searches);
        for number in 0..sizes.searches + WARM {
            let request = self.signed(shell, self.question(kind, number, sizes.entries));
            let began = Instant::now();
            client.list_entries(request).await?;
            if number >= WARM {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }

    async fn verify(
        &self,
        shell: &Shell,
        mut client: AuditServiceClient<Transport>,
    ) -> Result<u64> {
        let ask = VerifyChainRequest { site_id: self.site.to_string() };
        let mut request = self.signed(shell, ask);
        request.set_timeout(Duration::from_mins(1));
        let report = client.verify_chain(request).await?.into_inner();
        anyhow::ensure!(report.intact, "{}", report.problem);
        Ok(report.entries)
    }

    fn signed<M>(&self, shell: &Shell, message: M) -> tonic::Request<M> {
        let caller = auth::Caller::account(self.actors[0], Role::SysAdmin, vec![self.site], None);
        shell.signed("gateway", &caller, message)
    }
}

fn target(number: usize) -> String {
    format!("target-{}", number % TARGETS)
}

fn kind(number: usize) -> String {
    format!("kind_{}", number % KINDS)
}

fn action(number: usize) -> String {
    format!("act.{}", number % ACTIONS)
}
