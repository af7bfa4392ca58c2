use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use types::{
    AreaId, ContractorId, DailyTicketId, NotificationId, SiteId, SiteZone, TicketId, WorkerId,
};

use super::{
    Answer, Consent, Content, Kind, NotAllowed, Notice, Refusal, Skip, State, Status, Task, Word,
};

fn morning() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub(in crate::domain) fn queued() -> Notice {
    Notice {
        id: NotificationId::new(),
        site: SiteId::new(),
        contractor: ContractorId::new(),
        worker: WorkerId::new(),
        ticket: TicketId::new(),
        ticket_version: 2,
        day: DailyTicketId::new(),
        kind: Kind::TicketPublished,
        zone: SiteZone::default(),
        content: Content {
            title: "三层模板安装".to_owned(),
            date: NaiveDate::from_ymd_opt(2026, 3, 2).unwrap(),
            deadline_at: "2026-03-01T23:30:00Z".parse().unwrap(),
            areas: vec![AreaId::new()],
            video_count: 2,
        },
        state: State::Queued { due_at: morning() },
        attempts: 0,
        by_hand: None,
        created_at: morning(),
        traceparent: None,
    }
}

fn sending() -> Notice {
    let mut notice = queued();
    notice.claim(morning() + TimeDelta::minutes(1)).unwrap();
    notice
}

fn settled(answer: Answer) -> (Notice, Consent) {
    let mut notice = sending();
    let consent = notice.settle(answer, morning()).unwrap();
    (notice, consent)
}

#[test]
fn a_taken_message_is_sent_and_its_consent_spent() {
    let (notice, consent) = settled(Answer::Taken { msgid: 7 });
    assert_eq!(notice.state, State::Sent { at: morning(), msgid: 7 });
    assert_eq!((consent, notice.attempts), (Consent::Spent, 1));
}

#[test]
fn a_lost_answer_is_unknown_and_its_consent_stays_spent() {
    let (notice, consent) = settled(Answer::Lost);
    assert_eq!((notice.state, consent), (State::Unknown { at: morning() }, Consent::Spent));
}

#[test]
fn without_balance_at_the_provider_it_is_skipped_and_no_consent_is_left() {
    let (notice, consent) = settled(Answer::NoBalance);
    let skipped = State::Skipped { at: morning(), why: Skip::NoBalance };
    assert_eq!((notice.state, consent), (skipped, Consent::Gone));
}

#[test]
fn a_refused_message_has_failed_and_gives_its_consent_back() {
    let (notice, consent) = settled(Answer::Refused { errcode: 47003 });
    let failed = State::Failed { at: morning(), why: Refusal::Refused { errcode: 47003 } };
    assert_eq!((notice.state, consent), (failed, Consent::GivenBack));
}

#[test]
fn what_never_reached_the_provider_counts_no_attempt() {
    let (notice, consent) = settled(Answer::NotBound);
    assert_eq!(
        (notice.status(), consent, notice.attempts),
        (Status::Skipped, Consent::GivenBack, 0)
    );
    let (notice, consent) = settled(Answer::Postponed);
    let again = State::Queued { due_at: morning() + TimeDelta::minutes(1) };
    assert_eq!((notice.state, consent, notice.attempts), (again, Consent::GivenBack, 0));
}

#[test]
fn it_is_tried_five_times_with_growing_waits() {
    let mut notice = queued();
    let mut waits = Vec::new();
    let mut now = morning();
    while let State::Queued { due_at } = notice.state {
        waits.push((due_at - now).num_minutes());
        now = due_at;
        notice.claim(now).unwrap();
        assert_eq!(notice.settle(Answer::Later, now), Ok(Consent::GivenBack));
    }
    assert_eq!(waits, [0, 1, 5, 30, 120]);
    assert_eq!(notice.state, State::Failed { at: now, why: Refusal::ProviderError });
    assert_eq!(notice.attempts, 5);
}

#[test]
fn only_what_waits_is_claimed_or_skipped_and_only_what_is_being_sent_is_settled() {
    let (mut sent, _) = settled(Answer::Taken { msgid: 7 });
    let refused = |to| NotAllowed::State { from: Status::Sent, to };
    assert_eq!(sent.claim(morning()), Err(refused(Status::Queued)));
    assert_eq!(sent.skip(Skip::NotBound, morning()), Err(refused(Status::Skipped)));
    assert_eq!(sent.settle(Answer::Later, morning()), Err(refused(Status::Sent)));
    assert_eq!(sent.give_up(morning()), Err(refused(Status::Unknown)));
    assert!(sending().claim(morning()).is_err());
}

#[test]
fn an_abandoned_attempt_is_unknown() {
    let mut notice = sending();
    notice.give_up(morning()).unwrap();
    assert_eq!(notice.status(), Status::Unknown);
}

#[test]
fn what_ended_badly_is_queued_again_by_hand_and_what_did_not_is_not() {
    for answer in [Answer::Lost, Answer::NoBalance, Answer::Refused { errcode: 1 }] {
        let (mut notice, _) = settled(answer);
        notice.retry(None, morning()).unwrap();
        assert_eq!((notice.state, notice.attempts), (State::Queued { due_at: morning() }, 0));
    }
    let (mut sent, _) = settled(Answer::Taken { msgid: 7 });
    for notice in [&mut sent, &mut queued(), &mut sending()] {
        assert!(matches!(notice.retry(None, morning()), Err(NotAllowed::State { .. })));
    }
}

#[test]
fn by_hand_it_is_retried_three_times_on_a_day_of_the_site() {
    let mut notice = queued();
    let late = "2026-03-02T15:59:59Z".parse().unwrap();
    notice.skip(Skip::NotBound, morning()).unwrap();
    for _ in 0..3 {
        notice.retry(None, late).unwrap();
        notice.skip(Skip::NotBound, late).unwrap();
    }
    assert_eq!(notice.retry(None, late), Err(NotAllowed::TooOften));
    // Midnight in Asia/Shanghai.
    notice.retry(None, late + TimeDelta::seconds(1)).unwrap();
    assert_eq!(notice.by_hand.map(|by_hand| by_hand.count), Some(1));
}

fn later() -> DateTime<Utc> {
    morning() + TimeDelta::hours(1)
}

/// What the ticket says in the version that queued the notice, of tomorrow.
fn tomorrow(notice: &Notice) -> Word {
    let date = NaiveDate::from_ymd_opt(2026, 3, 3).unwrap();
    let content = Content { date, ..notice.content.clone() };
    Word { version: 2, task: Ok(Task { day: DailyTicketId::new(), content }) }
}

fn withdrawn(why: Skip) -> Word {
    Word { version: 2, task: Err(why) }
}

#[test]
fn what_waits_says_what_its_ticket_says() {
    let mut notice = queued();
    let word = tomorrow(&notice);
    assert!(notice.follow(&word, later()));
    let task = word.task.clone().unwrap();
    assert_eq!((notice.day, &notice.content), (task.day, &task.content));
    assert_eq!(notice.state, State::Queued { due_at: morning() });
    assert!(!notice.follow(&word, later()));
}

#[test]
fn what_waits_is_withdrawn_where_nothing_is_left_to_tell_and_waits_again_once_something_is() {
    for why in Skip::withdrawals() {
        let mut notice = Notice { attempts: 3, ..queued() };
        assert!(notice.follow(&withdrawn(why), later()));
        assert_eq!(notice.state, State::Skipped { at: later(), why });
        assert!(!notice.follow(&withdrawn(Skip::DayClosed), later()));
        let word = tomorrow(&notice);
        assert!(notice.follow(&word, later()));
        assert_eq!((notice.state, notice.attempts), (State::Queued { due_at: later() }, 0));
        assert_eq!(Ok(notice.day), word.task.map(|task| task.day));
    }
}

#[test]
fn an_older_word_of_the_ticket_changes_nothing() {
    let mut notice = queued();
    let word = Word { version: 1, ..withdrawn(Skip::NotInTicket) };
    assert!(!notice.follow(&word, later()));
    notice.skip(Skip::NoBalance, morning()).unwrap();
    notice.retry(Some(&word), later()).unwrap();
    assert_eq!(notice.status(), Status::Queued);
}

#[test]
fn what_is_being_sent_or_ended_otherwise_does_not_follow() {
    let answers = [Answer::Taken { msgid: 7 }, Answer::Lost, Answer::NoBalance, Answer::NotBound];
    let ended = answers.into_iter().chain([Answer::Refused { errcode: 1 }]);
    for mut notice in ended.map(|answer| settled(answer).0).chain([sending()]) {
        let before = notice.clone();
        for word in [tomorrow(&notice), withdrawn(Skip::DayClosed)] {
            assert!(!notice.follow(&word, later()));
        }
        assert_eq!(notice, before);
    }
}

#[test]
fn by_hand_it_is_queued_with_what_its_ticket_says_or_not_at_all() {
    let (mut notice, _) = settled(Answer::Lost);
    let before = notice.clone();
    let refused = notice.retry(Some(&withdrawn(Skip::NotInTicket)), later());
    let (from, why) = (Status::Unknown, Skip::NotInTicket);
    assert_eq!(refused, Err(NotAllowed::Withdrawn { from, why }));
    assert_eq!(notice, before);
    let word = tomorrow(&notice);
    notice.retry(Some(&word), later()).unwrap();
    assert_eq!(Ok(notice.day), word.task.map(|task| task.day));
}

#[test]
fn what_was_withdrawn_is_not_queued_by_hand_before_its_ticket_is_known_to_have_something() {
    for why in Skip::withdrawals() {
        let mut notice = queued();
        assert!(notice.follow(&withdrawn(why), later()));
        let before = notice.clone();
        let older = Word { version: 1, ..tomorrow(&notice) };
        for word in [None, Some(&older)] {
            let refused = Err(NotAllowed::Withdrawn { from: Status::Skipped, why });
            assert_eq!(notice.retry(word, later()), refused);
        }
        assert_eq!(notice, before);
        let word = tomorrow(&notice);
        notice.retry(Some(&word), later()).unwrap();
        assert_eq!(notice.state, State::Queued { due_at: later() });
    }
}

#[test]
fn words_for_kinds_statuses_and_reasons_are_read_back() {
    for why in Skip::ALL {
        assert_eq!(why.as_str().parse(), Ok(why));
    }
    for status in Status::ALL {
        assert_eq!(status.to_string().parse(), Ok(status));
    }
    assert_eq!("TICKET_PUBLISHED".parse(), Ok(Kind::TicketPublished));
    assert!("SENDING".parse::<Status>().is_err() && "X".parse::<Kind>().is_err());
}
