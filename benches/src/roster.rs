//! ROSTER: a site's whole roster read from the real-name system, as a person who asked for it waits for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auth::Caller;
use directory::{Config, SmsConfig};
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use proto::directory::v1::{
    CreateContractorRequest, CreateSiteRequest, SyncWorkersRequest, SyncWorkersResponse,
};
use service::config::{DatabaseConfig, Secret, SecretRing};
use service::grpc::Transport;
use service::migrate::migrate;
use service::{Shell, Tasks};
use types::{AccountId, Role, SiteClock, SystemClock};

use crate::figures::Figures;
use crate::outside::{Outside, person};
use crate::sizes::Sizes;
use crate::world::{Database, World};

const NEW: &str = "everybody is new";
const AGAIN: &str = "the same again";
/// As many connections as a service has.
const CONNECTIONS: u32 = 4;
/// The longest that a call may take.
const PATIENCE: Duration = Duration::from_mins(1);
const GOAL: f64 = 20.0;

pub(crate) async fn measure(world: &World, sizes: &Sizes) -> Result<Figures> {
    say!("\nROSTER: a site's roster read");
    let mut figures = Figures::of("ROSTER", "A site's roster read from the real-name system");
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        let bench = Bench::start(world, sizes.people).await?;
        let read = bench.read(&mut figures, NEW).await?;
        figures.count("people told as new", sizes.people.into(), read.added.into());
        let read = bench.read(&mut figures, AGAIN).await?;
        figures.count("people told as the same", sizes.people.into(), read.unchanged.into());
        bench.check(sizes, &mut figures).await?;
        bench.stop(world).await?;
    }
    figures.worst(
        &format!("{} people, all new, ≤ {GOAL} s (worst round)", sizes.people),
        NEW,
        GOAL,
    );
    figures.setting(
        "reading",
        format!(
            "SyncWorkers of {} people, all of one contractor of the site, in process with every layer; an empty database each round",
            sizes.people
        ),
    );
    figures.setting(
        "real-name system",
        "played in the same process over HTTP, 200 people a page, none of them late",
    );
    figures.setting("beside it", "the service's relay, which sends what the reading tells");
    Ok(figures)
}

struct Bench {
    database: Database,
    shell: Shell,
    /// Of the real-name system, which outlives the directory.
    outside: Tasks,
    caller: Caller,
    site_id: String,
}

impl Bench {
    async fn start(world: &World, people: u32) -> Result<Self> {
        let database = world.bare().await?;
        migrate(&database.url, "directory", &directory::MIGRATIONS).await.context("migrate")?;
        let tasks = Tasks::new();
        let outside = Outside::start(&tasks).await;
        outside.set_roster(&(0..people).map(person).collect::<Vec<_>>());
        let shell = world.shell(SiteClock::system(), SystemClock::system())?;
        directory::serve(config(&database, &outside)?, shell.clone()).await?;
        let caller = Caller::account(AccountId::new(), Role::SysAdmin, vec![], None);
        let mut bench = Self { database, shell, outside: tasks, caller, site_id: String::new() };
        let site = CreateSiteRequest { name: "一号工地".to_owned(), ..Default::default() };
        let made = bench.client().create_site(bench.ask(site)).await?.into_inner();
        bench.site_id = made.site.context("a site")?.site_id;
        let contractor = CreateContractorRequest {
            name: "示例一建".to_owned(),
            site_ids: vec![bench.site_id.clone()],
        };
        bench.client().create_contractor(bench.ask(contractor)).await?;
        Ok(bench)
    }

    fn client(&self) -> DirectoryServiceClient<Transport> {
        DirectoryServiceClient::new(self.shell.peers.transport("directory"))
    }

    fn ask<M>(&self, message: M) -> tonic::Request<M> {
        self.shell.signed("gateway", &self.caller, message)
    }

    /// Reads the roster and shows how long that took.
    async fn read(&self, figures: &mut Figures, name: &'static str) -> Result<SyncWorkersResponse> {
        let site_id = self.site_id.clone();
        let mut request = self.ask(SyncWorkersRequest { site_id, ..Default::default() });
        request.set_timeout(PATIENCE);
        let began = Instant::now();
        let read = self.client().sync_workers(request).await?.into_inner();
        figures.show(name, "s", began.elapsed().as_secs_f64());
        ensure!(read.gone == 0, "{} people are gone", read.gone);
        Ok(read)
    }

    /// Everybody is on the site once.
    async fn check(&self, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
        let people = self.database.number("SELECT count(*) FROM directory.workers").await?;
        figures.count("people kept", sizes.people.into(), people);
        let engaged = "SELECT count(*) FROM directory.engagements WHERE left_at IS NULL";
        figures.count(
            "people on the site",
            sizes.people.into(),
            self.database.number(engaged).await?,
        );
        Ok(())
    }

    async fn stop(self, world: &World) -> Result<()> {
        for tasks in [&self.shell.tasks, &self.outside] {
            tasks.stop();
            tasks.finished(Duration::from_secs(10)).await;
        }
        world.discard(&self.database.name).await
    }
}

/// Of the outside firms only the real-name system is asked.
fn config(database: &Database, outside: &Outside) -> Result<Config> {
    Ok(Config {
        database: DatabaseConfig {
            url: database.url.clone(),
            password: None,
            max_connections: CONNECTIONS,
        },
        grpc_listen: None,
        vault: SecretRing::of_one(Secret::new(&[7; 32])),
        wechat: wechat::Config {
            url: outside.url.clone(),
            appid: "wx-bench".to_owned(),
            secret: Secret::new(b"secret"),
        },
        sms: SmsConfig {
            url: outside.url.parse()?,
            app_id: "1400000000".to_owned(),
            secret_id: "AKIDbench".to_owned(),
            secret_key: Secret::new(b"key"),
            region: "ap-guangzhou".to_owned(),
            sign_name: "作业票通".to_owned(),
            code_template: "1000001".to_owned(),
        },
        realname_url: outside.url.clone(),
        roster_rhythm: None,
        first_admin_password: None,
    })
}
