//! What others told about a worker's day.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use types::{AreaId, DailyTicketId, GrantId, Page, VideoId, WorkerId};

use super::terms::VideoRule;

/// Text that is no status of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known status")]
pub struct UnknownStatus;

/// How far a worker's training of a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingStatus {
    NotStarted,
    InLearning,
    WaitingVerify,
    Completed,
    Failed,
}

impl TrainingStatus {
    const ALL: [Self; 5] =
        [Self::NotStarted, Self::InLearning, Self::WaitingVerify, Self::Completed, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "NOT_STARTED",
            Self::InLearning => "IN_LEARNING",
            Self::WaitingVerify => "WAITING_VERIFY",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for TrainingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TrainingStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// Where a grant is between us and the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantStatus {
    PendingSync,
    Synced,
    SyncFailed,
    Revoked,
}

impl GrantStatus {
    const ALL: [Self; 4] = [Self::PendingSync, Self::Synced, Self::SyncFailed, Self::Revoked];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingSync => "PENDING_SYNC",
            Self::Synced => "SYNCED",
            Self::SyncFailed => "SYNC_FAILED",
            Self::Revoked => "REVOKED",
        }
    }
}

impl fmt::Display for GrantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GrantStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// One area's grant of a worker's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub area: AreaId,
    pub status: GrantStatus,
    /// What its last proof said about the whole worker-day, and when.
    pub said: Option<(DateTime<Utc>, bool)>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// One worker of a daily ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgress {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub bound: bool,
    pub training: TrainingStatus,
    pub notified: bool,
    pub read: bool,
    /// Videos watched to their end that day, whether the ticket still asks for them or not.
    pub completed_videos: Vec<VideoId>,
    /// When the day's training was complete.
    pub completed_at: Option<DateTime<Utc>>,
    pub grants: Vec<Grant>,
}

/// Which workers of a day are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    pub training: Option<TrainingStatus>,
    pub page: Page,
}

/// Workers of a day, by how far their training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrainingCounts {
    pub required: u32,
    pub completed: u32,
    pub in_progress: u32,
    pub failed: u32,
    pub not_started: u32,
}

/// Grants of a day, by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessCounts {
    pub pending_sync: u32,
    pub synced: u32,
    pub sync_failed: u32,
    pub revoked: u32,
}

impl TrainingCounts {
    /// Counts that many workers more.
    pub fn count(&mut self, status: TrainingStatus, workers: u32) {
        self.required += workers;
        match status {
            TrainingStatus::NotStarted => self.not_started += workers,
            TrainingStatus::InLearning | TrainingStatus::WaitingVerify => {
                self.in_progress += workers;
            }
            TrainingStatus::Completed => self.completed += workers,
            TrainingStatus::Failed => self.failed += workers,
        }
    }
}

impl AccessCounts {
    /// Counts that many grants more.
    pub fn count(&mut self, status: GrantStatus, grants: u32) {
        match status {
            GrantStatus::PendingSync => self.pending_sync += grants,
            GrantStatus::Synced => self.synced += grants,
            GrantStatus::SyncFailed => self.sync_failed += grants,
            GrantStatus::Revoked => self.revoked += grants,
        }
    }
}

impl WorkerProgress {
    pub fn is_authorized(&self) -> bool {
        is_authorized(&self.grants)
    }

    /// How many of the videos a day asks for are watched, and how many it asks for. Who is complete has watched
    /// them all, whatever was told of single ones.
    pub fn videos(&self, asked: &[VideoId], rule: VideoRule) -> (u32, u32) {
        let required = match rule {
            VideoRule::All => asked.len(),
            VideoRule::Any => asked.len().min(1),
        };
        let watched = asked.iter().filter(|id| self.completed_videos.contains(id)).count();
        let watched = if self.training == TrainingStatus::Completed {
            required
        } else {
            watched.min(required)
        };
        let count = |videos: usize| u32::try_from(videos).unwrap_or(u32::MAX);
        (count(watched), count(required))
    }
}

/// Only access-grant says who is authorized: this is what its latest proof said, unless a grant was revoked since or
/// one is not proved now. The order in which its facts came here makes no difference.
pub fn is_authorized(grants: &[Grant]) -> bool {
    let Some(last) = grants.iter().filter_map(|grant| grant.said).max() else { return false };
    let (said_at, authorized) = last;
    let revoked_since = grants.iter().any(|grant| grant.revoked_at.is_some_and(|at| said_at <= at));
    let unproved = grants
        .iter()
        .any(|grant| matches!(grant.status, GrantStatus::PendingSync | GrantStatus::SyncFailed));
    authorized && !revoked_since && !unproved
}

#[cfg(test)]
mod tests {
    use super::{
        Grant, GrantStatus, TrainingCounts, TrainingStatus, VideoRule, WorkerProgress,
        is_authorized,
    };
    use chrono::{DateTime, Utc};
    use types::{AreaId, DailyTicketId, GrantId, VideoId, WorkerId};

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-03-02T00:{minute:02}:00Z").parse().unwrap()
    }

    fn grant(status: GrantStatus, said: Option<(u32, bool)>) -> Grant {
        Grant {
            id: GrantId::new(),
            area: AreaId::new(),
            status,
            said: said.map(|(minute, authorized)| (at(minute), authorized)),
            revoked_at: None,
        }
    }

    fn revoked(minute: u32, said: Option<(u32, bool)>) -> Grant {
        Grant { revoked_at: Some(at(minute)), ..grant(GrantStatus::Revoked, said) }
    }

    use GrantStatus::{PendingSync, SyncFailed, Synced};

    #[test]
    fn nobody_is_authorized_without_a_proof() {
        assert!(!is_authorized(&[]));
        assert!(!is_authorized(&[grant(PendingSync, None)]));
    }

    #[test]
    fn the_last_proof_of_all_areas_decides() {
        let first = grant(Synced, Some((1, false)));
        let second = grant(Synced, Some((2, true)));
        assert!(is_authorized(&[first.clone(), second.clone()]));
        assert!(is_authorized(&[second, first]));
        assert!(!is_authorized(&[grant(Synced, Some((1, true))), grant(Synced, Some((2, false)))]));
    }

    #[test]
    fn two_proofs_at_the_same_instant_authorize_if_one_says_so() {
        assert!(is_authorized(&[grant(Synced, Some((1, true))), grant(Synced, Some((1, false)))]));
    }

    #[test]
    fn an_area_that_is_not_proved_now_takes_it_away() {
        for status in [PendingSync, SyncFailed] {
            assert!(!is_authorized(&[grant(Synced, Some((2, true))), grant(status, None)]));
        }
    }

    #[test]
    fn a_revocation_takes_it_away_until_the_next_proof() {
        assert!(!is_authorized(&[revoked(3, Some((2, true)))]));
        assert!(!is_authorized(&[grant(Synced, Some((2, true))), revoked(2, None)]));
        assert!(is_authorized(&[grant(Synced, Some((4, true))), revoked(3, Some((2, true)))]));
    }

    #[test]
    fn every_worker_is_counted_once() {
        let mut counts = TrainingCounts::default();
        for status in TrainingStatus::ALL {
            counts.count(status, 1);
        }
        let wanted =
            TrainingCounts { required: 5, completed: 1, in_progress: 2, failed: 1, not_started: 1 };
        assert_eq!(counts, wanted);
    }

    #[test]
    fn only_videos_the_ticket_asks_for_count_and_no_more_than_it_asks() {
        let asked = [VideoId::new(), VideoId::new()];
        let mut progress = WorkerProgress {
            day: DailyTicketId::new(),
            worker: WorkerId::new(),
            bound: true,
            training: TrainingStatus::InLearning,
            notified: true,
            read: true,
            completed_videos: vec![VideoId::new(), asked[1]],
            completed_at: None,
            grants: Vec::new(),
        };
        assert_eq!(progress.videos(&asked, VideoRule::All), (1, 2));
        assert_eq!(progress.videos(&asked, VideoRule::Any), (1, 1));
        assert_eq!(progress.videos(&[], VideoRule::Any), (0, 0));
        progress.completed_videos.clear();
        assert_eq!(progress.videos(&asked, VideoRule::All), (0, 2));
        progress.training = TrainingStatus::Completed;
        assert_eq!(progress.videos(&asked, VideoRule::All), (2, 2));
    }
}
