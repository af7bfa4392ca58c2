//! Two who change the same ticket at once: one effect.

use proto::ticket::v1::{AmendTicketRequest, CopyTicketRequest};
use service::{Refusal, Scope, StoreError, Tx};
use test_support::eventually;
use ticket::store::tickets;
use types::{AccountId, ErrorCode, TicketId, WorkerId};

use crate::world::World;

#[tokio::test]
async fn who_read_an_old_version_writes_nothing() {
    let world = World::new().await;
    let id: TicketId = world.created(world.draft()).await.parse().unwrap();
    let scope = Scope::Site(world.site);
    let mut first = world.store.begin(scope.clone()).await.unwrap();
    let mut second = world.store.begin(scope).await.unwrap();
    let mut published = tickets::get(&mut first, id).await.unwrap().unwrap();
    let mut cancelled = tickets::get(&mut second, id).await.unwrap().unwrap();
    let (by, now) = (AccountId::new(), world.harness.now());
    assert!(published.value.publish(by, now).is_ok());
    assert!(cancelled.value.cancel(by, now, "rain").is_ok());

    tickets::save(&mut first, &mut published).await.unwrap();
    first.commit().await.unwrap();
    let late = tickets::save(&mut second, &mut cancelled).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    drop(second);
    let ticket = world.ticket(&id.to_string()).await;
    assert_eq!((ticket.status.as_str(), ticket.version), ("ACTIVE", 2));
}

#[tokio::test]
async fn many_publications_at_once_have_one_effect() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let calls = (0..50).map(|_| world.publish(&world.admin, &id));
    none_refused(&futures::future::join_all(calls).await);
    assert_eq!(told(&world, "TicketPublished").await, 1);
    assert_eq!(world.ticket(&id).await.version, 2);
}

#[tokio::test]
async fn publishing_against_cancelling_ends_in_a_state_both_facts_explain() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let (published, cancelled) =
        tokio::join!(world.publish(&world.admin, &id), world.cancel(&world.admin, &id, "rain"));
    let effects = usize::from(published.is_ok()) + usize::from(cancelled.is_ok());
    assert_eq!(world.ticket(&id).await.version, 1 + effects as u64);
    let told = world.facts().await.iter().filter(|name| name.starts_with("Ticket")).count();
    assert_eq!(told, effects);
}

/// Calls, and commits what was written meanwhile once the call waits for it.
async fn overtaken<T>(world: &World, written: Tx, call: impl Future<Output = T>) -> T {
    let admin = world.harness.database.admin();
    let commit = async {
        eventually("the call to wait", || async {
            let waiting: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                                WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(&admin)
            .await
            .unwrap();
            waiting.then_some(())
        })
        .await;
        written.commit().await.unwrap();
    };
    tokio::join!(call, commit).0
}

#[tokio::test]
async fn a_day_that_ends_while_an_amendment_is_made_is_not_left_out_of_its_dates() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    let mut ticket = tickets::get(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    let (day, ends) = (ticket.value.days[0].id, ticket.value.days[0].expires_at);
    assert!(ticket.value.expire_day(day, ends).is_ok());
    tickets::save(&mut tx, &mut ticket).await.unwrap();

    let shorter = AmendTicketRequest {
        start_date: Some("2026-03-03".to_owned()),
        ..world.amendment(&id).await
    };
    let refusal = overtaken(&world, tx, world.amend(&world.sysadmin(), shorter)).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ValidationFailed);
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.revision, ticket.start_date.as_str()), (1, "2026-03-02"));
}

#[tokio::test]
async fn what_was_a_draft_s_to_change_is_judged_again_once_it_is_published() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    let mut ticket = tickets::get(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    assert!(ticket.value.publish(AccountId::new(), world.harness.now()).is_ok());
    tickets::save(&mut tx, &mut ticket).await.unwrap();

    let worker = world.workers[1].to_string();
    let removal = world.remove_worker(&world.admin, &id, &worker);
    let refusal = overtaken(&world, tx, removal).await.unwrap_err();
    assert_eq!(refusal.data["permission"], "ticket.amend_scope");
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.status.as_str(), ticket.worker_ids.len()), ("ACTIVE", 2));
}

#[tokio::test]
async fn whom_nobody_asked_about_is_not_named_again_when_they_were_removed_meanwhile() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    let mut ticket = tickets::get(&mut tx, id.parse().unwrap()).await.unwrap().unwrap();
    ticket.value.workers.pop();
    ticket.value.revision += 1;
    tickets::amend(&mut tx, &mut ticket).await.unwrap();

    let named = [world.workers[1].to_string(), WorkerId::new().to_string()];
    let addition = world.add_workers(&world.admin, &id, &named);
    let refusal = overtaken(&world, tx, addition).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::VersionConflict);
    assert_eq!(world.ticket(&id).await.worker_ids, [world.workers[0].to_string()]);
}

/// Who named no version and came second finds done what they asked for.
fn none_refused<T>(answers: &[Result<T, Refusal>]) {
    let refused: Vec<&Refusal> =
        answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(refused.is_empty(), "{} of {}: {:?}", refused.len(), answers.len(), refused[0]);
}

async fn told(world: &World, name: &str) -> usize {
    world.facts().await.iter().filter(|each| *each == name).count()
}

#[tokio::test]
async fn fifty_amendments_of_one_version_have_one_effect() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let amendment = AmendTicketRequest {
        remark: Some("注意防火".to_owned()),
        ..world.amendment(&id).await
    };
    let calls = (0..50).map(|_| world.amend(&world.admin, amendment.clone()));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code, ErrorCode::VersionConflict);
    }
    assert_eq!(world.ticket(&id).await.revision, 2);
    assert_eq!(told(&world, "TicketAmended").await, 1);
    assert_eq!(world.history(&world.admin, &id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn fifty_cancellations_of_a_day_and_of_its_ticket_have_one_effect_each() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[1].daily_ticket_id.clone();
    let calls = (0..50).map(|_| world.cancel_day(&world.admin, &day, false));
    none_refused(&futures::future::join_all(calls).await);
    assert_eq!(
        (told(&world, "DailyTicketCancelled").await, world.ticket(&id).await.revision),
        (1, 2)
    );
    let calls = (0..50).map(|_| world.cancel(&world.admin, &id, "rain"));
    none_refused(&futures::future::join_all(calls).await);
    assert_eq!((told(&world, "TicketCancelled").await, world.ticket(&id).await.revision), (1, 3));
}

#[tokio::test]
async fn fifty_additions_of_a_worker_name_them_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let worker = [WorkerId::new().to_string()];
    let calls = (0..50).map(|_| world.add_workers(&world.admin, &id, &worker));
    none_refused(&futures::future::join_all(calls).await);
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.worker_ids.len(), ticket.revision), (3, 2));
    assert_eq!(told(&world, "TicketAmended").await, 1);
}

#[tokio::test]
async fn fifty_removals_of_a_worker_take_them_off_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let (sysadmin, worker) = (world.sysadmin(), world.workers[1].to_string());
    let calls = (0..50).map(|_| world.remove_worker(&sysadmin, &id, &worker));
    none_refused(&futures::future::join_all(calls).await);
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.worker_ids.len(), ticket.revision), (1, 2));
    assert_eq!(told(&world, "TicketAmended").await, 1);
}

#[tokio::test]
async fn fifty_copies_under_one_key_are_one_draft() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let copy = CopyTicketRequest {
        ticket_id: id,
        start_date: "2026-03-09".to_owned(),
        ..CopyTicketRequest::default()
    };
    let calls = (0..50).map(|_| world.copy(&world.admin, Some("k-1"), copy.clone()));
    let answers = futures::future::join_all(calls).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)));
    assert_eq!(world.count("work_tickets").await, 2);
}

#[tokio::test]
async fn an_amendment_against_the_clock_is_made_all_the_same() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let amendment = AmendTicketRequest {
        remark: Some("注意防火".to_owned()),
        ..world.amendment(&id).await
    };
    world.harness.shell.clock.advance(chrono::TimeDelta::days(1));
    let (amended, _) = tokio::join!(world.amend(&world.admin, amendment), world.run_lifecycle());
    assert_eq!(amended.unwrap().revision, 2);
    world.run_lifecycle().await;
    let ticket = world.ticket(&id).await;
    assert_eq!(crate::world::days(&ticket), ["EXPIRED", "IN_PROGRESS", "PUBLISHED"]);
}
