//! The rules. Two questions, whether a person may pass and why a door refused one, and one evaluation behind both.

use chrono::{DateTime, Utc};
use types::{DailyTicketId, Mend};

use crate::facts::{
    Controller, DailyTicket, Direction, DoorKnowledge, DoorVerdict, Facts, Identity, Person, Senses,
};
use crate::outcome::{Decision, Detail, Explanation, Failing, Source};
use crate::rank;

/// Whether the person may pass at that instant.
///
/// In this order: leaving is always allowed (unless the device cannot tell directions), an area opened in an emergency is
/// open to all, and else every condition must hold on one and the same ticket. A controller that is not known to work
/// refuses. With several live tickets the one that fails latest answers.
pub fn decide(
    facts: &Facts,
    at: DateTime<Utc>,
    direction: Direction,
    knowledge: DoorKnowledge,
) -> Decision {
    if leaves(facts, direction) {
        return allowed(Detail::Leaving, None, Vec::new());
    }
    if let Some(until) = emergency(facts, at) {
        return allowed(Detail::EmergencyOpen, Some(until), Vec::new());
    }
    pass(facts, Times { at, now: at }, facts.door.controller == Controller::Working, knowledge)
}

/// Whether the person would be let in at a later instant `at`, if nothing changed after `now`.
///
/// As [`decide`] for entering by what the door holds, but a controller's momentary state is not taken into the future. The
/// mends are what has to be done from `now` on: who can still train in time is not sent to ask for release.
pub fn outlook(facts: &Facts, now: DateTime<Utc>, at: DateTime<Utc>) -> Decision {
    if let Some(until) = emergency(facts, at) {
        return allowed(Detail::EmergencyOpen, Some(until), Vec::new());
    }
    pass(facts, Times { at, now: now.min(at) }, true, DoorKnowledge::Required)
}

/// Why a door refused the person at that instant, from the facts as of then.
///
/// A known code the door gave is its answer. Else it is the first condition that did not hold, and where all held:
/// `DEVICE_ERROR` if the door was proved to hold the grant (or kept someone from leaving), `SYNC_PENDING` if not.
/// There is always a code.
pub fn explain(facts: &Facts, at: DateTime<Utc>, verdict: DoorVerdict) -> Explanation {
    let computed = refusal(facts, at, verdict.direction);
    match (verdict.reported, computed.reason) {
        (Some(reason), _) => Explanation { reason, source: Source::Reported, computed },
        (None, reason) => {
            let reason = reason.unwrap_or(types::ReasonCode::DeviceError);
            Explanation { reason, source: Source::Computed, computed }
        }
    }
}

fn refusal(facts: &Facts, at: DateTime<Utc>, direction: Direction) -> Decision {
    let works = facts.door.controller != Controller::Failed;
    if leaves(facts, direction) {
        let detail = if works { Detail::DoorRefusedLeaving } else { Detail::ControllerFailed };
        return refused(vec![Failing::of(detail, at)], Vec::new());
    }
    let evaluation = evaluate(facts, Times { at, now: at }, works);
    let open_to_all = works && emergency(facts, at).is_some();
    let (well, failing) = match evaluation {
        Evaluation::Well(tickets) => (tickets, None),
        Evaluation::Failing { .. } if open_to_all => (Vec::new(), None),
        Evaluation::Failing { failing, answers } => (Vec::new(), Some((failing, answers))),
    };
    if let Some((failing, answers)) = failing {
        return refused(failing, answers.into_iter().collect());
    }
    let proved: Vec<_> = well.iter().copied().filter(|ticket| ticket.grant_proved).collect();
    if proved.is_empty() {
        refused(vec![Failing::of(Detail::DoorDoesNotKnow, at)], ids(&well))
    } else {
        refused(vec![Failing::of(Detail::DoorRefusedProvedGrant, at)], ids(&proved))
    }
}

fn pass(facts: &Facts, times: Times, works: bool, knowledge: DoorKnowledge) -> Decision {
    let well = match evaluate(facts, times, works) {
        Evaluation::Well(tickets) => tickets,
        Evaluation::Failing { failing, answers } => {
            return refused(failing, answers.into_iter().collect());
        }
    };
    let open: Vec<_> = match knowledge {
        DoorKnowledge::Ignored => well.clone(),
        DoorKnowledge::Required => {
            well.iter().copied().filter(|ticket| ticket.grant_proved).collect()
        }
    };
    match open.iter().map(|ticket| ticket.window.end).max() {
        Some(until) => allowed(Detail::Well, Some(until), ids(&open)),
        None => refused(vec![Failing::of(Detail::DoorDoesNotKnow, times.now)], ids(&well)),
    }
}

/// When the question is asked about, and since when something can be done about the answer.
#[derive(Clone, Copy)]
struct Times {
    at: DateTime<Utc>,
    now: DateTime<Utc>,
}

enum Evaluation<'facts> {
    /// Every condition but the door's knowledge holds, on each of these tickets; never empty.
    Well(Vec<&'facts DailyTicket>),
    /// What fails on the ticket that answers, if there is any; never empty.
    Failing { failing: Vec<Failing>, answers: Option<DailyTicketId> },
}

fn evaluate(facts: &Facts, times: Times, controller_works: bool) -> Evaluation<'_> {
    let mut failing = Vec::new();
    if !controller_works {
        failing.push(Failing::of(Detail::ControllerFailed, times.now));
    }
    let Person::Worker { identity, .. } = facts.person else {
        failing.push(Failing::of(Detail::UnknownFace, times.now));
        return Evaluation::Failing { failing, answers: None };
    };

    let mut well = Vec::new();
    let mut best: Option<(Vec<Failing>, DailyTicketId)> = None;
    for ticket in facts.tickets.iter().filter(|ticket| counts(facts, ticket, times.at)) {
        let of_ticket = conditions(facts, identity, ticket, times);
        if of_ticket.is_empty() {
            well.push(ticket);
        } else if best.as_ref().is_none_or(|(others, id)| {
            rank::compare(&of_ticket, others).then_with(|| id.cmp(&ticket.id)).is_gt()
        }) {
            best = Some((of_ticket, ticket.id));
        }
    }

    if !well.is_empty() {
        return if failing.is_empty() {
            Evaluation::Well(well)
        } else {
            Evaluation::Failing { failing, answers: ids(&well).first().copied() }
        };
    }
    let answers = if let Some((of_ticket, id)) = best {
        failing.extend(of_ticket);
        Some(id)
    } else {
        failing.push(Failing::of(Detail::NoTicket, times.now));
        failing.extend(identity_fails(identity, times));
        None
    };
    Evaluation::Failing { failing, answers }
}

/// Of this site, not cancelled, one of that day's, and not told in two ways.
fn counts(facts: &Facts, ticket: &DailyTicket, at: DateTime<Utc>) -> bool {
    ticket.site == facts.site
        && !ticket.cancelled
        && ticket.live.contains(at)
        && !facts.tickets.iter().any(|other| other.id == ticket.id && other != ticket)
}

/// What fails on one ticket, in the order of the codes.
fn conditions(
    facts: &Facts,
    identity: Identity,
    ticket: &DailyTicket,
    times: Times,
) -> Vec<Failing> {
    let area = (!ticket.areas.contains(&facts.area))
        .then(|| Detail::OtherArea { allowed: ticket.areas.clone() });
    let mut failing = Vec::new();
    failing.extend(area.map(|detail| Failing::of(detail, times.now)));
    failing.extend(identity_fails(identity, times));
    failing.extend(training_fails(ticket, times).map(|detail| Failing::of(detail, times.now)));
    failing.extend(window_fails(ticket, times.at).map(|detail| Failing::of(detail, times.now)));
    failing
}

fn identity_fails(identity: Identity, times: Times) -> Option<Failing> {
    match identity {
        Identity::Bound | Identity::ConfirmedToday => None,
        Identity::Unidentified => Some(Failing::of(Detail::NotBound, times.now)),
    }
}

fn training_fails(ticket: &DailyTicket, times: Times) -> Option<Detail> {
    let deadline_at = ticket.deadline_at;
    let training = ticket.training;
    match training.completed_at.filter(|completed_at| *completed_at <= times.now) {
        None => Some(Detail::NotTrained { deadline_at }),
        Some(completed_at)
            if completed_at <= deadline_at || training.released || training.given =>
        {
            None
        }
        Some(completed_at) => Some(Detail::FinishedLate { completed_at, deadline_at }),
    }
}

fn window_fails(ticket: &DailyTicket, at: DateTime<Utc>) -> Option<Detail> {
    let window = ticket.window;
    if window.contains(at) {
        None
    } else if at < window.start && !window.is_empty() {
        Some(Detail::TooEarly { opens_at: window.start })
    } else {
        Some(Detail::TooLate { closed_at: window.end })
    }
}

fn leaves(facts: &Facts, direction: Direction) -> bool {
    direction == Direction::Out && facts.door.senses != Senses::None
}

fn emergency(facts: &Facts, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    facts.emergency_open_until.filter(|until| at < *until)
}

impl Failing {
    /// A condition that failed, with the mend that is open from `now` on. The detail is one that refuses.
    fn of(detail: Detail, now: DateTime<Utc>) -> Self {
        let reason = detail.reason().unwrap_or(types::ReasonCode::DeviceError);
        let mend = match &detail {
            Detail::UnknownFace => Mend::REGISTER_FACE,
            Detail::FinishedLate { .. } => Mend::RELEASE,
            Detail::NotTrained { deadline_at } if now > *deadline_at => Mend::FINISH_TRAINING_LATE,
            Detail::TooLate { .. } => Mend::EXTEND_WINDOW,
            _ => reason.action(),
        };
        Self { reason, detail, mend }
    }
}

fn allowed(detail: Detail, until: Option<DateTime<Utc>>, because: Vec<DailyTicketId>) -> Decision {
    Decision { allow: true, reason: None, detail, failing: Vec::new(), until, because }
}

/// `failing` is never empty.
fn refused(failing: Vec<Failing>, because: Vec<DailyTicketId>) -> Decision {
    let (reason, detail) = failing
        .first()
        .map_or((types::ReasonCode::DeviceError, Detail::ControllerFailed), |first| {
            (first.reason, first.detail.clone())
        });
    Decision { allow: false, reason: Some(reason), detail, failing, until: None, because }
}

fn ids(tickets: &[&DailyTicket]) -> Vec<DailyTicketId> {
    let mut ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
