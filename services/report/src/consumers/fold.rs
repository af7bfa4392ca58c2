use chrono::{DateTime, Utc};
use events::{Delivery, Failure, Handler, async_trait};
use proto::access_grant::v1::{
    AccessGranted, AccessRevoked, AccessSyncFailed, AccessSynced, Grant, PassageExplained,
};
use proto::device::v1::PassageRecorded;
use proto::directory::v1::SiteChanged;
use proto::notification::v1::{
    Notification, NotificationFailed, NotificationSent, NotificationSkipped,
};
use proto::ticket::v1::{
    DailyTicketCancelled, DailyTicketExpired, DailyTicketStarted, Ticket, TicketAmended,
    TicketCancelled, TicketPublished,
};
use proto::training::v1::{TrainingCompleted, TrainingFailed, TrainingReopened, TrainingStarted};
use service::Tx;
use types::ReasonCode;
use uuid::Uuid;

use crate::store::facts::{self, Day, Passage, Training};

/// A context whose facts are folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Directory,
    Ticket,
    Training,
    Notification,
    AccessGrant,
    Device,
}

impl Source {
    pub const ALL: [Self; 6] = [
        Self::Directory,
        Self::Ticket,
        Self::Training,
        Self::Notification,
        Self::AccessGrant,
        Self::Device,
    ];
}

/// Folds one context's facts into the read models.
#[derive(Debug, Clone, Copy)]
pub struct Fold {
    source: Source,
}

impl Fold {
    pub fn new(source: Source) -> Self {
        Self { source }
    }
}

#[async_trait]
impl Handler for Fold {
    fn durable(&self) -> &'static str {
        "report--fold"
    }

    fn context(&self) -> &'static str {
        match self.source {
            Source::Directory => "directory",
            Source::Ticket => "ticket",
            Source::Training => "training",
            Source::Notification => "notification",
            Source::AccessGrant => "access_grant",
            Source::Device => "device",
        }
    }

    fn events(&self) -> &'static [&'static str] {
        match self.source {
            Source::Directory => &["SiteChanged"],
            Source::Ticket => &[
                "TicketPublished",
                "TicketAmended",
                "TicketCancelled",
                "DailyTicketStarted",
                "DailyTicketExpired",
                "DailyTicketCancelled",
            ],
            Source::Training => {
                &["TrainingStarted", "TrainingFailed", "TrainingCompleted", "TrainingReopened"]
            }
            Source::Notification => {
                &["NotificationSent", "NotificationFailed", "NotificationSkipped"]
            }
            Source::AccessGrant => &[
                "AccessGranted",
                "AccessSynced",
                "AccessSyncFailed",
                "AccessRevoked",
                "PassageExplained",
            ],
            Source::Device => &["PassageRecorded"],
        }
    }

    fn states(&self) -> &'static [&'static str] {
        match self.source {
            Source::Directory => &["Site"],
            Source::Ticket => &["Ticket"],
            Source::Training => &["TrainingDay"],
            Source::AccessGrant => &["Grant"],
            Source::Notification | Source::Device => &[],
        }
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        match self.source {
            Source::Directory => site(tx, delivery).await,
            Source::Ticket => ticket(tx, delivery).await,
            Source::Training => training(tx, delivery).await,
            Source::Notification => notice(tx, delivery).await,
            Source::AccessGrant => grant(tx, delivery).await,
            Source::Device => passage(tx, delivery).await,
        }
    }
}

async fn site(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let Some(site) = delivery.decode::<SiteChanged>()?.site else { return Err(hollow(delivery)) };
    facts::site(tx, id(&site.site_id)?, &site.time_zone, version(site.version)).await?;
    Ok(())
}

async fn ticket(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let ticket = match delivery.name.as_str() {
        "TicketPublished" => delivery.decode::<TicketPublished>()?.ticket,
        "TicketAmended" => delivery.decode::<TicketAmended>()?.ticket,
        "TicketCancelled" => delivery.decode::<TicketCancelled>()?.ticket,
        "DailyTicketStarted" => delivery.decode::<DailyTicketStarted>()?.ticket,
        "DailyTicketExpired" => delivery.decode::<DailyTicketExpired>()?.ticket,
        _ => delivery.decode::<DailyTicketCancelled>()?.ticket,
    };
    let Some(ticket) = ticket else { return Err(hollow(delivery)) };
    let Ticket { ticket_id, site_id, worker_ids, daily_tickets, .. } = &ticket;
    for daily in daily_tickets {
        let day = Day {
            daily_ticket: id(&daily.daily_ticket_id)?,
            site: id(site_id)?,
            ticket: id(ticket_id)?,
            date: daily.date.parse().map_err(|_| Failure::Park("a date is no date".to_owned()))?,
            status: daily.status.clone(),
            workers: i32::try_from(worker_ids.len()).unwrap_or(i32::MAX),
            version: version(ticket.version),
        };
        facts::day(tx, &day).await?;
    }
    Ok(())
}

async fn training(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    if delivery.name == "TrainingReopened" {
        let fact: TrainingReopened = delivery.decode()?;
        let (daily_ticket, worker) = (id(&fact.daily_ticket_id)?, id(&fact.worker_id)?);
        let (site, version) = (site_of(delivery)?, version(delivery.version));
        facts::reopened(tx, daily_ticket, worker, site, version).await?;
        return Ok(());
    }
    let (daily_ticket, worker, status) = match delivery.name.as_str() {
        "TrainingStarted" => {
            let fact: TrainingStarted = delivery.decode()?;
            (fact.daily_ticket_id, fact.worker_id, "IN_LEARNING")
        }
        "TrainingFailed" => {
            let fact: TrainingFailed = delivery.decode()?;
            (fact.daily_ticket_id, fact.worker_id, "FAILED")
        }
        _ => {
            let fact: TrainingCompleted = delivery.decode()?;
            (fact.daily_ticket_id, fact.worker_id, "COMPLETED")
        }
    };
    let training = Training {
        daily_ticket: id(&daily_ticket)?,
        worker: id(&worker)?,
        site: site_of(delivery)?,
        status,
        version: version(delivery.version),
    };
    facts::training(tx, &training).await?;
    Ok(())
}

async fn notice(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let notice = match delivery.name.as_str() {
        "NotificationSent" => delivery.decode::<NotificationSent>()?.notification,
        "NotificationFailed" => delivery.decode::<NotificationFailed>()?.notification,
        _ => delivery.decode::<NotificationSkipped>()?.notification,
    };
    let Some(Notification { notification_id, status, created_at, version: newest, .. }) = notice
    else {
        return Err(hollow(delivery));
    };
    let created_at = instant(created_at, delivery);
    facts::notice(
        tx,
        id(&notification_id)?,
        site_of(delivery)?,
        &status,
        created_at,
        version(newest),
    )
    .await?;
    Ok(())
}

async fn grant(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let grant = match delivery.name.as_str() {
        "AccessGranted" => delivery.decode::<AccessGranted>()?.grant,
        "AccessSynced" => delivery.decode::<AccessSynced>()?.grant,
        "AccessSyncFailed" => delivery.decode::<AccessSyncFailed>()?.grant,
        "AccessRevoked" => delivery.decode::<AccessRevoked>()?.grant,
        _ => {
            let fact: PassageExplained = delivery.decode()?;
            facts::explained(tx, id(&fact.passage_id)?, site_of(delivery)?, &fact.reason_code)
                .await?;
            return Ok(());
        }
    };
    let Some(Grant {
        grant_id,
        daily_ticket_id,
        status,
        created_at,
        proved_at,
        version: newest,
        ..
    }) = grant
    else {
        return Err(hollow(delivery));
    };
    let grant = facts::Grant {
        id: id(&grant_id)?,
        site: site_of(delivery)?,
        daily_ticket: id(&daily_ticket_id)?,
        status,
        created_at: instant(created_at, delivery),
        proved_at: proto::instant(proved_at.as_ref()),
        version: version(newest),
    };
    facts::grant(tx, &grant).await?;
    Ok(())
}

async fn passage(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let Some(passage) = delivery.decode::<PassageRecorded>()?.passage else {
        return Err(hollow(delivery));
    };
    let reported = passage.reported_reason_code.parse::<ReasonCode>().ok();
    let passage = Passage {
        id: id(&passage.passage_id)?,
        site: site_of(delivery)?,
        at: instant(passage.corrected_time, delivery),
        direction: passage.direction,
        result: passage.result,
        reason_code: reported.map(|code| code.as_str().to_owned()),
    };
    facts::passage(tx, &passage).await?;
    Ok(())
}

fn id(text: &str) -> Result<Uuid, Failure> {
    text.parse().map_err(|_| Failure::Park("an id is no id".to_owned()))
}

fn site_of(delivery: &Delivery) -> Result<Uuid, Failure> {
    delivery
        .site
        .map(types::SiteId::as_uuid)
        .ok_or_else(|| Failure::Park("the site is missing".to_owned()))
}

fn version(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn instant(at: Option<prost_types::Timestamp>, delivery: &Delivery) -> DateTime<Utc> {
    proto::instant(at.as_ref()).unwrap_or(delivery.at)
}

fn hollow(delivery: &Delivery) -> Failure {
    Failure::Park(format!("{} carries nothing", delivery.name))
}
