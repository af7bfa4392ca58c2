use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use types::format_time;

use crate::domain::Ticket;

/// The fields that an edit changed, with their values before and after, in the API's words. Of a list, what left it stands
/// before and what came to it after: whole lists of 2,000 workers would be the edit of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// `None`: there was no ticket before.
    pub before: Option<Value>,
    pub after: Value,
}

impl Changes {
    pub(crate) fn of(before: &Ticket, after: &Ticket) -> Self {
        Self::between(fields(before), fields(after))
    }

    /// Of a ticket that is new.
    pub(crate) fn whole(ticket: &Ticket) -> Self {
        Self { before: None, after: Value::Object(fields(ticket)) }
    }

    /// Of the fields of both, those that differ.
    pub(super) fn between(mut old: Map<String, Value>, mut new: Map<String, Value>) -> Self {
        for name in old.keys().cloned().collect::<Vec<_>>() {
            let (Some(was), Some(is)) = (old.get_mut(&name), new.get_mut(&name)) else { continue };
            if let (Value::Array(was), Value::Array(is)) = (&mut *was, &mut *is) {
                (*was, *is) = (without(was, is), without(is, was));
            }
            if was == is {
                old.remove(&name);
                new.remove(&name);
            }
        }
        Self { before: Some(Value::Object(old)), after: Value::Object(new) }
    }
}

fn without(ids: &[Value], others: &[Value]) -> Vec<Value> {
    let others: BTreeSet<Option<&str>> = others.iter().map(Value::as_str).collect();
    ids.iter().filter(|id| !others.contains(&id.as_str())).cloned().collect()
}

/// All that people decide about a ticket, and where its days are.
fn fields(ticket: &Ticket) -> Map<String, Value> {
    let terms = &ticket.terms;
    let days = ticket.days.iter();
    let days: Map<String, Value> =
        days.map(|day| (day.date.to_string(), day.status().as_str().into())).collect();
    let fields = [
        ("status", json!(ticket.status().as_str())),
        ("contractor_id", json!(ticket.contractor.to_string())),
        ("title", json!(ticket.title)),
        ("remark", json!(ticket.remark)),
        ("start_date", json!(ticket.first_date.to_string())),
        ("end_date", json!(ticket.last_date.to_string())),
        ("access_start_time", json!(terms.window.start_text())),
        ("access_end_time", json!(terms.window.end_text())),
        ("training_deadline_time", json!(format_time(terms.deadline_time()))),
        ("video_rule", json!(terms.video_rule.as_str())),
        ("publish_now", json!(terms.publish_now)),
        ("daily_reminder", json!(terms.daily_reminder)),
        ("area_ids", json!(texts(&ticket.areas))),
        ("worker_ids", json!(texts(&ticket.workers))),
        ("video_ids", json!(texts(&ticket.videos))),
        ("daily_tickets", Value::Object(days)),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
