//! What holds for any facts, also such as nobody should ever hand over.

use chrono::TimeDelta;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use types::{InstantWindow, ReasonCode, SiteId};

use super::{
    AREA, ELSEWHERE, SITE, bound, enter, good_ticket, local, ticket_id, unidentified, uuid,
};
use crate::{
    Controller, DailyTicket, Detail, Direction, Door, DoorKnowledge, DoorVerdict, Facts, Identity,
    Person, Senses, Source, Training, decide, explain, outlook,
};

fn instant() -> impl Strategy<Value = chrono::DateTime<chrono::Utc>> {
    (-6_i64..36, prop_oneof![Just(0_i64), 0_i64..60]).prop_map(|(hour, minute)| local(hour, minute))
}

fn window() -> impl Strategy<Value = InstantWindow> {
    (instant(), -2_i64..20)
        .prop_map(|(start, hours)| InstantWindow { start, end: start + TimeDelta::hours(hours) })
}

fn training() -> impl Strategy<Value = Training> {
    (prop::option::of(instant()), any::<bool>(), any::<bool>())
        .prop_map(|(completed_at, released, given)| Training { completed_at, released, given })
}

/// Each condition holds often enough that whole tickets do.
fn ticket() -> impl Strategy<Value = DailyTicket> {
    let identity = (0_u8..4, prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let areas = prop::sample::subsequence(vec![AREA, ELSEWHERE], 0..=2);
    let spans = (
        prop_oneof![Just(good_ticket(0).live), window()],
        prop_oneof![Just(good_ticket(0).window), window()],
    );
    let taught = (instant(), prop_oneof![Just(good_ticket(0).training), training()], any::<bool>());
    (identity, areas, spans, taught).prop_map(
        |((id, foreign, cancelled), areas, (live, window), taught)| DailyTicket {
            id: ticket_id(id),
            site: if foreign { SiteId::from_uuid(uuid(99)) } else { SITE },
            areas,
            cancelled,
            live,
            window,
            deadline_at: taught.0,
            training: taught.1,
            grant_proved: taught.2,
        },
    )
}

fn door() -> impl Strategy<Value = Door> {
    let controller = prop_oneof![4 => Just(Controller::Working), 1 => Just(Controller::Failed), 1 => Just(Controller::Unknown)];
    let senses = prop_oneof![Just(Senses::Both), Just(Senses::InOnly), Just(Senses::None)];
    (controller, senses).prop_map(|(controller, senses)| Door { controller, senses })
}

fn facts() -> impl Strategy<Value = Facts> {
    let person =
        prop_oneof![4 => Just(bound()), 1 => Just(unidentified()), 1 => Just(Person::UnknownFace)];
    let emergency = prop::option::weighted(0.1, instant());
    (person, door(), emergency, prop::collection::vec(ticket(), 0..4)).prop_map(
        |(person, door, emergency_open_until, tickets)| Facts {
            site: SITE,
            area: AREA,
            person,
            door,
            emergency_open_until,
            tickets,
        },
    )
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::In), Just(Direction::Out)]
}

fn knowledge() -> impl Strategy<Value = DoorKnowledge> {
    prop_oneof![Just(DoorKnowledge::Required), Just(DoorKnowledge::Ignored)]
}

/// The rules of product.md once more, written as one flat condition a ticket.
fn opens(
    facts: &Facts,
    ticket: &DailyTicket,
    at: chrono::DateTime<chrono::Utc>,
    knowledge: DoorKnowledge,
) -> bool {
    let identified = matches!(
        facts.person,
        Person::Worker { identity: Identity::Bound | Identity::ConfirmedToday, .. }
    );
    let trained = ticket.training.completed_at.is_some_and(|completed_at| {
        completed_at <= at
            && (completed_at <= ticket.deadline_at
                || ticket.training.released
                || ticket.training.given)
    });
    facts.door.controller == Controller::Working
        && identified
        && facts.tickets.iter().all(|other| other.id != ticket.id || other == ticket)
        && ticket.site == facts.site
        && !ticket.cancelled
        && ticket.live.start <= at
        && at < ticket.live.end
        && ticket.areas.contains(&facts.area)
        && trained
        && ticket.window.start <= at
        && at < ticket.window.end
        && (ticket.grant_proved || knowledge == DoorKnowledge::Ignored)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2_000, ..Default::default() })]

    #[test]
    fn it_is_allowed_exactly_if_every_condition_holds_on_one_ticket(
        facts in facts(), at in instant(), direction in direction(), knowledge in knowledge()
    ) {
        let decision = decide(&facts, at, direction, knowledge);
        let leaving = direction == Direction::Out && facts.door.senses != Senses::None;
        let emergency = facts.emergency_open_until.is_some_and(|until| at < until);
        let mut because: Vec<_> = facts
            .tickets
            .iter()
            .filter(|ticket| opens(&facts, ticket, at, knowledge))
            .map(|ticket| ticket.id)
            .collect();
        because.sort_unstable();
        because.dedup();
        prop_assert_eq!(decision.allow, leaving || emergency || !because.is_empty());
        if decision.detail == Detail::Well {
            prop_assert_eq!(decision.because, because);
        }
    }

    #[test]
    fn a_decision_is_either_an_allowance_or_a_refusal_with_its_reason(
        facts in facts(), at in instant(), direction in direction(), knowledge in knowledge()
    ) {
        for decision in [decide(&facts, at, direction, knowledge), outlook(&facts, at, at)] {
            prop_assert_eq!(decision.allow, decision.reason.is_none());
            prop_assert_eq!(decision.allow, decision.failing.is_empty());
            prop_assert_eq!(decision.reason, decision.detail.reason());
            prop_assert!(decision.until.is_none_or(|until| decision.allow && until > at));
        }
    }

    #[test]
    fn the_code_is_the_least_of_what_fails_and_each_is_listed_once_in_order(
        facts in facts(), at in instant(), knowledge in knowledge()
    ) {
        let decision = decide(&facts, at, Direction::In, knowledge);
        let reasons = super::reasons(&decision);
        prop_assert_eq!(decision.reason, reasons.iter().min().copied());
        prop_assert!(reasons.is_sorted_by(|one, next| one < next));
        prop_assert!(!reasons.contains(&ReasonCode::SyncPending) || reasons.len() == 1);
    }

    #[test]
    fn the_ticket_that_fails_latest_answers(facts in facts(), at in instant()) {
        let alone = |ticket: &DailyTicket| {
            let count = facts.tickets.iter().all(|other| other.id != ticket.id || other == ticket);
            let only = Facts { tickets: if count { vec![ticket.clone()] } else { Vec::new() }, ..facts.clone() };
            decide(&only, at, Direction::In, DoorKnowledge::Required).reason
        };
        let decision = enter(&facts, at);
        // An allowance is better than the last reason.
        let rank = |reason: Option<ReasonCode>| reason.map_or((1, None), |reason| (0, Some(reason)));
        let best = facts.tickets.iter().map(|ticket| rank(alone(ticket))).max();
        if let Some(best) = best {
            prop_assert_eq!(rank(decision.reason), best);
        }
    }

    #[test]
    fn the_order_in_which_tickets_are_told_changes_nothing(facts in facts(), at in instant(), knowledge in knowledge()) {
        let mut turned = facts.clone();
        turned.tickets.reverse();
        prop_assert_eq!(
            decide(&facts, at, Direction::In, knowledge),
            decide(&turned, at, Direction::In, knowledge)
        );
    }

    #[test]
    fn one_more_good_ticket_never_turns_an_allowance_into_a_refusal(
        facts in facts(), at in instant(), direction in direction(), knowledge in knowledge()
    ) {
        let before = decide(&facts, at, direction, knowledge);
        let mut more = facts.clone();
        more.tickets.push(good_ticket(50));
        let after = decide(&more, at, direction, knowledge);
        prop_assert!(!before.allow || after.allow);
        prop_assert!(before.until <= after.until);
    }

    #[test]
    fn one_more_ticket_of_any_kind_never_turns_an_allowance_into_a_refusal(
        facts in facts(), at in instant(), ticket in ticket()
    ) {
        let mut more = facts.clone();
        more.tickets.push(DailyTicket { id: ticket_id(50), ..ticket });
        prop_assert!(!enter(&facts, at).allow || enter(&more, at).allow);
    }

    #[test]
    fn leaving_is_always_allowed_where_directions_are_told_apart(
        facts in facts(), at in instant(), knowledge in knowledge()
    ) {
        let leaving = decide(&facts, at, Direction::Out, knowledge);
        if facts.door.senses == Senses::None {
            prop_assert_eq!(leaving, decide(&facts, at, Direction::In, knowledge));
        } else {
            prop_assert!(leaving.allow);
        }
    }

    #[test]
    fn what_a_door_may_decide_by_itself_we_would_allow_too(facts in facts(), at in instant()) {
        let asked = decide(&facts, at, Direction::In, DoorKnowledge::Ignored);
        prop_assert!(!enter(&facts, at).allow || asked.allow);
    }

    #[test]
    fn every_refusal_of_a_door_gets_a_code(facts in facts(), at in instant(), direction in direction()) {
        let explanation = explain(&facts, at, DoorVerdict { direction, reported: None });
        prop_assert_eq!(explanation.source, Source::Computed);
        prop_assert!(!explanation.computed.allow && !explanation.computed.failing.is_empty());
        prop_assert_eq!(explanation.computed.reason, Some(explanation.reason));
    }

    #[test]
    fn a_working_door_s_refusal_is_explained_by_what_we_would_have_refused_for(facts in facts(), at in instant()) {
        let mut facts = facts;
        facts.door.controller = Controller::Working;
        let explanation = explain(&facts, at, DoorVerdict { direction: Direction::In, reported: None });
        let decision = enter(&facts, at);
        match decision.detail {
            Detail::EmergencyOpen => prop_assert!(
                matches!(explanation.reason, ReasonCode::SyncPending | ReasonCode::DeviceError)
            ),
            Detail::Well => prop_assert_eq!(explanation.computed.detail, Detail::DoorRefusedProvedGrant),
            _ => prop_assert_eq!(explanation.computed, decision),
        }
    }
}
