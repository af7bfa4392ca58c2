//! What a work ticket is and may become. Knows neither the clock nor the database.

mod daily_ticket;
mod progress;
mod request;
mod search;
mod terms;
mod ticket;

pub use daily_ticket::{DailyTicket, DayState, DayStatus};
pub use progress::{
    AccessCounts, Grant, GrantStatus, TrainingCounts, TrainingStatus, UnknownStatus, Wanted,
    WorkerProgress, is_authorized,
};
pub use request::{Listed, Unfit, check_dates, check_windows};
pub use search::{Filter, Listing, Sort, UnknownSort};
pub use terms::{Deadline, Terms, UnknownVideoRule, VideoRule};
pub use ticket::{
    Cancellation, Cancelled, Expired, NewTicket, NotAllowed, Publication, Published, Started,
    State, Status, Ticket, UnknownTicketStatus,
};
