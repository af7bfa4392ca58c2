//! TICKETS: the list and the detail of tickets with months of use in the database, and making a large one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use auth::Caller;
use chrono::DateTime;
use proto::common::v1::PageRequest;
use proto::ticket::v1::ticket_service_client::TicketServiceClient;
use proto::ticket::v1::{
    CreateTicketRequest, ExportTicketRequest, GetDailyTicketRequest, GetTicketRequest,
    ListTicketsRequest,
};
use service::Shell;
use service::grpc::Transport;
use service::migrate::migrate;
use sqlx::{AssertSqlSafe, Connection};
use types::{AccountId, Role, SiteClock, SiteId, SystemClock};
use uuid::Uuid;

use crate::figures::{Figures, median, percentile};
use crate::sizes::Sizes;
use crate::ticket_peers;
use crate::world::{Database, World};

/// 2026-03-02, 08:00 in Asia/Shanghai, in the middle of the filled tickets.
const NOW: i64 = 1_772_409_600;
const FILL: &str = include_str!("../../services/ticket/tests/fill.sql");
const WORKERS: u32 = 50;
const DAYS: u32 = 31;
const LARGE: usize = 500;
const POOL: usize = 3_000;
/// Calls are many and small; making a ticket is one of few.
const CALLS_A_TICKET: usize = 10;

const LIST_GOAL: f64 = 50.0;
const DETAIL_GOAL: f64 = 80.0;
const CREATE_GOAL: f64 = 400.0;

/// What is asked for, and the names of its median and its 95th percentile.
type Case = (&'static str, &'static str, ListTicketsRequest);

pub(crate) async fn measure(world: &World, sizes: &Sizes) -> Result<Figures> {
    say!("\nTICKETS: lists, detail and making tickets");
    let mut figures = Figures::of("TICKETS", "Work tickets: lists, detail, making a large one");
    let bench = Bench::start(world, sizes).await?;
    let large = bench.large().await?;
    let filters = bench.filters();
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        for (middle, p95, filter) in &filters {
            let ask = || bench.list(filter.clone());
            figures.time(middle, p95, sizes.calls, ask).await?;
        }
        let detail = || bench.detail(&large.ticket);
        figures
            .time("detail, 500 workers: median", "detail, 500 workers: P95", sizes.calls, detail)
            .await?;
        let day = || bench.day(&large.day);
        figures
            .time("day, 50 of 500 workers: median", "day, 50 of 500 workers: P95", sizes.calls, day)
            .await?;
        let export = || bench.export(&large.ticket);
        let tickets = (sizes.calls / CALLS_A_TICKET).max(1);
        figures
            .time(
                "export, 200 of 500 workers: median",
                "export, 200 of 500 workers: P95",
                tickets,
                export,
            )
            .await?;
        let create = || bench.create();
        figures
            .time("create, 500 workers: median", "create, 500 workers: P95", tickets, create)
            .await?;
    }
    for (_, p95, _) in &filters {
        figures.worst(&format!("{p95} ≤ 50 ms"), p95, LIST_GOAL);
    }
    figures.worst(
        "detail of 500 workers × 31 days, P95 ≤ 80 ms",
        "detail, 500 workers: P95",
        DETAIL_GOAL,
    );
    figures.worst(
        "create with 500 workers × 31 days, P95 ≤ 400 ms",
        "create, 500 workers: P95",
        CREATE_GOAL,
    );
    bench.check(sizes, &mut figures).await?;
    figures.setting(
        "filled",
        format!("{} tickets of {WORKERS} workers over {DAYS} days on one site, each day of each worker with its training and four in five with a grant", sizes.tickets),
    );
    figures.setting(
        "calls",
        format!("{} of each list, detail and day in a round, a tenth of the others; one after another over gRPC in the process, the scope of a system administrator of the one site", sizes.calls),
    );
    figures.setting(
        "peers of making a ticket",
        "directory and training are played and know everybody: what is timed is ticket's own part",
    );
    figures.note("A goal is judged by the worst round's P95.");
    bench.stop(world).await?;
    Ok(figures)
}

impl Figures {
    /// Times `calls` calls one after another.
    async fn time<F: Future<Output = Result<()>>>(
        &mut self,
        median_name: &'static str,
        p95_name: &'static str,
        calls: usize,
        call: impl Fn() -> F,
    ) -> Result<()> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let began = Instant::now();
            call().await?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        self.show(median_name, "ms", median(&times));
        self.show(p95_name, "ms", percentile(&times, 0.95));
        Ok(())
    }
}

struct Bench {
    database: Database,
    shell: Shell,
    caller: Caller,
    site: SiteId,
}

/// The ticket of 500 workers.
struct Large {
    ticket: String,
    day: String,
}

impl Bench {
    async fn start(world: &World, sizes: &Sizes) -> Result<Self> {
        let database = world.bare().await?;
        migrate(&database.url, "ticket", &ticket::MIGRATIONS).await.context("migrate")?;
        say!("  filling");
        let mut conn = world.admin(&database.name).await?;
        let settings = format!(
            "SET fill.sites = 1; SET fill.tickets = {}; SET fill.workers = {WORKERS}; SET fill.days = {DAYS};",
            sizes.tickets
        );
        sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut conn).await.context("settings")?;
        sqlx::raw_sql(FILL).execute(&mut conn).await.context("fill")?;
        sqlx::query("VACUUM ANALYZE").execute(&mut conn).await?;
        conn.close().await?;

        let now = DateTime::from_timestamp(NOW, 0).context("a valid instant")?;
        let shell = world.shell(SiteClock::manual(now), SystemClock::manual(now))?;
        ticket_peers::provide(&shell);
        let store = database.store("ticket").await?;
        let app = ticket::app::App::new(shell.clone(), store);
        service::grpc::serve(&shell, "ticket", ticket::routes(app), ticket::POLICY, None);
        let site = SiteId::from_uuid(id("site", 0));
        let caller = Caller::account(AccountId::new(), Role::SysAdmin, vec![site], None);
        Ok(Self { database, shell, caller, site })
    }

    fn client(&self) -> TicketServiceClient<Transport> {
        TicketServiceClient::new(self.shell.peers.transport("ticket"))
    }

    fn ask<M>(&self, message: M) -> tonic::Request<M> {
        self.shell.signed("gateway", &self.caller, message)
    }

    fn filters(&self) -> Vec<Case> {
        let all = || ListTicketsRequest {
            site_id: self.site.to_string(),
            page: Some(PageRequest { page: 1, page_size: 20 }),
            ..ListTicketsRequest::default()
        };
        let workers = (0..200).map(|number| id("worker", number).to_string()).collect();
        vec![
            ("list, all: median", "list, all: P95", all()),
            (
                "list, contractor: median",
                "list, contractor: P95",
                ListTicketsRequest { contractor_id: id("contractor", 3).to_string(), ..all() },
            ),
            (
                "list, area: median",
                "list, area: P95",
                ListTicketsRequest { area_id: id("area", 3).to_string(), ..all() },
            ),
            (
                "list, worker: median",
                "list, worker: P95",
                ListTicketsRequest { worker_id: id("worker", 1_500).to_string(), ..all() },
            ),
            (
                "list, any of 200 workers: median",
                "list, any of 200 workers: P95",
                ListTicketsRequest { worker_ids: workers, ..all() },
            ),
            (
                "list, dates: median",
                "list, dates: P95",
                ListTicketsRequest {
                    date_from: "2026-03-02".to_owned(),
                    date_to: "2026-03-08".to_owned(),
                    ..all()
                },
            ),
            (
                "list, status: median",
                "list, status: P95",
                ListTicketsRequest { status: "CANCELLED".to_owned(), ..all() },
            ),
            (
                "list, keyword: median",
                "list, keyword: P95",
                ListTicketsRequest { keyword: "7#楼".to_owned(), ..all() },
            ),
            (
                "list, by title, last page: median",
                "list, by title, last page: P95",
                ListTicketsRequest {
                    sort: "title".to_owned(),
                    page: Some(PageRequest { page: 100, page_size: 20 }),
                    ..all()
                },
            ),
        ]
    }

    async fn list(&self, filter: ListTicketsRequest) -> Result<()> {
        self.client().list_tickets(self.ask(filter)).await?;
        Ok(())
    }

    async fn detail(&self, ticket_id: &str) -> Result<()> {
        let message = GetTicketRequest { ticket_id: ticket_id.to_owned() };
        self.client().get_ticket(self.ask(message)).await?;
        Ok(())
    }

    async fn day(&self, daily_ticket_id: &str) -> Result<()> {
        let message = GetDailyTicketRequest {
            daily_ticket_id: daily_ticket_id.to_owned(),
            page: Some(PageRequest { page: 2, page_size: 50 }),
            ..GetDailyTicketRequest::default()
        };
        self.client().get_daily_ticket(self.ask(message)).await?;
        Ok(())
    }

    async fn export(&self, ticket_id: &str) -> Result<()> {
        let page = Some(PageRequest { page: 1, page_size: 200 });
        let message = ExportTicketRequest { ticket_id: ticket_id.to_owned(), page };
        self.client().export_ticket(self.ask(message)).await?;
        Ok(())
    }

    /// Of other workers than the ticket's whose detail is asked for, so that each round finds that one as the first did.
    async fn create(&self) -> Result<()> {
        self.created(1).await.map(|_| ())
    }

    /// Every sixth worker from the given one on.
    async fn created(&self, first: usize) -> Result<String> {
        let message = CreateTicketRequest {
            title: "大型作业".to_owned(),
            site_id: self.site.to_string(),
            contractor_id: id("contractor", 3).to_string(),
            start_date: "2026-03-02".to_owned(),
            end_date: "2026-04-01".to_owned(),
            area_ids: vec![id("area", 3).to_string()],
            worker_ids: (0..LARGE)
                .map(|number| id("worker", first + number * POOL / LARGE).to_string())
                .collect(),
            video_ids: vec![id("video", 0).to_string()],
            ..CreateTicketRequest::default()
        };
        let made = self.client().create_ticket(self.ask(message)).await?;
        Ok(made.into_inner().ticket_id)
    }

    /// Makes it, and trains and admits its workers.
    async fn large(&self) -> Result<Large> {
        let ticket = self.created(0).await?;
        let mut conn = sqlx::PgConnection::connect(&self.database.url).await?;
        let id: Uuid = ticket.parse()?;
        for statement in [
            "INSERT INTO ticket.worker_days (daily_ticket_id, worker_id, site_id, training_status, training_version)
             SELECT d.daily_ticket_id, w.worker_id, d.site_id, CASE WHEN w.position % 3 > 0 THEN 'COMPLETED' ELSE 'FAILED' END, 1
             FROM ticket.daily_tickets d JOIN ticket.ticket_workers w USING (ticket_id) WHERE ticket_id = $1",
            "INSERT INTO ticket.grants (grant_id, site_id, daily_ticket_id, worker_id, area_id, status, version)
             SELECT gen_random_uuid(), d.site_id, d.daily_ticket_id, w.worker_id, a.area_id, 'SYNCED', 1
             FROM ticket.daily_tickets d JOIN ticket.ticket_workers w USING (ticket_id)
             JOIN ticket.ticket_areas a USING (ticket_id) WHERE ticket_id = $1",
        ] {
            sqlx::query(statement).bind(id).execute(&mut conn).await?;
        }
        // What the filling left to be written is not written beside the first round.
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut conn).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut conn).await?;
        conn.close().await?;
        let message = GetTicketRequest { ticket_id: ticket.clone() };
        let found = self.client().get_ticket(self.ask(message)).await?.into_inner();
        let days = found.ticket.map(|ticket| ticket.daily_tickets).unwrap_or_default();
        let day = days.first().context("a day")?.daily_ticket_id.clone();
        Ok(Large { ticket, day })
    }

    /// Every ticket that was made is there, with its days and workers.
    async fn check(&self, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
        let made = 1 + u64::from(sizes.rounds) * (sizes.calls / CALLS_A_TICKET).max(1) as u64;
        let days = self.database.number(
            "SELECT count(*) FROM ticket.daily_tickets JOIN ticket.work_tickets USING (ticket_id) WHERE title = '大型作业'",
        );
        figures.count("days of tickets made", made * u64::from(DAYS), days.await?);
        let workers = self.database.number(
            "SELECT count(*) FROM ticket.ticket_workers JOIN ticket.work_tickets USING (ticket_id) WHERE title = '大型作业'",
        );
        figures.count("workers of tickets made", made * LARGE as u64, workers.await?);
        Ok(())
    }

    async fn stop(self, world: &World) -> Result<()> {
        self.shell.tasks.stop();
        self.shell.tasks.finished(Duration::from_secs(10)).await;
        world.discard(&self.database.name).await
    }
}

/// As the filling makes them.
fn id(kind: &str, number: usize) -> Uuid {
    const KINDS: [&str; 5] = ["site", "contractor", "area", "worker", "video"];
    let kind = KINDS.iter().position(|known| *known == kind).map_or(0, |place| place + 1);
    Uuid::from_u64_pair(0x7000, ((0x8000 + kind as u64) << 48) | number as u64)
}
