use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use types::{AreaId, ContractorId, SiteId, TicketId, WorkerId};

use super::ticket::Status;

/// Which tickets are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub site: Option<SiteId>,
    pub contractor: Option<ContractorId>,
    pub area: Option<AreaId>,
    /// Tickets that name any of these; naming nobody finds nothing.
    pub workers: Option<Vec<WorkerId>>,
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
    pub created_at: DateTime<Utc>,
}

/// By what a list is sorted. Those that are equal in it stand with the newest first, so that pages never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    StartDate,
    /// The latest start first.
    #[default]
    StartDateDescending,
    EndDate,
    EndDateDescending,
    CreatedAt,
    CreatedAtDescending,
    Title,
    TitleDescending,
}

/// Text that names nothing a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of start_date, end_date, created_at and title, nor one of them with - before it")]
pub struct UnknownSort;

impl Sort {
    const ALL: [Self; 8] = [
        Self::StartDate,
        Self::StartDateDescending,
        Self::EndDate,
        Self::EndDateDescending,
        Self::CreatedAt,
        Self::CreatedAtDescending,
        Self::Title,
        Self::TitleDescending,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartDate => "start_date",
            Self::StartDateDescending => "-start_date",
            Self::EndDate => "end_date",
            Self::EndDateDescending => "-end_date",
            Self::CreatedAt => "created_at",
            Self::CreatedAtDescending => "-created_at",
            Self::Title => "title",
            Self::TitleDescending => "-title",
        }
    }
}

impl FromStr for Sort {
    type Err = UnknownSort;

    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or(UnknownSort)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sort, UnknownSort};

    #[test]
    fn a_sort_reads_back_as_it_is_written() {
        for sort in Sort::ALL {
            assert_eq!(sort.as_str().parse(), Ok(sort));
        }
        assert_eq!("site_id".parse::<Sort>(), Err(UnknownSort));
        assert_eq!("--title".parse::<Sort>(), Err(UnknownSort));
    }
}
