use chrono::NaiveDate;
use types::{ContractorId, FaceId, SiteId, WorkerId};

/// A blind index: equal values have equal ones, and they tell nothing else.
pub(crate) type Index = Vec<u8>;

/// What a person is found by. The values themselves are sealed and not needed to decide anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Keys {
    pub name: Index,
    pub id_no: Option<Index>,
    pub phone: Option<Index>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkerStatus {
    Active,
    /// On no site's roster any more.
    Inactive,
}

impl WorkerStatus {
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

/// Whose people somebody on a site is among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Employer {
    Contractor(ContractorId),
    /// The roster names one that is none of the site's: to the administrators of those they are another's.
    Unknown,
    /// The roster names none: every contractor of the site may see them and name them on a ticket.
    Nobody,
}

impl Employer {
    /// As kept: what is said of unknown ones counts only where there is no contractor.
    pub(crate) const fn kept(contractor: Option<ContractorId>, unknown: bool) -> Self {
        match contractor {
            Some(contractor) => Self::Contractor(contractor),
            None if unknown => Self::Unknown,
            None => Self::Nobody,
        }
    }

    pub(crate) const fn contractor(self) -> Option<ContractorId> {
        match self {
            Self::Contractor(contractor) => Some(contractor),
            Self::Unknown | Self::Nobody => None,
        }
    }

    pub(crate) const fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// A person's place on one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engagement {
    pub site: SiteId,
    pub employer: Employer,
    pub trade: String,
    pub team: String,
    /// The last day, where the roster says.
    pub until: Option<NaiveDate>,
}

impl Engagement {
    pub(crate) fn ended(&self, missed_on: NaiveDate) -> Departure {
        let until = self.until.map_or(missed_on, |until| until.min(missed_on));
        Departure { site: self.site, until }
    }
}

/// A site whose roster a person was on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Departure {
    pub site: SiteId,
    /// Their last day there.
    pub until: NaiveDate,
}

/// A person as one site's roster has them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RosterEntry {
    pub keys: Keys,
    pub face: Option<FaceId>,
    /// Of the address of their picture: enough to see that it is another.
    pub photo: Option<Index>,
    pub engagement: Engagement,
}

/// A person known from the real-name system; engagements are those that hold now, on other sites than departures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    pub id: WorkerId,
    pub keys: Keys,
    pub face: Option<FaceId>,
    pub photo: Option<Index>,
    pub status: WorkerStatus,
    pub engagements: Vec<Engagement>,
    pub departures: Vec<Departure>,
    pub bound: bool,
    pub version: u64,
}

#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    Changed,
    Same,
}

impl Worker {
    pub(crate) fn from_roster(id: WorkerId, entry: RosterEntry) -> Self {
        let RosterEntry { keys, face, photo, engagement } = entry;
        Self {
            id,
            keys,
            face,
            photo,
            status: WorkerStatus::Active,
            engagements: vec![engagement],
            departures: Vec::new(),
            bound: false,
            version: 1,
        }
    }

    /// Takes over what a site's roster says. Other sites' engagements stay.
    pub(crate) fn follow(&mut self, entry: RosterEntry) -> Followed {
        let RosterEntry { keys, face, photo, engagement } = entry;
        let here = self.engagements.iter_mut().find(|held| held.site == engagement.site);
        let same = self.keys == keys
            && self.face == face
            && self.photo == photo
            && self.status == WorkerStatus::Active
            && here.as_deref() == Some(&engagement);
        if same {
            return Followed::Same;
        }
        if let Some(held) = here {
            *held = engagement;
        } else {
            self.departures.retain(|left| left.site != engagement.site);
            self.engagements.push(engagement);
        }
        (self.keys, self.face, self.photo) = (keys, face, photo);
        self.status = WorkerStatus::Active;
        self.version += 1;
        Followed::Changed
    }

    /// The site's roster no longer has them, as was seen on that date there. On no roster at all means inactive.
    pub(crate) fn leave(&mut self, site: SiteId, missed_on: NaiveDate) -> Followed {
        let Some(held) = self.engagements.iter().position(|held| held.site == site) else {
            return Followed::Same;
        };
        let ended = self.engagements.remove(held);
        self.departures.push(ended.ended(missed_on));
        if self.engagements.is_empty() {
            self.status = WorkerStatus::Inactive;
        }
        self.version += 1;
        Followed::Changed
    }

    pub(crate) fn set_bound(&mut self, bound: bool) {
        self.bound = bound;
        self.version += 1;
    }

    pub(crate) fn sites(&self) -> Vec<SiteId> {
        self.engagements.iter().map(|engagement| engagement.site).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(site: SiteId) -> RosterEntry {
        let engagement = Engagement {
            site,
            employer: Employer::Nobody,
            trade: "welder".to_owned(),
            team: "one".to_owned(),
            until: None,
        };
        let keys = Keys { name: vec![1], id_no: Some(vec![2]), phone: Some(vec![3]) };
        RosterEntry { keys, face: FaceId::parse("face_1").ok(), photo: None, engagement }
    }

    #[test]
    fn the_same_roster_again_changes_nothing() {
        let site = SiteId::new();
        let mut worker = Worker::from_roster(WorkerId::new(), entry(site));
        assert_eq!(worker.follow(entry(site)), Followed::Same);
        assert_eq!(worker.version, 1);
    }

    #[test]
    fn whatever_the_roster_says_otherwise_is_a_new_version() {
        let site = SiteId::new();
        let changes: [fn(&mut RosterEntry); 8] = [
            |entry| entry.keys.phone = None,
            |entry| entry.keys.name = vec![9],
            |entry| entry.face = None,
            |entry| entry.photo = Some(vec![4]),
            |entry| entry.engagement.team = "two".to_owned(),
            |entry| entry.engagement.until = NaiveDate::from_ymd_opt(2026, 3, 31),
            |entry| entry.engagement.employer = Employer::Unknown,
            |entry| entry.engagement.employer = Employer::Contractor(ContractorId::new()),
        ];
        for change in changes {
            let mut worker = Worker::from_roster(WorkerId::new(), entry(site));
            let mut other = entry(site);
            change(&mut other);
            assert_eq!(worker.follow(other.clone()), Followed::Changed);
            assert_eq!((worker.version, &worker.engagements), (2, &vec![other.engagement]));
        }
    }

    #[test]
    fn whoever_is_on_no_roster_is_inactive_until_they_return() {
        let (one, two) = (SiteId::new(), SiteId::new());
        let mut worker = Worker::from_roster(WorkerId::new(), entry(one));
        assert_eq!(worker.follow(entry(two)), Followed::Changed);
        assert_eq!(worker.leave(one, date(2)), Followed::Changed);
        assert_eq!((worker.status, worker.sites()), (WorkerStatus::Active, vec![two]));
        assert_eq!(worker.leave(one, date(2)), Followed::Same);
        assert_eq!(worker.leave(two, date(3)), Followed::Changed);
        assert_eq!((worker.status, worker.version), (WorkerStatus::Inactive, 4));
        let left = |site, day| Departure { site, until: date(day) };
        assert_eq!(worker.departures, [left(one, 2), left(two, 3)]);
        assert_eq!(worker.follow(entry(two)), Followed::Changed);
        assert_eq!(worker.status, WorkerStatus::Active);
        assert_eq!(worker.departures, [left(one, 2)]);
    }

    #[test]
    fn the_last_day_is_the_roster_s_where_that_was_over_when_they_were_missed() {
        let ended = |until| Engagement { until, ..entry(SiteId::new()).engagement }.ended(date(5));
        assert_eq!(ended(None).until, date(5));
        assert_eq!(ended(Some(date(4))).until, date(4));
        assert_eq!(ended(Some(date(6))).until, date(5));
    }

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
    }
}
