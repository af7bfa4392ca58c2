use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use types::CheckId;

use super::{JITTER, OpenCheck, REPORT_SEC, Reason, Refused, SILENCE, Session, State};

/// What a client says of its player. The client's own clock and its idea of the duration play no part.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub position_sec: u32,
    pub event: Event,
    /// Grows with each report; `None` from a client that does not number them.
    pub seq: Option<u64>,
}

/// What the player did last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Playing,
    Paused,
    Seeked,
    Ended,
}

/// Text that is no event of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be PLAYING, PAUSED, SEEKED or ENDED")]
pub struct UnknownEvent;

/// What a report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Reported {
    Taken,
    /// Repeated or overtaken: nothing changed.
    Repeated,
    /// The time to answer a check ran out.
    Failed(Reason),
}

impl Session {
    /// Takes a report in. `check` becomes the id of a check that this report opens; it is drawn by the caller.
    pub fn report(
        &mut self,
        report: Report,
        check: CheckId,
        now: DateTime<Utc>,
    ) -> Result<Reported, Refused> {
        self.must_be_live(now)?;
        if let Some(seq) = report.seq {
            if seq <= self.last_seq {
                return Ok(Reported::Repeated);
            }
            self.last_seq = seq;
        }
        let elapsed = (now - self.heard_at).max(TimeDelta::zero());
        let position = report.position_sec.min(self.duration_sec());
        self.heard_at = self.heard_at.max(now);
        let failed = if matches!(self.state, State::Waiting(_)) {
            self.credit = self.credit.min(JITTER);
            self.wait(elapsed, check)
        } else {
            self.play(position, report.event, elapsed, check);
            false
        };
        self.position_sec = position;
        self.playing = report.event == Event::Playing;
        if failed {
            return Ok(Reported::Failed(self.fail(Reason::CheckNotAnswered, now)));
        }
        Ok(Reported::Taken)
    }

    /// Counts what was played since the last report, never faster than the clock and never past a check.
    fn play(&mut self, position: u32, event: Event, elapsed: TimeDelta, check: CheckId) {
        // The credit is carried over, so many small reports gain no more than one long one.
        self.credit = self.credit.min(JITTER) + elapsed;
        let possible = u32::try_from(self.credit.num_seconds()).unwrap_or(u32::MAX);
        let forward = position.saturating_sub(self.position_sec);
        let played = forward.min(possible);
        let counts = match event {
            Event::Playing | Event::Ended => true,
            Event::Paused => self.playing,
            Event::Seeked => false,
        };
        let jumped = if counts || self.playing { forward - played } else { forward };
        if jumped > 0 {
            self.seeks = self.seeks.saturating_add(1);
            self.skipped_sec = self.skipped_sec.saturating_add(jumped);
        }
        let (from, to) = (self.position_sec, self.position_sec + if counts { played } else { 0 });
        let moment = self.checks.moments.first().copied();
        let reached = self.watched.mark(from, to, moment.unwrap_or(u32::MAX));
        if counts {
            self.credit -= TimeDelta::seconds(i64::from(played));
        }
        self.credit = self.credit.min(JITTER);
        if self.check_is_due() {
            let held = (reached, to.min(reached.saturating_add(REPORT_SEC)));
            self.state = State::Waiting(OpenCheck { id: check, waited: TimeDelta::zero(), held });
        }
    }

    /// The time to answer goes on; after a silence the question is drawn anew. Answers whether the time ran out.
    fn wait(&mut self, elapsed: TimeDelta, check: CheckId) -> bool {
        let answer_time = self.answer_time();
        let State::Waiting(open) = &mut self.state else { return false };
        if elapsed > SILENCE {
            open.id = check;
            open.waited = TimeDelta::zero();
        } else {
            open.waited += elapsed;
        }
        open.waited > answer_time
    }
}

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        match text {
            "PLAYING" => Ok(Self::Playing),
            "PAUSED" => Ok(Self::Paused),
            "SEEKED" => Ok(Self::Seeked),
            "ENDED" => Ok(Self::Ended),
            _ => Err(UnknownEvent),
        }
    }
}
