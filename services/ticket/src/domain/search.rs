use chrono::NaiveDate;
use types::{AreaId, ContractorId, SiteId, TicketId, WorkerId};

use super::ticket::Status;

/// Which tickets are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub site: Option<SiteId>,
    pub contractor: Option<ContractorId>,
    pub area: Option<AreaId>,
    pub worker: Option<WorkerId>,
    /// Tickets with a day on or after this date.
    pub date_from: Option<NaiveDate>,
    /// Tickets with a day on or before this date.
    pub date_to: Option<NaiveDate>,
    pub status: Option<Status>,
    /// Part of the title, in any case.
    pub keyword: Option<String>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub ticket: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub title: String,
    pub first_date: NaiveDate,
    pub last_date: NaiveDate,
    pub status: Status,
    pub workers: u32,
}
