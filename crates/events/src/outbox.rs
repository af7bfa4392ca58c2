//! Writing facts beside the change they tell of.

use chrono::{DateTime, Utc};
use prost::Message;
use proto::common::v1::{CommandAudited, EventEnvelope};
use proto::{Event, State};
use service::{StoreError, Tx, telemetry};
use types::{EventId, SiteId, SystemClock};

/// The largest event that may be enqueued: the broker refuses above 1 MiB, and what it refuses would hold up
/// everything behind it.
pub const MAX_EVENT_BYTES: usize = 900 * 1024;

/// Writes a fact that became true at `at` (site time) in the caller's transaction. Call it after the aggregate's
/// row was written: its lock is what keeps the facts of one aggregate in order. Twice writes two facts.
pub async fn enqueue<E: Event>(
    tx: &mut Tx,
    event: &E,
    at: DateTime<Utc>,
) -> Result<EventId, StoreError> {
    Fact::of(event).write(tx, at).await
}

/// Writes many facts of one kind in one statement, in their order; as [`enqueue`] one after the other.
pub async fn enqueue_all<E: Event>(
    tx: &mut Tx,
    events: &[E],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows = events.iter().map(|event| Fact::of(event).row(at));
    write(tx, rows.collect::<Result<_, _>>()?).await
}

/// Who did what to what, and why; before and after never hold personal data.
#[derive(Debug, Clone)]
pub struct AuditFact<'a> {
    /// The context whose command it was: `access_grant`.
    pub context: &'a str,
    pub caller: &'a auth::Caller,
    /// `ticket.publish`
    pub action: &'a str,
    pub target_type: &'a str,
    pub target_id: String,
    pub site: Option<SiteId>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    pub reason: Option<&'a str>,
    /// Site time.
    pub at: DateTime<Utc>,
}

/// Whoever is at the command line: a person, but none with an account. The record knows them by this one name.
pub fn operator() -> auth::Caller {
    auth::Caller::service("operator")
}

/// Writes a command's record in the command's own transaction, through the same outbox as its facts.
pub async fn audit(tx: &mut Tx, fact: AuditFact<'_>) -> Result<EventId, StoreError> {
    let json =
        |value: Option<serde_json::Value>| value.map(|value| value.to_string()).unwrap_or_default();
    let site = fact.site.map(|site| site.to_string()).unwrap_or_default();
    let message = CommandAudited {
        actor: fact.caller.subject.to_string(),
        role: fact.caller.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
        action: fact.action.to_owned(),
        target_type: fact.target_type.to_owned(),
        target_id: fact.target_id.clone(),
        site_id: site.clone(),
        before: json(fact.before),
        after: json(fact.after),
        reason: fact.reason.unwrap_or_default().to_owned(),
        address: fact.caller.address.clone().unwrap_or_default(),
        request_id: fact.caller.on_behalf_request.clone().unwrap_or_default(),
        at: Some(proto::timestamp(fact.at)),
    };
    let data = message.encode_to_vec();
    let fact_at = fact.at;
    let fact = Fact {
        context: fact.context,
        name: "CommandAudited",
        subject: fact.target_id,
        site,
        version: 0,
        state: None,
        data,
    };
    fact.write(tx, fact_at).await
}

/// A fact and what its envelope says of it; `site` is empty where none applies.
#[derive(Debug, Clone)]
pub(crate) struct Fact<'a> {
    pub(crate) context: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subject: String,
    pub(crate) site: String,
    pub(crate) version: u64,
    /// Of which aggregate it is the newest state.
    pub(crate) state: Option<State>,
    pub(crate) data: Vec<u8>,
}

impl Fact<'_> {
    pub(crate) fn of<E: Event>(event: &E) -> Self {
        Self {
            context: E::CONTEXT,
            name: E::NAME,
            subject: event.subject_id(),
            site: event.site_id().unwrap_or_default(),
            version: event.version(),
            state: event.state(),
            data: event.encode_to_vec(),
        }
    }

    pub(crate) fn envelope(self, id: EventId, at: DateTime<Utc>) -> EventEnvelope {
        let Fact { context, name, subject, site, version, state: _, data } = self;
        EventEnvelope {
            id: id.to_string(),
            source: format!("/sitepass/{context}"),
            r#type: format!("sitepass.{context}.v1.{name}"),
            subject,
            time: Some(proto::timestamp(at)),
            site_id: site,
            version,
            data,
        }
    }

    /// The fact as a row under a new id; refused when its envelope is larger than may be sent.
    fn row(mut self, at: DateTime<Utc>) -> Result<Row, StoreError> {
        let state = self.state.take();
        let id = EventId::new();
        let (context, name) = (self.context.to_owned(), self.name.to_owned());
        let site = if self.site.is_empty() { "-".to_owned() } else { self.site.clone() };
        let payload = self.envelope(id, at).encode_to_vec();
        if payload.len() > MAX_EVENT_BYTES {
            let problem =
                format!("{name} is {} bytes, {MAX_EVENT_BYTES} may be sent", payload.len());
            return Err(StoreError::Database(sqlx::Error::Encode(problem.into())));
        }
        Ok(Row { id, context, name, site, payload, state, state_only: false })
    }

    pub(crate) async fn write(self, tx: &mut Tx, at: DateTime<Utc>) -> Result<EventId, StoreError> {
        let row = self.row(at)?;
        let id = row.id;
        write(tx, vec![row]).await?;
        Ok(id)
    }
}

/// Writes states that are told again: they go to the stream of states alone.
pub(crate) async fn enqueue_states(
    tx: &mut Tx,
    facts: Vec<(Fact<'_>, DateTime<Utc>)>,
) -> Result<(), StoreError> {
    let rows = facts.into_iter().map(|(fact, at)| Ok(Row { state_only: true, ..fact.row(at)? }));
    write(tx, rows.collect::<Result<_, StoreError>>()?).await
}

/// A row of the outbox before it is written.
struct Row {
    id: EventId,
    context: String,
    name: String,
    site: String,
    payload: Vec<u8>,
    state: Option<State>,
    state_only: bool,
}

/// The one way into the outbox: all rows in one statement, numbered in their order.
async fn write(tx: &mut Tx, rows: Vec<Row>) -> Result<(), StoreError> {
    let (mut ids, mut contexts, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sites, mut payloads) = (Vec::new(), Vec::new());
    let (mut kinds, mut state_ids) = (Vec::new(), Vec::new());
    let (mut ends, mut only) = (Vec::new(), Vec::new());
    for Row { id, context, name, site, payload, state, state_only } in rows {
        ids.push(id.as_uuid());
        contexts.push(context);
        names.push(name);
        sites.push(site);
        payloads.push(payload);
        ends.push(state.as_ref().is_some_and(|state| state.ended));
        kinds.push(state.as_ref().map(|state| state.kind));
        state_ids.push(state.map(|state| state.id));
        only.push(state_only);
    }
    sqlx::query(
        "INSERT INTO outbox (event_id, context, name, site, payload, traceparent, created_at,
                             state_kind, state_id, state_ends, state_only)
         SELECT event_id, context, name, site, payload, $6, $7, state_kind, state_id, state_ends, state_only
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[],
                     $8::text[], $9::text[], $10::boolean[], $11::boolean[])
              WITH ORDINALITY AS given (event_id, context, name, site, payload,
                                        state_kind, state_id, state_ends, state_only, place)
         ORDER BY place",
    )
    .bind(ids)
    .bind(contexts)
    .bind(names)
    .bind(sites)
    .bind(payloads)
    .bind(telemetry::current_traceparent())
    .bind(SystemClock::system().now())
    .bind(kinds)
    .bind(state_ids)
    .bind(ends)
    .bind(only)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
