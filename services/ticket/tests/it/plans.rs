//! What a list and a page read of the large tables, told by the database's own counters: the statements themselves
//! run, with the rows of months of use under them.

use auth::Caller;
use service::Fields;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use test_support::eventually;
use ticket::app::{AmendTicket, App, CancelDailyTicket, CancelTicket, Error, Workers};
use ticket::domain::{Amendment, Filter, Sort, Status, Wanted};
use types::{AreaId, ContractorId, DailyTicketId, Page, SiteId, TicketId, WorkerId};
use uuid::Uuid;

use crate::world::World;

const FILL: &str = include_str!("../fill.sql");
/// Tables that grow with every ticket, its workers or its days, of all sites.
const LARGE: [&str; 10] = [
    "work_tickets",
    "ticket_areas",
    "ticket_workers",
    "ticket_edits",
    "daily_tickets",
    "worker_days",
    "completions",
    "releases",
    "grants",
    "rosters",
];
/// What is told of a change and what is kept of it, beside what the lists read.
const CHANGED: &str = "
    INSERT INTO ticket.ticket_edits (ticket_id, site_id, revision, action, edited_by, edited_at, after)
    SELECT ticket_id, site_id, revision, 'CREATED', created_by, created_at, '{}' FROM ticket.work_tickets;
    INSERT INTO ticket.releases (daily_ticket_id, worker_id, site_id, released_at)
    SELECT daily_ticket_id, worker_id, site_id, completed_at FROM ticket.completions;
    ANALYZE";

struct Filled {
    world: World,
    /// One session, so that what it counted is told before it goes on.
    admin: PgPool,
    caller: Caller,
    ticket: TicketId,
    site: SiteId,
    contractor: ContractorId,
    area: AreaId,
    worker: WorkerId,
    day: DailyTicketId,
}

impl Filled {
    async fn new() -> Self {
        let world = World::new().await;
        let options = world.harness.database.options();
        let admin = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let settings = "SET fill.sites = 10; SET fill.tickets = 2000; SET fill.workers = 10; SET fill.days = 5;";
        sqlx::raw_sql(settings).execute(&admin).await.unwrap();
        sqlx::raw_sql(FILL).execute(&admin).await.unwrap();
        sqlx::raw_sql(CHANGED).execute(&admin).await.unwrap();
        // The least a planner may know: nothing of a statement's values, unless the statement sees to it.
        let generic = "DO $$ BEGIN
                EXECUTE format('ALTER ROLE sitepass_ticket_app IN DATABASE %I
                                SET plan_cache_mode = force_generic_plan', current_database());
            END $$";
        sqlx::raw_sql(generic).execute(&admin).await.unwrap();
        let id = async |query: &'static str| -> Uuid {
            sqlx::query_scalar(query).fetch_one(&admin).await.unwrap()
        };
        forget(&admin).await;
        let site = SiteId::from_uuid(id("SELECT pg_temp.fill_id('site', 0)").await);
        Self {
            caller: world.harness.verified(&world.harness.sysadmin(&[site])),
            ticket: TicketId::from_uuid(id("SELECT pg_temp.fill_id('ticket', 100)").await),
            site,
            contractor: ContractorId::from_uuid(
                id("SELECT pg_temp.fill_id('contractor', 4)").await,
            ),
            area: AreaId::from_uuid(id("SELECT pg_temp.fill_id('area', 0)").await),
            worker: WorkerId::from_uuid(id("SELECT pg_temp.fill_id('worker', 701)").await),
            day: DailyTicketId::from_uuid(id("SELECT pg_temp.fill_id('day', 10003)").await),
            world,
            admin,
        }
    }

    fn list(&self) -> Filter {
        Filter { site: Some(self.site), ..Filter::default() }
    }

    /// Of the ticket, in a remark or in its workers.
    fn amend(&self, remark: Option<String>, workers: Workers, preview: bool) -> AmendTicket {
        AmendTicket {
            caller: self.caller.clone(),
            ticket: self.ticket,
            revision: None,
            reason: Some("rain".to_owned()),
            preview,
            fields: Fields::new(),
            amendment: Amendment { remark, ..Amendment::default() },
            areas: None,
            videos: None,
            workers,
        }
    }

    /// What a list read whole.
    async fn listed(&self, filter: &Filter) -> Vec<String> {
        self.read_whole(async |app| {
            for _ in 0..7 {
                let asked = filter.clone();
                let (found, total) = app
                    .list_tickets(&self.caller, asked, Sort::Title, Page::default())
                    .await
                    .unwrap();
                assert!(total > 0 && !found.is_empty(), "{filter:?}");
            }
        })
        .await
    }

    /// The large tables that `ask` read from their first row to their last.
    async fn read_whole(&self, ask: impl AsyncFnOnce(&App)) -> Vec<String> {
        let store = self.world.harness.store("ticket").await;
        ask(&App::new(self.world.harness.shell.clone(), store.clone())).await;
        store.close().await;
        // A session tells what it counted when it ends.
        eventually("the service's sessions to end", || async {
            let sessions: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = 'sitepass_ticket_app'",
            )
            .fetch_one(&self.admin)
            .await
            .unwrap();
            (sessions == 0).then_some(())
        })
        .await;
        let by_index: i64 = sqlx::query_scalar(
            "SELECT sum(idx_scan)::bigint FROM pg_stat_user_tables WHERE schemaname = 'ticket'",
        )
        .fetch_one(&self.admin)
        .await
        .unwrap();
        assert!(by_index > 0, "something was read");
        let whole = sqlx::query_scalar(
            "SELECT relname::text FROM pg_stat_user_tables
             WHERE schemaname = 'ticket' AND relname = ANY ($1) AND seq_scan > 0 ORDER BY relname",
        )
        .bind(LARGE.map(str::to_owned).to_vec())
        .fetch_all(&self.admin)
        .await
        .unwrap();
        sqlx::raw_sql("SELECT pg_stat_reset()").execute(&self.admin).await.unwrap();
        whole
    }
}

/// What the filling read is told before it is forgotten.
async fn forget(admin: &PgPool) {
    for statement in ["SELECT pg_stat_force_next_flush()", "SELECT pg_stat_reset()"] {
        sqlx::raw_sql(statement).execute(admin).await.unwrap();
    }
}

#[tokio::test]
async fn no_list_reads_a_large_table_whole() {
    let filled = Filled::new().await;
    let filters = [
        filled.list(),
        Filter { contractor: Some(filled.contractor), ..Filter::default() },
        Filter { area: Some(filled.area), ..filled.list() },
        Filter { workers: Some(vec![filled.worker]), ..filled.list() },
        Filter { workers: Some(vec![filled.worker, WorkerId::new()]), ..Filter::default() },
        Filter { date_from: Some("2026-03-02".parse().unwrap()), ..filled.list() },
        Filter { date_to: Some("2026-03-02".parse().unwrap()), ..filled.list() },
        Filter { status: Some(Status::Cancelled), ..filled.list() },
        Filter { keyword: Some("钢筋".to_owned()), ..filled.list() },
    ];
    for filter in filters {
        let whole = filled.listed(&filter).await;
        assert!(whole.is_empty(), "{filter:?}: {whole:?}");
    }
}

#[tokio::test]
async fn no_page_of_a_ticket_reads_a_large_table_whole() {
    let filled = Filled::new().await;
    let page = Page { page: 1, page_size: 8 };
    let of_ticket = filled
        .read_whole(async |app| {
            for _ in 0..7 {
                let view = app.get_ticket(&filled.caller, filled.ticket).await.unwrap();
                assert_eq!(view.counts.len(), 5);
            }
        })
        .await;
    assert!(of_ticket.is_empty(), "the ticket: {of_ticket:?}");
    let of_day = filled
        .read_whole(async |app| {
            for _ in 0..7 {
                let wanted = Wanted { page, ..Wanted::default() };
                let view = app.get_daily_ticket(&filled.caller, filled.day, wanted).await.unwrap();
                assert_eq!((view.workers.len(), view.total), (8, 10));
            }
        })
        .await;
    assert!(of_day.is_empty(), "the day: {of_day:?}");
    let of_export = filled
        .read_whole(async |app| {
            for _ in 0..7 {
                let export = app.export_ticket(&filled.caller, filled.ticket, page).await.unwrap();
                assert_eq!((export.workers.len(), export.workers[0].len()), (8, 5));
            }
        })
        .await;
    assert!(of_export.is_empty(), "the export: {of_export:?}");
}

#[tokio::test]
async fn no_page_of_days_that_keep_their_rosters_reads_a_large_table_whole() {
    let filled = Filled::new().await;
    let over = "INSERT INTO ticket.rosters (ticket_id, site_id, revision, worker_ids, video_ids, video_rule)
                SELECT t.ticket_id, t.site_id, 1, ARRAY(SELECT w.worker_id FROM ticket.ticket_workers w
                                                        WHERE w.ticket_id = t.ticket_id AND w.position < 9), '{}', 'ALL'
                FROM ticket.work_tickets t;
                UPDATE ticket.daily_tickets SET started_at = starts_at, expired_at = expires_at, roster_revision = 1;
                ANALYZE";
    sqlx::raw_sql(over).execute(&filled.admin).await.unwrap();
    forget(&filled.admin).await;
    let page = Page { page: 1, page_size: 8 };
    let read = filled
        .read_whole(async |app| {
            for _ in 0..7 {
                let view = app.get_ticket(&filled.caller, filled.ticket).await.unwrap();
                assert!(view.counts.values().all(|(training, _)| training.required == 9));
                let wanted = Wanted { page, ..Wanted::default() };
                let view = app.get_daily_ticket(&filled.caller, filled.day, wanted).await.unwrap();
                assert_eq!((view.workers.len(), view.total), (8, 9));
                let export = app.export_ticket(&filled.caller, filled.ticket, page).await.unwrap();
                assert_eq!((export.workers.len(), export.total), (8, 10));
            }
        })
        .await;
    assert!(read.is_empty(), "{read:?}");
}

#[tokio::test]
async fn no_worker_s_tasks_read_a_large_table_whole() {
    let filled = Filled::new().await;
    let asked = filled
        .read_whole(async |app| {
            let service = Caller::service("gateway");
            for _ in 0..7 {
                app.list_worker_tasks(&service, filled.worker).await.unwrap();
                let nobody = app.list_worker_tasks(&service, WorkerId::new()).await.unwrap();
                assert!(nobody.tasks.is_empty());
            }
        })
        .await;
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test]
async fn no_change_of_a_ticket_and_no_history_read_a_large_table_whole() {
    let filled = Filled::new().await;
    let read = filled
        .read_whole(async |app| {
            for number in 0..7 {
                let remark = filled.amend(Some(number.to_string()), Workers::Stay, false);
                app.amend_ticket(remark).await.unwrap();
                let removal = filled.amend(None, Workers::Without(filled.worker), true);
                let effects = app.amend_ticket(removal).await.unwrap().effects;
                assert!(effects.loses > 0);
                // Whether it was removed before is asked of the history.
                let never_named = filled.amend(None, Workers::Without(WorkerId::new()), true);
                let refused = app.amend_ticket(never_named).await;
                assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
                let (day, reason) = (filled.day, "rain".to_owned());
                let cancel = CancelDailyTicket { day, reason: reason.clone(), preview: true };
                app.cancel_daily_ticket(&filled.caller, cancel).await.unwrap();
                let cancel = CancelTicket { ticket: filled.ticket, reason, preview: number < 6 };
                app.cancel_ticket(&filled.caller, cancel).await.unwrap();
                let page = Page::default();
                let history = app.list_ticket_history(&filled.caller, filled.ticket, page).await;
                assert!(history.unwrap().total > 1);
            }
        })
        .await;
    assert!(read.is_empty(), "{read:?}");
}
