use serde_json::{Map, Value, json};
use types::format_time;

use crate::domain::Ticket;

/// The fields that an edit changed, with their values before and after, in the API's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// `None`: there was no ticket before.
    pub before: Option<Value>,
    pub after: Value,
}

impl Changes {
    pub(crate) fn of(before: &Ticket, after: &Ticket) -> Self {
        let (mut old, mut new) = (fields(before), fields(after));
        let same: Vec<String> =
            old.iter().filter(|(name, value)| new.get(*name) == Some(*value)).map(name).collect();
        for name in same {
            old.remove(&name);
            new.remove(&name);
        }
        Self { before: Some(Value::Object(old)), after: Value::Object(new) }
    }

    /// Of a ticket that is new.
    pub(crate) fn whole(ticket: &Ticket) -> Self {
        Self { before: None, after: Value::Object(fields(ticket)) }
    }
}

fn name((name, _): (&String, &Value)) -> String {
    name.clone()
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
