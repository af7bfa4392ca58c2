use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use types::{
    AreaId, ContractorId, DailyTicketId, NotificationId, SiteId, SiteZone, TicketId, WorkerId,
};

/// Waits before the second to the fifth attempt; then it has failed.
const DELAYS: [TimeDelta; 4] =
    [TimeDelta::minutes(1), TimeDelta::minutes(5), TimeDelta::minutes(30), TimeDelta::hours(2)];
/// Before it is tried again to learn whom to send to; no attempt is counted.
const POSTPONED: TimeDelta = TimeDelta::minutes(1);
const BY_HAND_A_DAY: u32 = 3;

/// What a notice is about. Each worker gets one of a kind and ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    TicketPublished,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketPublished => "TICKET_PUBLISHED",
        }
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::TicketPublished.as_str() {
            Ok(Self::TicketPublished)
        } else {
            Err("is no kind of notice")
        }
    }
}

/// The facts the message is made of when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub title: String,
    /// The day it is filed under.
    pub date: NaiveDate,
    pub deadline_at: DateTime<Utc>,
    pub areas: Vec<AreaId>,
    pub video_count: u32,
}

/// What a ticket has a worker do: its first open day, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub day: DailyTicketId,
    pub content: Content,
}

/// What a version of its ticket says of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub version: u64,
    /// Or why there is nothing to tell any more.
    pub task: Result<Task, Skip>,
}

/// Why nobody was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    NotBound,
    /// No consent is left.
    NoBalance,
    /// No day of its ticket is open any more.
    DayClosed,
    /// Its ticket does not name the worker any more.
    NotInTicket,
}

impl Skip {
    const ALL: [Self; 4] = [Self::NotBound, Self::NoBalance, Self::DayClosed, Self::NotInTicket];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotBound => "NOT_BOUND",
            Self::NoBalance => "NO_BALANCE",
            Self::DayClosed => "DAY_CLOSED",
            Self::NotInTicket => "NOT_IN_TICKET",
        }
    }

    /// Whether its ticket took it back.
    const fn is_withdrawal(self) -> bool {
        match self {
            Self::DayClosed | Self::NotInTicket => true,
            Self::NotBound | Self::NoBalance => false,
        }
    }

    /// Those by which a ticket takes a notice back.
    pub fn withdrawals() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|why| why.is_withdrawal())
    }
}

impl FromStr for Skip {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|skip| skip.as_str() == text);
        found.ok_or("is no reason to call nobody")
    }
}

/// Why it failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The provider said no, with its code.
    Refused { errcode: i64 },
    /// The last attempt failed as those before.
    ProviderError,
}

/// Where a notice is. Times are the site's, but for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued {
        due_at: DateTime<Utc>,
    },
    /// Someone may be calling the provider; the lease is system time.
    Sending {
        lease_until: DateTime<Utc>,
    },
    Sent {
        at: DateTime<Utc>,
        msgid: u64,
    },
    Failed {
        at: DateTime<Utc>,
        why: Refusal,
    },
    Skipped {
        at: DateTime<Utc>,
        why: Skip,
    },
    /// The provider was called, or may have been, and nobody can tell whether it took the message.
    Unknown {
        at: DateTime<Utc>,
    },
}

/// What others see of a state: a notice being sent is still queued to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Queued,
    Sent,
    Failed,
    Skipped,
    Unknown,
}

impl Status {
    const ALL: [Self; 5] = [Self::Queued, Self::Sent, Self::Failed, Self::Skipped, Self::Unknown];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or("is none of QUEUED, SENT, FAILED, SKIPPED, UNKNOWN")
    }
}

/// What came of trying to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Taken {
        msgid: u64,
    },
    /// The provider counts no consent, whatever we counted.
    NoBalance,
    Refused {
        errcode: i64,
    },
    /// Certainly not taken; may be later.
    Later,
    /// Sent, and no answer that tells whether it was taken.
    Lost,
    /// The worker is bound to nobody; the provider was not called.
    NotBound,
    /// It could not be learnt whom to send to; the provider was not called.
    Postponed,
}

/// What becomes of the consent that was spent with the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Consent {
    Spent,
    GivenBack,
    /// None is left at all.
    Gone,
}

/// Retries by hand of one of the site's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByHand {
    pub on: NaiveDate,
    pub count: u32,
}

/// The rule that refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("there is no way from {from} to {to}")]
    State { from: Status, to: Status },
    #[error("was retried by hand three times today")]
    TooOften,
    #[error("its ticket has nothing to tell the worker any more")]
    Withdrawn { from: Status, why: Skip },
}

/// One message to one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: NotificationId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub worker: WorkerId,
    pub ticket: TicketId,
    /// The version that queued it: an older one says nothing of it.
    pub ticket_version: u64,
    pub day: DailyTicketId,
    pub kind: Kind,
    pub zone: SiteZone,
    pub content: Content,
    pub state: State,
    /// Calls of the provider since it was queued, or queued again by hand.
    pub attempts: u32,
    pub by_hand: Option<ByHand>,
    pub created_at: DateTime<Utc>,
    /// Of the fact or the command that queued it.
    pub traceparent: Option<String>,
}

impl Notice {
    pub fn status(&self) -> Status {
        match self.state {
            State::Queued { .. } | State::Sending { .. } => Status::Queued,
            State::Sent { .. } => Status::Sent,
            State::Failed { .. } => Status::Failed,
            State::Skipped { .. } => Status::Skipped,
            State::Unknown { .. } => Status::Unknown,
        }
    }

    /// Goes by its ticket: what waits says what the ticket now says, or is withdrawn where nothing is left to tell;
    /// what was withdrawn waits again once something is. Answers whether anything changed.
    pub fn follow(&mut self, word: &Word, at: DateTime<Utc>) -> bool {
        if word.version < self.ticket_version {
            return false;
        }
        match (self.state, &word.task) {
            (State::Queued { .. }, Ok(task)) => self.file(task),
            (State::Queued { .. }, Err(why)) => {
                self.state = State::Skipped { at, why: *why };
                true
            }
            (State::Skipped { why, .. }, Ok(task)) if why.is_withdrawal() => {
                self.file(task);
                self.attempts = 0;
                self.state = State::Queued { due_at: at };
                true
            }
            _ => false,
        }
    }

    /// Takes it for one attempt; the caller spends a consent in the same breath.
    pub fn claim(&mut self, lease_until: DateTime<Utc>) -> Result<(), NotAllowed> {
        let State::Queued { .. } = self.state else { return Err(self.refuse(Status::Queued)) };
        self.attempts += 1;
        self.state = State::Sending { lease_until };
        Ok(())
    }

    /// Sends nothing. Only what waits can be skipped.
    pub fn skip(&mut self, why: Skip, at: DateTime<Utc>) -> Result<(), NotAllowed> {
        let State::Queued { .. } = self.state else { return Err(self.refuse(Status::Skipped)) };
        self.state = State::Skipped { at, why };
        Ok(())
    }

    /// Takes in what came of the attempt at hand and says what becomes of its consent.
    pub fn settle(&mut self, answer: Answer, at: DateTime<Utc>) -> Result<Consent, NotAllowed> {
        let State::Sending { .. } = self.state else { return Err(self.refuse(Status::Sent)) };
        let (state, consent) = match answer {
            Answer::Taken { msgid } => (State::Sent { at, msgid }, Consent::Spent),
            Answer::Lost => (State::Unknown { at }, Consent::Spent),
            Answer::NoBalance => (State::Skipped { at, why: Skip::NoBalance }, Consent::Gone),
            Answer::NotBound => {
                self.attempts = self.attempts.saturating_sub(1);
                (State::Skipped { at, why: Skip::NotBound }, Consent::GivenBack)
            }
            Answer::Postponed => {
                self.attempts = self.attempts.saturating_sub(1);
                (State::Queued { due_at: at + POSTPONED }, Consent::GivenBack)
            }
            Answer::Refused { errcode } => {
                (State::Failed { at, why: Refusal::Refused { errcode } }, Consent::GivenBack)
            }
            Answer::Later => (self.after_failure(at), Consent::GivenBack),
        };
        self.state = state;
        Ok(consent)
    }

    /// Whoever was sending is gone: at most once, so it is never sent again by itself.
    pub fn give_up(&mut self, at: DateTime<Utc>) -> Result<(), NotAllowed> {
        let State::Sending { .. } = self.state else { return Err(self.refuse(Status::Unknown)) };
        self.state = State::Unknown { at };
        Ok(())
    }

    /// Queues it anew because a person says so, at most three times on each of the site's days, and not where its
    /// ticket has nothing to tell any more: what was withdrawn waits for the ticket to have something again.
    pub fn retry(&mut self, word: Option<&Word>, at: DateTime<Utc>) -> Result<(), NotAllowed> {
        match self.state {
            State::Failed { .. } | State::Skipped { .. } | State::Unknown { .. } => {}
            State::Queued { .. } | State::Sending { .. } | State::Sent { .. } => {
                return Err(self.refuse(Status::Queued));
            }
        }
        let word = word.filter(|word| word.version >= self.ticket_version);
        let withdrawn = |why| Err(NotAllowed::Withdrawn { from: self.status(), why });
        let task = match (word.map(|word| &word.task), self.state) {
            (Some(Ok(task)), _) => Some(task),
            (Some(Err(why)), _) => return withdrawn(*why),
            (None, State::Skipped { why, .. }) if why.is_withdrawal() => return withdrawn(why),
            (None, _) => None,
        };
        let today = self.zone.date_at(at);
        let before = self.by_hand.filter(|by_hand| by_hand.on == today);
        let count = before.map_or(0, |by_hand| by_hand.count);
        if count >= BY_HAND_A_DAY {
            return Err(NotAllowed::TooOften);
        }
        if let Some(task) = task {
            self.file(task);
        }
        self.by_hand = Some(ByHand { on: today, count: count + 1 });
        self.attempts = 0;
        self.state = State::Queued { due_at: at };
        Ok(())
    }

    fn file(&mut self, task: &Task) -> bool {
        if (self.day, &self.content) == (task.day, &task.content) {
            return false;
        }
        self.day = task.day;
        self.content = task.content.clone();
        true
    }

    fn after_failure(&self, at: DateTime<Utc>) -> State {
        let index = self.attempts.saturating_sub(1) as usize;
        match DELAYS.get(index) {
            Some(delay) => State::Queued { due_at: at + *delay },
            None => State::Failed { at, why: Refusal::ProviderError },
        }
    }

    fn refuse(&self, to: Status) -> NotAllowed {
        NotAllowed::State { from: self.status(), to }
    }
}

#[cfg(test)]
pub(super) mod tests;
