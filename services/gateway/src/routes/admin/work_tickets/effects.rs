//! What a change of a ticket brings, and its history, as the API shows them.

use chrono::{DateTime, Utc};
use proto::ticket::v1 as ticket;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::answer::{instant, some};
use crate::call::Call;
use crate::failure::Failure;

/// What a change brought; of a preview, what it would.
#[derive(Serialize, ToSchema)]
pub(super) struct TicketChange {
    ticket_id: String,
    /// What the next amendment names.
    version: u64,
    /// Nothing was changed.
    preview: bool,
    /// Who gains or loses which area when; the first 5,000.
    effects: Vec<AccessEffect>,
    /// How many more effects there are.
    left_off: u32,
    totals: EffectTotals,
    /// Whose finished training is not all any more.
    must_train_again: Vec<Retraining>,
    days: Vec<DayEffect>,
    warnings: Vec<Warning>,
    /// The fields that change, as they were; null of a ticket that is new. Of a list what leaves it stands here and what
    /// comes to it there.
    before: Value,
    after: Value,
}

impl TicketChange {
    /// A preview leaves no record of its own, as the change does: it is a look at the ticket's site.
    pub(super) async fn told(
        call: &Call,
        ticket_id: String,
        version: u64,
        preview: bool,
        effects: Option<ticket::Effects>,
    ) -> Result<Self, Failure> {
        let effects = effects.unwrap_or_default();
        if preview {
            call.looks_at(&effects.site_id).await?;
        }
        Ok(Self {
            ticket_id,
            version,
            preview,
            left_off: effects.left_off,
            totals: EffectTotals {
                gains: effects.gains,
                loses: effects.loses,
                window_changed: effects.window_changed,
            },
            effects: effects.access.into_iter().map(Into::into).collect(),
            must_train_again: effects
                .must_train_again
                .into_iter()
                .map(|again| {
                    let missing = effects.missing_video_ids.iter();
                    let missing = missing.filter(|id| !again.watched_video_ids.contains(id));
                    Retraining {
                        video_ids: missing.cloned().collect(),
                        worker_id: again.worker_id,
                        date: again.date,
                    }
                })
                .collect(),
            days: effects.days.into_iter().map(Into::into).collect(),
            warnings: effects.warnings.into_iter().map(Into::into).collect(),
            before: compared(&effects.before),
            after: compared(&effects.after),
        })
    }
}

#[derive(Serialize, ToSchema)]
struct EffectTotals {
    gains: u32,
    loses: u32,
    window_changed: u32,
}

#[derive(Serialize, ToSchema)]
struct AccessEffect {
    worker_id: String,
    area_id: String,
    date: String,
    /// GAINS, LOSES or `WINDOW_CHANGED`.
    change: String,
    from: Option<InstantWindow>,
    to: Option<InstantWindow>,
}

#[derive(Serialize, ToSchema)]
struct InstantWindow {
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct Retraining {
    worker_id: String,
    date: String,
    /// Those still to be watched; of an ANY ticket one of them.
    video_ids: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct DayEffect {
    /// Null of a day that is new.
    daily_ticket_id: Option<String>,
    date: String,
    /// ADDED, CANCELLED, EXPIRED, MOVED or, of a draft, REMOVED.
    change: String,
    status_before: Option<String>,
    status_after: Option<String>,
    window_before: Option<InstantWindow>,
    window_after: Option<InstantWindow>,
    deadline_before: Option<DateTime<Utc>>,
    deadline_after: Option<DateTime<Utc>>,
}

/// Something to know that does not stop anybody.
#[derive(Serialize, ToSchema)]
pub(super) struct Warning {
    /// `OVERLAPPING_TICKET`, `WORKER_UNBOUND`, `NO_TIME_TO_TRAIN`, `ENGAGEMENT_ENDS`, `DAY_STAYS_CANCELLED` or `LEFT_OUT`.
    code: String,
    worker_id: Option<String>,
    /// The day it is about; of an engagement its last one, as the roster last had it.
    date: Option<String>,
    /// The other ticket; null where it is not yours to see.
    ticket_id: Option<String>,
    /// Seconds that a day's videos take; null where it is not about time.
    needed_sec: Option<u64>,
    /// Seconds there are until the day's deadline.
    left_sec: Option<u64>,
    area_id: Option<String>,
    video_id: Option<String>,
}

/// One edit by a person.
#[derive(Serialize, ToSchema)]
pub(super) struct TicketEdit {
    version: u64,
    /// CREATED, PUBLISHED, AMENDED, CANCELLED or `DAY_CANCELLED`.
    action: String,
    by: String,
    at: Option<DateTime<Utc>>,
    reason: Option<String>,
    /// The fields that changed; null before the first edit. Of a list what left it stands here and what came to it there;
    /// where that would be too much to tell, only how many: `worker_ids_left_off`.
    before: Value,
    after: Value,
}

impl From<ticket::AccessEffect> for AccessEffect {
    fn from(effect: ticket::AccessEffect) -> Self {
        Self {
            worker_id: effect.worker_id,
            area_id: effect.area_id,
            date: effect.date,
            change: effect.change,
            from: effect.from.map(Into::into),
            to: effect.to.map(Into::into),
        }
    }
}

impl From<ticket::AccessWindow> for InstantWindow {
    fn from(window: ticket::AccessWindow) -> Self {
        Self { start: instant(window.start), end: instant(window.end) }
    }
}

impl From<ticket::DayEffect> for DayEffect {
    fn from(day: ticket::DayEffect) -> Self {
        Self {
            daily_ticket_id: some(day.daily_ticket_id),
            date: day.date,
            change: day.change,
            status_before: some(day.status_before),
            status_after: some(day.status_after),
            window_before: day.window_before.map(Into::into),
            window_after: day.window_after.map(Into::into),
            deadline_before: instant(day.deadline_before),
            deadline_after: instant(day.deadline_after),
        }
    }
}

impl From<ticket::Warning> for Warning {
    fn from(warning: ticket::Warning) -> Self {
        let is_about_time = warning.needed_sec > 0;
        Self {
            code: warning.code,
            worker_id: some(warning.worker_id),
            date: some(warning.date),
            ticket_id: some(warning.ticket_id),
            needed_sec: is_about_time.then_some(warning.needed_sec),
            left_sec: is_about_time.then_some(warning.left_sec),
            area_id: some(warning.area_id),
            video_id: some(warning.video_id),
        }
    }
}

impl From<ticket::TicketEdit> for TicketEdit {
    fn from(edit: ticket::TicketEdit) -> Self {
        Self {
            version: edit.revision,
            action: edit.action,
            by: edit.edited_by,
            at: instant(edit.edited_at),
            reason: some(edit.reason),
            before: compared(&edit.before),
            after: compared(&edit.after),
        }
    }
}

/// Empty where there is nothing to compare.
fn compared(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
