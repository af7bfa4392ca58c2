use std::str::FromStr;

use chrono::{DateTime, Utc};
use events::{Delivery, Failure, Handler, async_trait};
use proto::ticket::v1::{
    DailyTicketCancelled, DailyTicketExpired, DailyTicketStarted, Ticket, TicketAmended,
    TicketCancelled, TicketPublished,
};
use types::TicketId;

use crate::domain::{Judged, Reason, State, VideoRule};
use crate::store::days::TicketDay;
use crate::store::{self, Tx};
use crate::wire;

/// Keeps the newest version of each ticket, ends the sessions its days no longer admit, and judges again whose days are
/// complete: a ticket may come to ask for more videos, or for fewer.
#[derive(Debug)]
pub struct KeepDays;

#[async_trait]
impl Handler for KeepDays {
    fn durable(&self) -> &'static str {
        "training--keep-days"
    }

    fn context(&self) -> &'static str {
        "ticket"
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            "TicketPublished",
            "TicketAmended",
            "TicketCancelled",
            "DailyTicketStarted",
            "DailyTicketExpired",
            "DailyTicketCancelled",
        ]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Ticket"]
    }

    /// It ends sessions, whose rows the reports' own batches lock in their order: several tickets could wait in a circle.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let ticket = match delivery.name.as_str() {
            "TicketPublished" => delivery.decode::<TicketPublished>()?.ticket,
            "TicketAmended" => delivery.decode::<TicketAmended>()?.ticket,
            "TicketCancelled" => delivery.decode::<TicketCancelled>()?.ticket,
            "DailyTicketStarted" => delivery.decode::<DailyTicketStarted>()?.ticket,
            "DailyTicketExpired" => delivery.decode::<DailyTicketExpired>()?.ticket,
            "DailyTicketCancelled" => delivery.decode::<DailyTicketCancelled>()?.ticket,
            _ => return Ok(()),
        };
        let ticket = ticket
            .as_ref()
            .and_then(read)
            .ok_or_else(|| Failure::Park(format!("{} without a readable ticket", delivery.name)))?;
        if !store::days::keep(tx, &ticket).await? {
            return Ok(());
        }
        let at = delivery.at;
        for mut session in store::sessions::unfinished_of(tx, ticket.id).await? {
            let day = store::days::get(tx, session.value.daily_ticket).await?;
            let (worker, video) = (session.value.worker, session.value.video);
            if day.is_some_and(|day| day.admits(worker, video, at).is_ok()) {
                continue;
            }
            // A fact that was long on its way does not end a session before its last report.
            session.value.end(Reason::DayClosed, at.max(session.value.heard_at));
            let State::Failed { reason, at } = session.value.state else { continue };
            let (_, version) = store::sessions::save_ended(tx, &session).await?;
            events::enqueue(tx, &wire::training_failed(&session.value, reason, at, version), at)
                .await?;
            metrics::counter!("sitepass_training_failed_total", "reason" => reason.as_str())
                .increment(1);
        }
        judge(tx, ticket.id, at).await
    }
}

async fn judge(tx: &mut Tx, ticket: TicketId, at: DateTime<Utc>) -> Result<(), Failure> {
    for of in store::day_trainings::watching(tx, ticket).await? {
        let Some(day) = store::days::get(tx, of.day).await? else { continue };
        // Who is not on the ticket any more has nothing to complete; back on it, they are judged again.
        if !day.workers.contains(&of.worker) {
            continue;
        }
        match day.judge(&of.completed, of.complete, at) {
            Judged::Stands => {}
            Judged::Reopened { missing } => {
                store::day_trainings::reopen(tx, of.day, of.worker).await?;
                let version =
                    store::day_trainings::next_version(tx, day.site, of.day, of.worker).await?;
                let (site, worker) = (day.site, of.worker);
                let fact = wire::training_reopened(site, of.day, worker, &missing, at, version);
                events::enqueue(tx, &fact, at).await?;
            }
            Judged::Completed(completion) => {
                store::day_trainings::complete(tx, of.day, of.worker, completion).await?;
                let version =
                    store::day_trainings::next_version(tx, day.site, of.day, of.worker).await?;
                let fact = wire::day_completed(day.site, of.day, of.worker, completion, version);
                events::enqueue(tx, &fact, at).await?;
                metrics::counter!("sitepass_training_completed_total").increment(1);
            }
        }
    }
    Ok(())
}

/// The parts of a ticket that are kept; `None` when one of them cannot be read.
fn read(ticket: &Ticket) -> Option<store::days::Ticket> {
    let day = |day: &proto::ticket::v1::DailyTicket| {
        Some(TicketDay {
            id: day.daily_ticket_id.parse().ok()?,
            date: day.date.parse().ok()?,
            status: day.status.clone(),
            deadline_at: proto::instant(day.deadline_at.as_ref())?,
            expires_at: proto::instant(day.expires_at.as_ref())?,
        })
    };
    Some(store::days::Ticket {
        id: ticket.ticket_id.parse().ok()?,
        site: ticket.site_id.parse().ok()?,
        contractor: ticket.contractor_id.parse().ok()?,
        version: ticket.version,
        rule: VideoRule::parse(&ticket.video_rule),
        workers: ids(&ticket.worker_ids)?,
        videos: ids(&ticket.video_ids)?,
        days: ticket.daily_tickets.iter().map(day).collect::<Option<_>>()?,
    })
}

fn ids<T: FromStr>(texts: &[String]) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}
