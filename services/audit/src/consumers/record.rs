use events::{Delivery, Failure, Handler, async_trait};
use proto::common::v1::CommandAudited;
use serde_json::json;
use service::Tx;
use sha2::{Digest, Sha256};
use types::SiteId;
use uuid::Uuid;

use super::fact;
use crate::domain::Entry;
use crate::store::entries;

/// Appends every event of one context to the log: a command with what it changed, any other fact with what it says
/// of things and the digest of its body.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    context: &'static str,
}

impl Record {
    /// The recorder of one context's stream.
    pub fn of(context: &'static str) -> Self {
        Self { context }
    }
}

#[async_trait]
impl Handler for Record {
    fn durable(&self) -> &'static str {
        "audit--record"
    }

    fn context(&self) -> &'static str {
        self.context
    }

    fn events(&self) -> &'static [&'static str] {
        &[]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        self.handle_all(tx, std::slice::from_ref(delivery)).await
    }

    async fn handle_all(&self, tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), Failure> {
        let mut entries = deliveries.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        // Ids grow with the time they were drawn at: the log tells a batch in the order it happened in.
        entries.sort_unstable_by_key(|entry| entry.event_id);
        Ok(entries::append(tx, entries).await?)
    }
}

fn entry(delivery: &Delivery) -> Result<Entry, Failure> {
    let is_fact = delivery.name != "CommandAudited";
    let entry = Entry {
        site: delivery.site.unwrap_or_else(|| SiteId::from_uuid(Uuid::nil())),
        event_id: delivery.id,
        event_type: format!("sitepass.{}.v1.{}", delivery.context, delivery.name),
        actor: format!("service:{}", delivery.context),
        role: String::new(),
        action: delivery.name.clone(),
        target_type: delivery.context.clone(),
        target_id: delivery.subject_id.clone(),
        before: String::new(),
        after: if is_fact { after(delivery) } else { String::new() },
        reason: String::new(),
        address: String::new(),
        trace_id: delivery.trace_id().unwrap_or_default().to_owned(),
        at: delivery.at,
    };
    if is_fact {
        return Ok(entry);
    }
    let command: CommandAudited = delivery.decode()?;
    Ok(Entry {
        actor: command.actor,
        role: command.role,
        action: command.action,
        target_type: command.target_type,
        target_id: command.target_id,
        before: command.before,
        after: command.after,
        reason: command.reason,
        address: command.address,
        ..entry
    })
}

/// The body itself may say more than a log that is never emptied should: what is kept of it, and a digest by which
/// whoever has the whole can show it.
fn after(delivery: &Delivery) -> String {
    let sha256 = hex::encode(Sha256::digest(&delivery.data));
    let told = fact::told(&delivery.context, &delivery.name, &delivery.data);
    match told {
        Some(told) => json!({ "fact": told, "sha256": sha256 }),
        None => json!({ "sha256": sha256 }),
    }
    .to_string()
}
