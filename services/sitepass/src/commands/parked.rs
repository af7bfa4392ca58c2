//! `sitepass parked`: events a consumer could not take.

use anyhow::Context;
use clap::Subcommand;
use events::parked::{self, Detail};
use prost_reflect::{DescriptorPool, DynamicMessage};
use types::EventId;
use uuid::Uuid;

use super::{say, store};
use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ParkedCommand {
    /// Lists a service's parked events, oldest first.
    List {
        service: String,
        /// Only what this consumer parked.
        #[arg(long)]
        consumer: Option<String>,
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Shows everything known of one.
    Show { service: String, event_id: Uuid },
    /// Puts one back to be handled again, or all.
    Resend {
        service: String,
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        event_id: Option<Uuid>,
        #[arg(long)]
        all: bool,
        /// With --all: only what this consumer parked.
        #[arg(long, requires = "all")]
        consumer: Option<String>,
    },
    /// Gives one up: neither a delivery nor a replay brings it back.
    Drop {
        service: String,
        event_id: Uuid,
        /// Only for this consumer.
        #[arg(long)]
        consumer: Option<String>,
        /// Kept in the audit log; names no person.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(command: ParkedCommand) -> Result<(), Failure> {
    match command {
        ParkedCommand::List { service, consumer, limit } => {
            list(&service, consumer.as_deref(), limit).await
        }
        ParkedCommand::Show { service, event_id } => show(&service, event_id).await,
        ParkedCommand::Resend { service, event_id: Some(event), .. } => {
            resend(&service, event).await
        }
        ParkedCommand::Resend { service, event_id: None, consumer, .. } => {
            resend_all(&service, consumer.as_deref()).await
        }
        ParkedCommand::Drop { service, event_id, consumer, reason } => {
            drop_one(&service, event_id, consumer.as_deref(), &reason).await
        }
    }
}

async fn list(service: &str, consumer: Option<&str>, limit: u32) -> Result<(), Failure> {
    let store = store(service).await?;
    let total = parked::total(&store, consumer).await.context("count parked events")?;
    let rows =
        parked::list(&store, consumer, i64::from(limit)).await.context("read parked events")?;
    for parked in &rows {
        let back = if parked.asked_back_at.is_some() { ", asked back" } else { "" };
        say(&format!(
            "{} {} {} after {} attempts{back}: {}",
            parked.event, parked.consumer, parked.subject, parked.attempts, parked.error
        ));
    }
    let more = total - i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if more > 0 {
        say(&format!("and {more} more: --limit shows them, --consumer some of them"));
    }
    Ok(())
}

async fn show(service: &str, event: Uuid) -> Result<(), Failure> {
    let store = store(service).await?;
    let details =
        parked::show(&store, EventId::from_uuid(event)).await.context("read the event")?;
    if details.is_empty() {
        return Err(not_there(service, event));
    }
    for detail in &details {
        for line in lines(detail) {
            say(&line);
        }
    }
    Ok(())
}

fn lines(detail: &Detail) -> Vec<String> {
    let parked = &detail.parked;
    let mut lines = vec![
        format!("event      {}", parked.event),
        format!("consumer   {}", parked.consumer),
        format!("subject    {}", parked.subject),
        format!("parked     {} after {} attempts", parked.parked_at, parked.attempts),
        format!("error      {}", parked.error),
        format!("trace      {}", detail.traceparent.as_deref().unwrap_or("none")),
        format!("size       {} bytes", parked.size_bytes),
    ];
    if let Some(at) = parked.asked_back_at {
        lines.push(format!("asked back {at}"));
    }
    match &detail.delivery {
        Ok(delivery) => {
            let site = delivery.site.map_or_else(|| "none".to_owned(), |site| site.to_string());
            lines.extend([
                format!("name       {}", delivery.name),
                format!("aggregate  {}, version {}", delivery.subject_id, delivery.version),
                format!("site       {site}"),
                format!("time       {}", delivery.at),
                format!(
                    "says       {}",
                    readable(&delivery.context, &delivery.name, &delivery.data)
                ),
            ]);
        }
        Err(problem) => lines.push(format!("unreadable {problem}")),
    }
    lines.push(format!("body       {}", hex::encode(&detail.payload)));
    lines
}

/// The fact in the text format of protobuf, where the contract knows it.
fn readable(context: &str, name: &str, data: &[u8]) -> String {
    let read = || {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).ok()?;
        let shared = || pool.get_message_by_name(&format!("sitepass.common.v1.{name}"));
        let own = pool.get_message_by_name(&format!("sitepass.{context}.v1.{name}"));
        let message = DynamicMessage::decode(own.or_else(shared)?, data).ok()?;
        Some(message.to_text_format())
    };
    read().unwrap_or_else(|| "what the contract does not know".to_owned())
}

async fn resend(service: &str, event: Uuid) -> Result<(), Failure> {
    let store = store(service).await?;
    let asked =
        parked::resend(&store, EventId::from_uuid(event)).await.context("ask for the event")?;
    if asked == 0 {
        return Err(not_there(service, event));
    }
    say(&format!("{event} goes back to {asked} consumers"));
    Ok(())
}

async fn resend_all(service: &str, consumer: Option<&str>) -> Result<(), Failure> {
    let store = store(service).await?;
    let asked = parked::resend_all(&store, consumer).await.context("ask for the events")?;
    say(&format!("{asked} events go back"));
    Ok(())
}

async fn drop_one(
    service: &str,
    event: Uuid,
    consumer: Option<&str>,
    reason: &str,
) -> Result<(), Failure> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(anyhow::anyhow!("a dropped event needs a reason").into());
    }
    let store = store(service).await?;
    let dropped = parked::drop_event(&store, EventId::from_uuid(event), consumer, reason)
        .await
        .context("drop the event")?;
    if dropped == 0 {
        return Err(not_there(service, event));
    }
    say(&format!("{event} is dropped for {dropped} consumers"));
    Ok(())
}

fn not_there(service: &str, event: Uuid) -> Failure {
    anyhow::anyhow!("no event {event} is parked at {service}").into()
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::training::v1::TrainingStarted;

    use super::readable;

    #[test]
    fn a_fact_of_the_contract_is_shown_in_words_and_another_is_not() {
        let fact = TrainingStarted { version: 7, ..Default::default() };
        let shown = readable("training", "TrainingStarted", &fact.encode_to_vec());
        assert_eq!(shown, "version:7");
        assert_eq!(readable("training", "Nothing", &[]), "what the contract does not know");
    }
}
