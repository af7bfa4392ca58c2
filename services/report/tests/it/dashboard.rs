use chrono::{DateTime, TimeDelta, Utc};
use events::{Delivery, deliver};
use proto::access_grant::v1::{AccessGranted, AccessSynced, Grant, PassageExplained};
use proto::device::v1::{Passage, PassageRecorded};
use proto::notification::v1::{Notification, NotificationSent, NotificationSkipped};
use proto::report::v1::report_service_client::ReportServiceClient;
use proto::report::v1::{GetDashboardRequest, GetDashboardResponse};
use proto::ticket::v1::{
    DailyTicket, DailyTicketCancelled, DailyTicketExpired, Ticket, TicketAmended, TicketCancelled,
    TicketPublished,
};
use proto::training::v1::{TrainingCompleted, TrainingFailed, TrainingReopened, TrainingStarted};
use report::{Config, Fold, Source};
use service::{Refusal, Store};
use test_support::Harness;
use types::{
    ContractorId, DailyTicketId, ErrorCode, GrantId, NotificationId, PassageId, SiteId, TicketId,
    WorkerId,
};

struct Day {
    site: SiteId,
    daily_ticket: DailyTicketId,
    worker: WorkerId,
    at: DateTime<Utc>,
}

impl Day {
    fn ticket(&self, status: &str, version: u64) -> Ticket {
        Ticket {
            ticket_id: TicketId::from_uuid(self.daily_ticket.as_uuid()).to_string(),
            site_id: self.site.to_string(),
            worker_ids: vec![self.worker.to_string(), WorkerId::new().to_string()],
            daily_tickets: vec![DailyTicket {
                daily_ticket_id: self.daily_ticket.to_string(),
                date: "2026-03-02".to_owned(),
                status: status.to_owned(),
                ..DailyTicket::default()
            }],
            version,
            ..Ticket::default()
        }
    }

    fn grant(&self, status: &str, version: u64, proved_after: Option<i64>) -> Grant {
        Grant {
            grant_id: GrantId::from_uuid(self.worker.as_uuid()).to_string(),
            site_id: self.site.to_string(),
            daily_ticket_id: self.daily_ticket.to_string(),
            status: status.to_owned(),
            created_at: Some(proto::timestamp(self.at)),
            proved_at: proved_after
                .map(|millis| proto::timestamp(self.at + TimeDelta::milliseconds(millis))),
            version,
            ..Grant::default()
        }
    }

    /// A published ticket of two workers: one trained, granted, proved after 400 ms, in, then refused.
    fn facts(&self) -> Vec<(Source, Delivery)> {
        let (site_id, worker_id) = (self.site.to_string(), self.worker.to_string());
        let daily_ticket_id = self.daily_ticket.to_string();
        let passage = |id: PassageId, direction: &str, result: &str| PassageRecorded {
            passage: Some(Passage {
                passage_id: id.to_string(),
                site_id: site_id.clone(),
                corrected_time: Some(proto::timestamp(self.at)),
                direction: direction.to_owned(),
                result: result.to_owned(),
                version: 1,
                ..Passage::default()
            }),
        };
        let notice = |status: &str| {
            Some(Notification {
                notification_id: NotificationId::new().to_string(),
                site_id: site_id.clone(),
                status: status.to_owned(),
                created_at: Some(proto::timestamp(self.at)),
                version: 2,
                ..Notification::default()
            })
        };
        let refused = PassageId::new();
        let explained = PassageExplained {
            site_id: site_id.clone(),
            passage_id: refused.to_string(),
            reason_code: "OUT_OF_TIME_WINDOW".to_owned(),
            ..PassageExplained::default()
        };
        let completed = TrainingCompleted {
            site_id: site_id.clone(),
            daily_ticket_id: daily_ticket_id.clone(),
            worker_id: worker_id.clone(),
            in_time: true,
            version: 5,
            ..TrainingCompleted::default()
        };
        let started = TrainingStarted {
            site_id: site_id.clone(),
            daily_ticket_id: daily_ticket_id.clone(),
            worker_id: worker_id.clone(),
            version: 1,
            ..TrainingStarted::default()
        };
        let failed = TrainingFailed {
            site_id: site_id.clone(),
            daily_ticket_id,
            worker_id: WorkerId::new().to_string(),
            version: 2,
            ..TrainingFailed::default()
        };
        let published = TicketPublished {
            ticket: Some(self.ticket("PUBLISHED", 1)),
            ..TicketPublished::default()
        };
        let synced =
            AccessSynced { grant: Some(self.grant("SYNCED", 2, Some(400))), authorized: true };
        vec![
            (Source::Ticket, events::testing::delivery(&published)),
            (
                Source::Notification,
                events::testing::delivery(&NotificationSent { notification: notice("SENT") }),
            ),
            (
                Source::Notification,
                events::testing::delivery(&NotificationSkipped { notification: notice("SKIPPED") }),
            ),
            (Source::Training, events::testing::delivery(&started)),
            (Source::Training, events::testing::delivery(&failed)),
            (Source::Training, events::testing::delivery(&completed)),
            (
                Source::AccessGrant,
                events::testing::delivery(&AccessGranted {
                    grant: Some(self.grant("PENDING_SYNC", 1, None)),
                }),
            ),
            (Source::AccessGrant, events::testing::delivery(&synced)),
            (Source::Device, events::testing::delivery(&passage(PassageId::new(), "IN", "PASS"))),
            (Source::Device, events::testing::delivery(&passage(refused, "IN", "DENY"))),
            (Source::AccessGrant, events::testing::delivery(&explained)),
        ]
    }
}

async fn tell(store: &Store, facts: &[(Source, Delivery)]) {
    for (source, delivery) in facts {
        deliver(store, &Fold::new(*source), delivery).await.unwrap();
    }
}

async fn dashboard(harness: &Harness, site: SiteId) -> GetDashboardResponse {
    let config = Config { database: harness.database.config(), grpc_listen: None };
    report::serve(config, harness.shell.clone()).await.unwrap();
    let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"));
    let ask = GetDashboardRequest { site_id: site.to_string(), date: String::new() };
    client
        .get_dashboard(harness.request(&harness.sysadmin(&[site]), ask))
        .await
        .unwrap()
        .into_inner()
}

fn day(harness: &Harness) -> Day {
    Day {
        site: SiteId::new(),
        daily_ticket: DailyTicketId::new(),
        worker: WorkerId::new(),
        at: harness.now(),
    }
}

fn assert_figures(figures: &GetDashboardResponse) {
    assert_eq!(figures.date, "2026-03-02");
    assert_eq!((figures.tickets, figures.workers_required), (1, 2));
    assert_eq!((figures.trainings_completed, figures.trainings_failed), (1, 1));
    assert_eq!((figures.notices_sent, figures.notices_failed, figures.notices_skipped), (1, 0, 1));
    assert_eq!((figures.grants_synced, figures.grants_pending), (1, 0));
    assert_eq!((figures.sync_latency_mean_ms, figures.sync_latency_p95_ms), (400, 400));
    assert_eq!((figures.passages_in, figures.passages_out, figures.refusals), (1, 0, 1));
    assert_eq!(figures.refusals_by_reason[0].reason_code, "OUT_OF_TIME_WINDOW");
}

#[tokio::test]
async fn a_day_is_told_in_figures() {
    let harness = Harness::new().await;
    let day = day(&harness);
    tell(&harness.store("report").await, &day.facts()).await;
    assert_figures(&dashboard(&harness, day.site).await);
    harness.stop().await;
}

#[tokio::test]
async fn facts_told_backwards_and_again_give_the_same_figures() {
    let harness = Harness::new().await;
    let day = day(&harness);
    let mut facts = day.facts();
    facts.reverse();
    let store = harness.store("report").await;
    tell(&store, &facts).await;
    facts.reverse();
    tell(&store, &facts).await;
    assert_figures(&dashboard(&harness, day.site).await);
    harness.stop().await;
}

#[tokio::test]
async fn a_cancelled_day_does_not_count_and_an_older_fact_does_not_bring_it_back() {
    let harness = Harness::new().await;
    let day = day(&harness);
    let cancelled =
        TicketCancelled { ticket: Some(day.ticket("CANCELLED", 9)), ..TicketCancelled::default() };
    let store = harness.store("report").await;
    tell(&store, &[(Source::Ticket, events::testing::delivery(&cancelled))]).await;
    tell(&store, &day.facts()[..1]).await;
    assert_eq!(dashboard(&harness, day.site).await.tickets, 0);
    harness.stop().await;
}

#[tokio::test]
async fn a_day_called_off_is_taken_whatever_its_reason_says() {
    let harness = Harness::new().await;
    let day = day(&harness);
    let store = harness.store("report").await;
    let reason = "雷雨大风，全天停止室外作业".to_owned();
    tell(&store, &day.facts()[..1]).await;
    let called_off = DailyTicketCancelled {
        ticket: Some(day.ticket("CANCELLED", 2)),
        reason: reason.clone(),
        ..DailyTicketCancelled::default()
    };
    tell(&store, &[(Source::Ticket, events::testing::delivery(&called_off))]).await;
    assert_eq!(dashboard(&harness, day.site).await.tickets, 0);
    let cancelled = TicketCancelled {
        ticket: Some(day.ticket("CANCELLED", 3)),
        reason,
        ..TicketCancelled::default()
    };
    tell(&store, &[(Source::Ticket, events::testing::delivery(&cancelled))]).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_reopened_training_does_not_count_as_completed_in_whatever_order_it_is_told() {
    for order in [[0, 1], [1, 0]] {
        let harness = Harness::new().await;
        let day = day(&harness);
        let store = harness.store("report").await;
        tell(&store, &day.facts()[..1]).await;
        let completed = |version| {
            let fact = TrainingCompleted {
                site_id: day.site.to_string(),
                daily_ticket_id: day.daily_ticket.to_string(),
                worker_id: day.worker.to_string(),
                version,
                ..TrainingCompleted::default()
            };
            (Source::Training, events::testing::delivery(&fact))
        };
        let reopened = TrainingReopened {
            site_id: day.site.to_string(),
            daily_ticket_id: day.daily_ticket.to_string(),
            worker_id: day.worker.to_string(),
            version: 6,
            ..TrainingReopened::default()
        };
        let facts = [completed(5), (Source::Training, events::testing::delivery(&reopened))];
        for index in order {
            tell(&store, &facts[index..=index]).await;
        }
        assert_eq!(dashboard(&harness, day.site).await.trainings_completed, 0);
        tell(&store, &[completed(7)]).await;
        let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"));
        let ask = GetDashboardRequest { site_id: day.site.to_string(), date: String::new() };
        let asked = harness.request(&harness.sysadmin(&[day.site]), ask);
        let figures = client.get_dashboard(asked).await.unwrap().into_inner();
        assert_eq!(figures.trainings_completed, 1);
        harness.stop().await;
    }
}

/// The ticket as it was amended to name so many.
fn amended(day: &Day, status: &str, version: u64, workers: usize) -> (Source, Delivery) {
    let worker_ids = (0..workers).map(|_| WorkerId::new().to_string()).collect();
    let ticket = Ticket { worker_ids, ..day.ticket(status, version) };
    let fact = TicketAmended { ticket: Some(ticket), ..TicketAmended::default() };
    (Source::Ticket, events::testing::delivery(&fact))
}

fn expired(day: &Day, version: u64) -> (Source, Delivery) {
    let ticket = Some(day.ticket("EXPIRED", version));
    let fact = DailyTicketExpired { ticket, ..DailyTicketExpired::default() };
    (Source::Ticket, events::testing::delivery(&fact))
}

async fn workers_required(facts: impl FnOnce(&Day) -> Vec<(Source, Delivery)>) -> u32 {
    let harness = Harness::new().await;
    let day = day(&harness);
    tell(&harness.store("report").await, &facts(&day)).await;
    let figures = dashboard(&harness, day.site).await;
    harness.stop().await;
    figures.workers_required
}

#[tokio::test]
async fn a_day_that_is_over_keeps_its_number_in_whatever_order_its_facts_are_told() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let told = workers_required(|day| {
            let facts = [day.facts().remove(0), expired(day, 3), amended(day, "EXPIRED", 4, 5)];
            order.map(|index| facts[index].clone()).to_vec()
        });
        assert_eq!(told.await, 2, "{order:?}");
    }
}

#[tokio::test]
async fn a_day_that_an_amendment_ends_keeps_its_number_too() {
    for order in [[0, 1], [1, 0]] {
        let told = workers_required(|day| {
            let facts = [day.facts().remove(0), amended(day, "EXPIRED", 2, 5)];
            order.map(|index| facts[index].clone()).to_vec()
        });
        assert_eq!(told.await, 2, "{order:?}");
    }
}

#[tokio::test]
async fn a_day_ends_with_the_number_it_was_amended_to_even_if_its_end_is_told_first() {
    for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0]] {
        let told = workers_required(|day| {
            let (open, over) = (amended(day, "PUBLISHED", 2, 5), amended(day, "EXPIRED", 3, 5));
            let facts = [day.facts().remove(0), open, over];
            order.map(|index| facts[index].clone()).to_vec()
        });
        assert_eq!(told.await, 5, "{order:?}");
    }
}

#[tokio::test]
async fn of_a_day_first_heard_of_when_it_was_over_the_oldest_number_told_stands() {
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        let told = workers_required(|day| {
            let facts =
                [expired(day, 3), amended(day, "EXPIRED", 4, 5), amended(day, "EXPIRED", 5, 7)];
            order.map(|index| facts[index].clone()).to_vec()
        });
        assert_eq!(told.await, 2, "{order:?}");
    }
}

#[tokio::test]
async fn a_date_no_calendar_page_has_is_refused() {
    let harness = Harness::new().await;
    let config = Config { database: harness.database.config(), grpc_listen: None };
    report::serve(config, harness.shell.clone()).await.unwrap();
    let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"));
    let site = SiteId::new();
    for date in ["+262142-12-31", "-262143-01-01", "2026-02-30"] {
        let ask = GetDashboardRequest { site_id: site.to_string(), date: date.to_owned() };
        let asked = harness.request(&harness.sysadmin(&[site]), ask);
        let refusal = Refusal::from_status(&client.get_dashboard(asked).await.unwrap_err());
        assert_eq!(refusal.code, ErrorCode::ValidationFailed, "{date}");
        assert_eq!(refusal.fields[0].field, "date");
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_whole_sites_figures_are_not_for_one_contractors_administrator() {
    let harness = Harness::new().await;
    let site = SiteId::new();
    let config = Config { database: harness.database.config(), grpc_listen: None };
    report::serve(config, harness.shell.clone()).await.unwrap();
    let mut client = ReportServiceClient::new(harness.shell.peers.transport("report"));
    let ask = GetDashboardRequest { site_id: site.to_string(), date: String::new() };
    let caller = harness.contractor_admin(site, ContractorId::new());
    let status = client.get_dashboard(harness.request(&caller, ask)).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied);
    harness.stop().await;
}

#[test]
fn whichever_event_is_a_newest_state_is_taken() {
    for source in report::Source::ALL {
        events::testing::assert_takes_its_states(&report::Fold::new(source));
    }
}
