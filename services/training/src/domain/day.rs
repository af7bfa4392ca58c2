use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use types::{ContractorId, DailyTicketId, SiteId, VideoId, WorkerId};

/// One day of a ticket, as the newest version of the ticket has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub id: DailyTicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub in_progress: bool,
    pub deadline_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub rule: VideoRule,
    pub workers: BTreeSet<WorkerId>,
    pub videos: BTreeSet<VideoId>,
}

/// Which of a day's videos make it complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoRule {
    All,
    Any,
}

/// Why nobody, or not this one, trains on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    #[error("the day is not in progress")]
    NotInProgress,
    #[error("the worker is not on the ticket")]
    WorkerNotNamed,
    #[error("the video is not on the ticket")]
    VideoNotNamed,
}

/// A day that became complete, judged by the deadline in force then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    pub at: DateTime<Utc>,
    pub deadline_at: DateTime<Utc>,
    pub in_time: bool,
}

impl Day {
    /// May this worker watch this video on this day at `now`?
    pub fn admits(
        &self,
        worker: WorkerId,
        video: VideoId,
        now: DateTime<Utc>,
    ) -> Result<(), Closed> {
        if !self.videos.contains(&video) {
            return Err(Closed::VideoNotNamed);
        }
        self.admits_worker(worker, now)
    }

    /// May this worker train on this day at `now`? Its end counts also before the fact of the expiry has arrived.
    pub fn admits_worker(&self, worker: WorkerId, now: DateTime<Utc>) -> Result<(), Closed> {
        if !self.workers.contains(&worker) {
            return Err(Closed::WorkerNotNamed);
        }
        if self.in_progress && now < self.expires_at { Ok(()) } else { Err(Closed::NotInProgress) }
    }

    /// Whether `completed` videos make the day complete at `now`.
    pub fn completion(
        &self,
        completed: &BTreeSet<VideoId>,
        now: DateTime<Utc>,
    ) -> Option<Completion> {
        let done = match self.rule {
            VideoRule::All => !self.videos.is_empty() && self.videos.is_subset(completed),
            VideoRule::Any => !self.videos.is_disjoint(completed),
        };
        done.then_some(Completion {
            at: now,
            deadline_at: self.deadline_at,
            in_time: now <= self.deadline_at,
        })
    }
}

/// What becomes of a day's training when its ticket asks for something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    Stands,
    /// What was watched is all now, at the ticket's change.
    Completed(Completion),
    /// It was complete and is not any more.
    Reopened {
        missing: Vec<VideoId>,
    },
}

impl Day {
    /// Judges again at `now` who watched `completed`, each at its time, and was `complete` or not. In time is who had
    /// watched the last that is still asked for by the deadline in force.
    pub fn judge(
        &self,
        completed: &BTreeMap<VideoId, DateTime<Utc>>,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Judged {
        let watched: BTreeSet<VideoId> = completed.keys().copied().collect();
        match (self.completion(&watched, now), complete) {
            (None, false) | (Some(_), true) => Judged::Stands,
            (None, true) => {
                Judged::Reopened { missing: self.videos.difference(&watched).copied().collect() }
            }
            (Some(completion), false) => {
                let times = completed
                    .iter()
                    .filter(|(video, _)| self.videos.contains(*video))
                    .map(|(_, at)| *at);
                let done = match self.rule {
                    VideoRule::All => times.max(),
                    VideoRule::Any => times.min(),
                };
                let in_time = done.is_some_and(|done| done <= self.deadline_at);
                Judged::Completed(Completion { in_time, ..completion })
            }
        }
    }
}

impl VideoRule {
    /// `ANY` is any; everything else, an empty text too, asks for all.
    pub fn parse(text: &str) -> Self {
        if text == "ANY" { Self::Any } else { Self::All }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Any => "ANY",
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_409_600, 0).unwrap()
    }

    fn day(rule: VideoRule, videos: &[VideoId]) -> Day {
        Day {
            id: DailyTicketId::new(),
            site: SiteId::new(),
            contractor: ContractorId::new(),
            in_progress: true,
            deadline_at: noon(),
            expires_at: noon() + TimeDelta::hours(8),
            rule,
            workers: BTreeSet::from([WorkerId::new()]),
            videos: videos.iter().copied().collect(),
        }
    }

    #[test]
    fn only_the_named_train_and_only_until_the_day_ends() {
        let video = VideoId::new();
        let day = day(VideoRule::All, &[video]);
        let worker = *day.workers.first().unwrap();
        assert_eq!(day.admits(worker, video, noon()), Ok(()));
        assert_eq!(day.admits(WorkerId::new(), video, noon()), Err(Closed::WorkerNotNamed));
        assert_eq!(day.admits(worker, VideoId::new(), noon()), Err(Closed::VideoNotNamed));
        assert_eq!(day.admits(worker, video, day.expires_at), Err(Closed::NotInProgress));
        let cancelled = Day { in_progress: false, ..day };
        assert_eq!(cancelled.admits(worker, video, noon()), Err(Closed::NotInProgress));
    }

    #[test]
    fn all_means_all_and_any_means_one() {
        let (one, two) = (VideoId::new(), VideoId::new());
        let (none, first) = (BTreeSet::new(), BTreeSet::from([one]));
        let both = BTreeSet::from([one, two]);
        let foreign = BTreeSet::from([VideoId::new()]);
        let complete =
            |rule, completed| day(rule, &[one, two]).completion(completed, noon()).is_some();
        assert_eq!(
            [&none, &first, &both, &foreign].map(|set| complete(VideoRule::All, set)),
            [false, false, true, false]
        );
        assert_eq!(
            [&none, &first, &both, &foreign].map(|set| complete(VideoRule::Any, set)),
            [false, true, true, false]
        );
    }

    #[test]
    fn a_day_without_videos_is_never_complete() {
        assert_eq!(day(VideoRule::All, &[]).completion(&BTreeSet::new(), noon()), None);
    }

    #[test]
    fn an_added_video_reopens_and_a_removed_one_may_complete() {
        let (one, two) = (VideoId::new(), VideoId::new());
        let both = day(VideoRule::All, &[one, two]);
        let before = noon() - TimeDelta::minutes(5);
        let first = BTreeMap::from([(one, before)]);
        assert_eq!(both.judge(&first, true, noon()), Judged::Reopened { missing: vec![two] });
        assert_eq!(both.judge(&first, false, noon()), Judged::Stands);
        let only = Day { videos: BTreeSet::from([one]), ..both };
        assert_eq!(only.judge(&first, true, noon()), Judged::Stands);
        let later = noon() + TimeDelta::hours(1);
        // It was watched before the deadline, though the ticket asks for no more only after it.
        let completion = Completion { at: later, deadline_at: noon(), in_time: true };
        assert_eq!(only.judge(&first, false, later), Judged::Completed(completion));
        let late = BTreeMap::from([(one, later)]);
        let completion = Completion { in_time: false, ..completion };
        assert_eq!(only.judge(&late, false, later), Judged::Completed(completion));
    }

    #[test]
    fn completion_is_judged_by_the_deadline_in_force() {
        let video = VideoId::new();
        let completed = BTreeSet::from([video]);
        let day = day(VideoRule::All, &[video]);
        assert!(day.completion(&completed, noon()).unwrap().in_time);
        assert!(!day.completion(&completed, noon() + TimeDelta::seconds(1)).unwrap().in_time);
    }
}
