use chrono::NaiveTime;
use types::{AccessGroupId, AreaId, ContractorId, SiteId, SiteZone, TimeWindow};

/// The tenant: everything that happens on it keeps its calendar and its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub id: SiteId,
    pub name: String,
    pub zone: SiteZone,
    pub settings: Settings,
    pub version: u64,
}

/// What a new ticket and a new training copy from their site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub access: TimeWindow,
    pub training_deadline: NaiveTime,
    pub max_span_days: u32,
    pub video_rule: VideoRule,
    /// Counted seconds between random checks, at least and at most.
    pub check_seconds: (u32, u32),
    pub check_answer_seconds: u32,
}

impl Settings {
    pub(crate) const MAX_SPAN_DAYS: u32 = 366;
    pub(crate) const LONGEST_CHECK_SECONDS: u32 = 3600;
}

impl Default for Settings {
    fn default() -> Self {
        let time =
            |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN);
        Self {
            access: TimeWindow { start: time(6, 0), end: time(20, 0) },
            training_deadline: time(7, 30),
            max_span_days: 31,
            video_rule: VideoRule::All,
            check_seconds: (180, 420),
            check_answer_seconds: 60,
        }
    }
}

/// Which videos make a day's training complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VideoRule {
    All,
    Any,
}

impl VideoRule {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Any => "ANY",
        }
    }
}

impl std::str::FromStr for VideoRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ALL" => Ok(Self::All),
            "ANY" => Ok(Self::Any),
            _ => Err("is neither ALL nor ANY"),
        }
    }
}

/// A firm and the sites it works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contractor {
    pub id: ContractorId,
    pub name: String,
    pub sites: Vec<SiteId>,
    pub version: u64,
}

/// A fenced space of a site and the doors that lead into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    pub id: AreaId,
    pub site: SiteId,
    pub name: String,
    pub access_group: AccessGroupId,
    pub status: AreaStatus,
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AreaStatus {
    Active,
    Inactive,
}

impl AreaStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive].into_iter().find(|status| status.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_asks_for_nothing_gets_the_usual_day() {
        let settings = Settings::default();
        assert_eq!(settings.access.to_string(), "06:00–20:00");
        assert_eq!(types::format_time(settings.training_deadline), "07:30");
        assert_eq!((settings.max_span_days, settings.video_rule), (31, VideoRule::All));
        assert_eq!((settings.check_seconds, settings.check_answer_seconds), ((180, 420), 60));
    }
}
