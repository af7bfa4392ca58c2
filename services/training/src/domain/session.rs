//! One watching of one video. The client is not believed: it says where it is, the clock says how far it can have come,
//! and seconds count once.

mod report;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use types::{CheckId, DailyTicketId, SessionId, SiteId, VideoId, WorkerId};

use super::checks::{Pacing, required_sec};
use super::watched::Watched;

pub use report::{Event, Report, Reported};

/// A session nobody reported on for this long is over; it may be resumed.
pub const IDLE: TimeDelta = TimeDelta::minutes(30);
/// Reports come every ten seconds; after this long without one the client is silent.
pub const SILENCE: TimeDelta = TimeDelta::seconds(30);
/// How far the video may be ahead of the clock, for the network's sake.
pub const JITTER: TimeDelta = TimeDelta::seconds(2);
/// What one report may have played past the moment of a check before the client could learn of it, in seconds.
const REPORT_SEC: u32 = 12;

/// What a session starts with.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    pub id: SessionId,
    pub site: SiteId,
    pub daily_ticket: DailyTicketId,
    pub worker: WorkerId,
    pub video: VideoId,
    pub duration_sec: u32,
    pub pacing: Pacing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub site: SiteId,
    pub daily_ticket: DailyTicketId,
    pub worker: WorkerId,
    pub video: VideoId,
    /// Time to answer a check.
    pub answer_sec: u32,
    pub started_at: DateTime<Utc>,
    /// The last report, answer or start.
    pub heard_at: DateTime<Utc>,
    /// The last report's number; 0 before the first that had one.
    pub last_seq: u64,
    pub position_sec: u32,
    /// Whether the video ran after the last report.
    pub playing: bool,
    /// How far the video may still be ahead of the clock; at most [`JITTER`].
    pub credit: TimeDelta,
    pub watched: Watched,
    /// Forward jumps, and the seconds they jumped over in sum. Those seconds are not watched.
    pub seeks: u32,
    pub skipped_sec: u32,
    pub checks: Checks,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Counted seconds at which the checks to come fall due, ascending; an open one is the first.
    pub moments: Vec<u32>,
    pub passed: u32,
    pub failed: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Learning,
    /// Nothing counts until the check is passed.
    Waiting(OpenCheck),
    /// Nobody reported for [`IDLE`]; may be resumed on the same day.
    Expired,
    Failed {
        reason: Reason,
        at: DateTime<Utc>,
    },
    Completed {
        at: DateTime<Utc>,
    },
}

/// A question that is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCheck {
    pub id: CheckId,
    /// How much of the time to answer is used: it runs only while the client reports.
    pub waited: TimeDelta,
    /// Seconds of the video played between the moment and the report that met it; they count once the check is passed.
    pub held: (u32, u32),
}

/// Why a session failed. What was watched in it never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    CheckFailed,
    CheckNotAnswered,
    /// The person began another session.
    Replaced,
    /// The day ended or was cancelled, or no longer names the worker or the video.
    DayClosed,
}

/// What the provider says of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
}

/// Why a session takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("nobody reported for too long")]
    Expired,
    #[error("the session failed")]
    Failed(Reason),
    #[error("the session is complete")]
    Completed,
    #[error("a check is open")]
    CheckRequired,
    #[error("this check is not open")]
    NoSuchCheck,
    #[error("too little was watched, or not to the end")]
    Incomplete { required_sec: u32, valid_sec: u32 },
}

/// What an answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Answered {
    Passed,
    Failed(Reason),
}

/// What finishing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Finished {
    Now { at: DateTime<Utc> },
    Already { at: DateTime<Utc> },
}

impl Session {
    /// Begins at the start of the video; the moments of its checks are drawn now.
    pub fn start(
        start: Start,
        pick: &mut dyn FnMut(RangeInclusive<u32>) -> u32,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: start.id,
            site: start.site,
            daily_ticket: start.daily_ticket,
            worker: start.worker,
            video: start.video,
            answer_sec: start.pacing.answer_sec,
            started_at: now,
            heard_at: now,
            last_seq: 0,
            position_sec: 0,
            playing: false,
            credit: JITTER,
            watched: Watched::none(start.duration_sec),
            seeks: 0,
            skipped_sec: 0,
            checks: Checks {
                moments: start.pacing.draw(start.duration_sec, pick),
                passed: 0,
                failed: 0,
            },
            state: State::Learning,
        }
    }

    /// Goes on with an expired session where it was, after a new face check. A check that was due still is.
    pub fn resume(&mut self, now: DateTime<Utc>) {
        self.state = State::Learning;
        self.heard_at = now;
        self.last_seq = 0;
        self.playing = false;
        self.credit = JITTER;
    }

    /// Ends a live session that nobody reported on for [`IDLE`], so that it may be resumed; answers whether it is one.
    pub fn expire(&mut self, now: DateTime<Utc>) -> bool {
        if self.is_live() && now - self.heard_at >= IDLE {
            self.state = State::Expired;
        }
        self.state == State::Expired
    }

    /// Ends a session that is not over, for a reason from outside. Ending an ended one changes nothing.
    pub fn end(&mut self, reason: Reason, now: DateTime<Utc>) {
        if !matches!(self.state, State::Failed { .. } | State::Completed { .. }) {
            self.state = State::Failed { reason, at: now };
        }
    }

    /// Answers the open check with what the provider said of the face.
    pub fn answer_check(
        &mut self,
        check: CheckId,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Result<Answered, Refused> {
        self.must_be_live(now)?;
        let open = self.open_check(check)?.clone();
        let gap = (now - self.heard_at).max(TimeDelta::zero());
        let waited = open.waited + if gap > SILENCE { TimeDelta::zero() } else { gap };
        self.heard_at = now;
        if waited > self.answer_time() {
            return Ok(Answered::Failed(self.fail(Reason::CheckNotAnswered, now)));
        }
        if outcome == Outcome::Failed {
            return Ok(Answered::Failed(self.fail(Reason::CheckFailed, now)));
        }
        self.checks.passed += 1;
        self.checks.moments.remove(0);
        self.watched.mark(open.held.0, open.held.1, u32::MAX);
        self.playing = false;
        self.state = State::Learning;
        Ok(Answered::Passed)
    }

    /// Is this the check that is asked now?
    pub fn open_check(&self, check: CheckId) -> Result<&OpenCheck, Refused> {
        match &self.state {
            State::Waiting(open) if open.id == check => Ok(open),
            _ => Err(Refused::NoSuchCheck),
        }
    }

    /// Judges the session: enough distinct seconds, played to the end, no check open. Finishing again says when it was.
    pub fn finish(&mut self, now: DateTime<Utc>) -> Result<Finished, Refused> {
        if let State::Completed { at } = self.state {
            return Ok(Finished::Already { at });
        }
        self.must_be_live(now)?;
        if matches!(self.state, State::Waiting(_)) || self.check_is_due() {
            return Err(Refused::CheckRequired);
        }
        let (required_sec, valid_sec) = (required_sec(self.duration_sec()), self.watched.count());
        // A player tells whole seconds: one less than the end is the end.
        let slack = (self.duration_sec() * 2 / 100).max(1);
        if valid_sec < required_sec || self.position_sec + slack < self.duration_sec() {
            return Err(Refused::Incomplete { required_sec, valid_sec });
        }
        self.state = State::Completed { at: now };
        Ok(Finished::Now { at: now })
    }

    /// The open check and until when it can be answered if the client goes on reporting.
    pub fn asked(&self) -> Option<(CheckId, DateTime<Utc>)> {
        match &self.state {
            State::Waiting(open) => {
                Some((open.id, self.heard_at + self.answer_time() - open.waited))
            }
            _ => None,
        }
    }

    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Learning | State::Waiting(_))
    }

    pub fn duration_sec(&self) -> u32 {
        self.watched.duration_sec()
    }

    fn must_be_live(&mut self, now: DateTime<Utc>) -> Result<(), Refused> {
        if self.expire(now) {
            return Err(Refused::Expired);
        }
        match self.state {
            State::Learning | State::Waiting(_) => Ok(()),
            State::Expired => Err(Refused::Expired),
            State::Failed { reason, .. } => Err(Refused::Failed(reason)),
            State::Completed { .. } => Err(Refused::Completed),
        }
    }

    fn check_is_due(&self) -> bool {
        self.checks.moments.first().is_some_and(|moment| *moment <= self.watched.count())
    }

    fn answer_time(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.answer_sec))
    }

    fn fail(&mut self, reason: Reason, now: DateTime<Utc>) -> Reason {
        self.checks.failed += 1;
        self.state = State::Failed { reason, at: now };
        reason
    }
}

impl State {
    /// As the API and the table name it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Learning => "IN_LEARNING",
            Self::Waiting(_) => "WAITING_VERIFY",
            Self::Expired => "EXPIRED",
            Self::Failed { .. } => "FAILED",
            Self::Completed { .. } => "COMPLETED",
        }
    }
}

impl Reason {
    pub const ALL: [Self; 4] =
        [Self::CheckFailed, Self::CheckNotAnswered, Self::Replaced, Self::DayClosed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckFailed => "CHECK_FAILED",
            Self::CheckNotAnswered => "CHECK_NOT_ANSWERED",
            Self::Replaced => "REPLACED",
            Self::DayClosed => "DAY_CLOSED",
        }
    }

    /// Reads back [`Reason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
