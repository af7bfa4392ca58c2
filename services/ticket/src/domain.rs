//! What a work ticket is and may become. Knows neither the clock nor the database.

mod amendment;
mod daily_ticket;
mod edit;
mod effects;
#[cfg(test)]
mod fixtures;
mod progress;
mod request;
mod roster;
mod search;
mod terms;
mod ticket;
mod warning;

pub use amendment::{Amended, Amendment};
pub use daily_ticket::{DailyTicket, DayState, DayStatus};
pub use edit::{Action, Edit, UnknownAction};
pub use effects::{
    AccessChange, AccessEffect, DayEffect, Effects, MOST_LISTED, Retraining, Standing, Standings,
};
pub use progress::{
    AccessCounts, Grant, GrantStatus, TrainingCounts, TrainingStatus, UnknownStatus, Wanted,
    WorkerProgress, is_authorized,
};
pub use request::{Listed, Unfit, check_dates, check_windows};
pub use roster::{Roster, Rosters};
pub use search::{Filter, Listing, Sort, UnknownSort};
pub use terms::{Deadline, Leads, Terms, UnknownVideoRule, VideoRule};
pub use ticket::{
    Cancellation, Cancelled, Expired, NewTicket, NotAllowed, Publication, Published, Started,
    State, Status, Ticket, UnknownTicketStatus,
};
pub use warning::{Known, LastDay, Warning, staying_cancelled, warnings};
