use proto::ticket::v1 as pb;
use proto::timestamp;
use types::{InstantWindow, SiteId, VideoId};

use super::Changes;
use crate::domain::{
    AccessChange, AccessEffect, DailyTicket, DayEffect, Effects, Retraining, Warning,
};

pub(crate) fn effects(
    site: SiteId,
    effects: &Effects,
    warnings: &[Warning],
    changes: &Changes,
) -> pb::Effects {
    pb::Effects {
        site_id: site.to_string(),
        access: effects.access.iter().map(access).collect(),
        left_off: effects.left_off(),
        gains: effects.gains,
        loses: effects.loses,
        window_changed: effects.moved,
        must_train_again: effects
            .retraining
            .iter()
            .map(|again| retraining(again, &effects.missing))
            .collect(),
        days: effects.days.iter().map(day).collect(),
        warnings: warnings.iter().map(warning).collect(),
        before: changes.before.as_ref().map(ToString::to_string).unwrap_or_default(),
        after: changes.after.to_string(),
        missing_video_ids: effects.missing.iter().map(ToString::to_string).collect(),
    }
}

fn access(effect: &AccessEffect) -> pb::AccessEffect {
    let (change, from, to) = match effect.change {
        AccessChange::Gains { to } => ("GAINS", None, Some(to)),
        AccessChange::Loses { from } => ("LOSES", Some(from), None),
        AccessChange::Moved { from, to } => ("WINDOW_CHANGED", Some(from), Some(to)),
    };
    pb::AccessEffect {
        worker_id: effect.worker.to_string(),
        area_id: effect.area.to_string(),
        date: effect.date.to_string(),
        change: change.to_owned(),
        from: from.map(window),
        to: to.map(window),
    }
}

fn window(window: InstantWindow) -> pb::AccessWindow {
    pb::AccessWindow { start: Some(timestamp(window.start)), end: Some(timestamp(window.end)) }
}

/// `missing` is what one or another has to watch.
fn retraining(again: &Retraining, missing: &[VideoId]) -> pb::Retraining {
    let watched = missing.iter().filter(|video| !again.missing.contains(video));
    pb::Retraining {
        worker_id: again.worker.to_string(),
        date: again.date.to_string(),
        watched_video_ids: watched.map(ToString::to_string).collect(),
    }
}

fn day(effect: &DayEffect) -> pb::DayEffect {
    let (change, before, after) = match effect {
        DayEffect::Added { after } => ("ADDED", None, Some(after)),
        DayEffect::Removed { before } => ("REMOVED", Some(before), None),
        DayEffect::Cancelled { before, after } => ("CANCELLED", Some(before), Some(after)),
        DayEffect::Expired { before, after } => ("EXPIRED", Some(before), Some(after)),
        DayEffect::Moved { before, after } => ("MOVED", Some(before), Some(after)),
    };
    let status = |day: Option<&DailyTicket>| day.map(|day| day.status().to_string());
    let deadline = |day: Option<&DailyTicket>| day.map(|day| timestamp(day.deadline_at));
    pb::DayEffect {
        date: before.or(after).map(|day| day.date.to_string()).unwrap_or_default(),
        change: change.to_owned(),
        status_before: status(before).unwrap_or_default(),
        status_after: status(after).unwrap_or_default(),
        window_before: before.map(|day| window(day.window)),
        window_after: after.map(|day| window(day.window)),
        deadline_before: deadline(before),
        deadline_after: deadline(after),
        // A preview would draw another one.
        daily_ticket_id: before.map(|day| day.id.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn warning(of: &Warning) -> pb::Warning {
    let empty = pb::Warning::default();
    match of {
        Warning::Unbound { worker } => pb::Warning {
            code: "WORKER_UNBOUND".to_owned(),
            worker_id: worker.to_string(),
            ..empty
        },
        Warning::EngagementEnds { worker, until } => pb::Warning {
            code: "ENGAGEMENT_ENDS".to_owned(),
            worker_id: worker.to_string(),
            date: until.to_string(),
            ..empty
        },
        Warning::Overlap { worker, date, ticket } => pb::Warning {
            code: "OVERLAPPING_TICKET".to_owned(),
            worker_id: worker.to_string(),
            date: date.to_string(),
            ticket_id: ticket.map(|id| id.to_string()).unwrap_or_default(),
            ..empty
        },
        Warning::NoTime { date, needed, left } => pb::Warning {
            code: "NO_TIME_TO_TRAIN".to_owned(),
            date: date.to_string(),
            needed_sec: needed.num_seconds().unsigned_abs(),
            left_sec: left.num_seconds().unsigned_abs(),
            ..empty
        },
        Warning::StaysCancelled { date } => {
            pb::Warning { code: "DAY_STAYS_CANCELLED".to_owned(), date: date.to_string(), ..empty }
        }
        Warning::WorkerLeftOut { worker } => {
            pb::Warning { code: LEFT_OUT.to_owned(), worker_id: worker.to_string(), ..empty }
        }
        Warning::AreaLeftOut { area } => {
            pb::Warning { code: LEFT_OUT.to_owned(), area_id: area.to_string(), ..empty }
        }
        Warning::VideoLeftOut { video } => {
            pb::Warning { code: LEFT_OUT.to_owned(), video_id: video.to_string(), ..empty }
        }
    }
}

const LEFT_OUT: &str = "LEFT_OUT";
