//! What was true, as far as is known. The least a field can say is the one that refuses, and that is its default.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use types::{AreaId, DailyTicketId, InstantWindow, SiteId, SiteZone, WorkerId};

/// Everything the decision about one person at one area depends on, as of an instant.
///
/// Facts that are not known are left at what refuses; facts that contradict each other (a training completed in the
/// future, a release of a training nobody finished, an empty window, one ticket told twice and differently) do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub site: SiteId,
    pub area: AreaId,
    pub person: Person,
    pub door: Door,
    /// An emergency opening of the area that had begun, and when it ends (that instant no longer belongs to it).
    pub emergency_open_until: Option<DateTime<Utc>>,
    /// The person's daily tickets. Those of other sites, cancelled, not begun or over at the instant are ignored, so a
    /// caller may hand over a few days.
    pub tickets: Vec<DailyTicket>,
}

/// Who stands at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Person {
    /// A face nobody at this site belongs to.
    UnknownFace,
    Worker {
        worker_id: WorkerId,
        identity: Identity,
    },
}

/// How sure it is that the person is who the roster says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Neither of the others, or not known.
    #[default]
    Unidentified,
    /// An active binding.
    Bound,
    /// Identified today in another way, such as a guard who confirmed a document.
    ConfirmedToday,
}

/// The door, or for a question about a whole area the best of its doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    pub controller: Controller,
    pub senses: Senses,
}

/// Whether the controller is able to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// Nobody may enter on it; it does not explain a refusal either, for a door that refuses is at work.
    #[default]
    Unknown,
    Working,
    Failed,
}

/// Which directions the device tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Senses {
    Both,
    /// Controls entering only; leaving goes past it.
    InOnly,
    /// Cannot tell: controlled both ways, whatever direction is claimed.
    None,
}

/// Which way the person goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    In,
    Out,
}

/// Whether a decision asks what the door knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorKnowledge {
    /// The door decides by what it holds: without a proved grant it refuses.
    Required,
    /// We decide, the door only asks: what it holds does not matter.
    Ignored,
}

/// A refusal as a door reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorVerdict {
    pub direction: Direction,
    /// The code it gave, if it gave one that is known.
    pub reported: Option<types::ReasonCode>,
}

/// A daily ticket the person is named on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyTicket {
    pub id: DailyTicketId,
    pub site: SiteId,
    pub areas: Vec<AreaId>,
    pub cancelled: bool,
    /// When it counts as one of today's: see [`Self::live_span`].
    pub live: InstantWindow,
    /// When its areas may be entered.
    pub window: InstantWindow,
    /// The deadline now in force; a training completed at this very instant is in time.
    pub deadline_at: DateTime<Utc>,
    pub training: Training,
    /// Whether a door of the area (of this door, where one is meant) was *proved* to hold this ticket's grant for it.
    /// A grant that was only sent is not.
    pub grant_proved: bool,
}

impl DailyTicket {
    /// The span in which the ticket of that date is one of "today's": from the start of its date until it expires at
    /// 23:59, or at its window's end if that is later, as with a night shift.
    pub fn live_span(date: NaiveDate, window: InstantWindow, zone: SiteZone) -> InstantWindow {
        let last = NaiveTime::from_hms_opt(23, 59, 0)
            .map_or(window.end, |time| zone.at_latest(date, time));
        InstantWindow { start: zone.start_of(date), end: last.max(window.end) }
    }
}

/// How far the training for one daily ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Training {
    /// When all that the ticket's video rule asks was completed.
    pub completed_at: Option<DateTime<Utc>>,
    /// Released by hand though it was completed after the deadline.
    pub released: bool,
    /// Access was already given for it. A deadline that is tightened afterwards takes nothing back.
    pub given: bool,
}
