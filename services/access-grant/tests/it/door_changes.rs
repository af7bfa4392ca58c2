use std::collections::BTreeSet;
use std::time::Duration;

use access_grant::app::{DoorChange, DoorChanges, Error};
use access_grant::store::door_log;
use auth::Caller;
use service::Scope;
use types::{AccessGroupId, DeviceId, GrantId};

use crate::world::{World, at, group};

async fn ask(
    world: &World,
    groups: &[&str],
    cursor: Option<&str>,
    limit: u32,
) -> Result<DoorChanges, Error> {
    let groups: BTreeSet<AccessGroupId> = groups.iter().map(|name| group(name)).collect();
    let door = Caller::device(DeviceId::parse("gate-1").unwrap(), world.site);
    world.app.list_door_changes(&door, &groups, cursor, limit, Duration::ZERO).await
}

fn kinds(changes: &DoorChanges) -> Vec<(&'static str, GrantId)> {
    let kind = |change: &DoorChange| match change {
        DoorChange::Upsert(grant) => ("UPSERT", grant.id),
        DoorChange::Remove(grant) => ("REMOVE", grant.id),
    };
    changes.changes.iter().map(kind).collect()
}

#[tokio::test]
async fn a_controller_gets_all_first_and_then_only_what_changed() {
    let world = World::new().await;
    let (area, other) = (world.area("acg_01").await, world.area("acg_02").await);
    let (mut one, _) = world.granted("face-1", &[area]).await;
    let (two, _) = world.granted("face-2", &[area]).await;
    world.granted("face-3", &[other]).await;
    let (one_id, two_id) = (world.grant_of(&one).await.id, world.grant_of(&two).await.id);

    let first = ask(&world, &["acg_01"], None, 1).await.unwrap();
    assert!(first.more);
    let second = ask(&world, &["acg_01"], Some(&first.cursor), 1).await.unwrap();
    assert!(!second.more);
    let mut all = [kinds(&first), kinds(&second)].concat();
    all.sort_unstable();
    let mut expected = [("UPSERT", one_id), ("UPSERT", two_id)];
    expected.sort_unstable();
    assert_eq!(all, expected);

    let quiet = ask(&world, &["acg_01"], Some(&second.cursor), 10).await.unwrap();
    assert!(quiet.changes.is_empty());
    world.hear(&one.amended(|job| job.window = ("06:00", "21:00"))).await;
    world.hear(&one.cancelled()).await;
    let (three, _) = world.granted("face-4", &[area]).await;
    let changed = ask(&world, &["acg_01"], Some(&quiet.cursor), 10).await.unwrap();
    assert_eq!(kinds(&changed), [("REMOVE", one_id), ("UPSERT", world.grant_of(&three).await.id)]);
    let again = ask(&world, &["acg_01"], Some(&quiet.cursor), 10).await.unwrap();
    assert_eq!(again, changed, "an answer that was lost can be asked for again");
}

#[tokio::test]
async fn a_grant_that_moves_to_another_group_leaves_the_old_one() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    let id = world.grant_of(&job).await.id;
    let old = ask(&world, &["acg_01"], None, 10).await.unwrap();
    let new = ask(&world, &["acg_02"], None, 10).await.unwrap();
    world.hear(&world.area_changed(area, "acg_02")).await;
    let left = ask(&world, &["acg_01"], Some(&old.cursor), 10).await.unwrap();
    assert_eq!(kinds(&left), [("REMOVE", id)]);
    let came = ask(&world, &["acg_02"], Some(&new.cursor), 10).await.unwrap();
    assert_eq!(kinds(&came), [("UPSERT", id)]);
}

#[tokio::test]
async fn a_cursor_that_is_unknown_cut_off_or_of_other_groups_is_expired() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let before = ask(&world, &["acg_01"], None, 10).await.unwrap();
    world.granted("face-1", &[area]).await;
    for (groups, cursor) in [
        (&["acg_01"][..], "nonsense".to_owned()),
        (&["acg_01"][..], format!("{}9", before.cursor)),
        (&["acg_01", "acg_02"][..], before.cursor.clone()),
    ] {
        let refused = ask(&world, groups, Some(&cursor), 10).await;
        assert!(matches!(refused, Err(Error::CursorExpired)), "{cursor}: {refused:?}");
    }
    let mut tx = world.store.begin(Scope::System("cut")).await.unwrap();
    assert_eq!(door_log::cut(&mut tx, at(100)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let refused = ask(&world, &["acg_01"], Some(&before.cursor), 10).await;
    assert!(matches!(refused, Err(Error::CursorExpired)));
    assert_eq!(ask(&world, &["acg_01"], None, 10).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_long_poll_is_woken_by_the_change() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    let start = ask(&world, &["acg_01"], None, 10).await.unwrap();
    let door = Caller::device(DeviceId::parse("gate-1").unwrap(), world.site);
    let groups = BTreeSet::from([group("acg_01")]);
    let wait = Duration::from_secs(20);
    let waiting = world.app.list_door_changes(&door, &groups, Some(&start.cursor), 10, wait);
    let (found, ()) = tokio::join!(waiting, world.train(&job, worker, 5));
    assert_eq!(found.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_door_of_another_site_is_told_nothing() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    world.granted("face-1", &[area]).await;
    let door = Caller::device(DeviceId::parse("gate-9").unwrap(), types::SiteId::new());
    let groups = BTreeSet::from([group("acg_01")]);
    let found =
        world.app.list_door_changes(&door, &groups, None, 10, Duration::ZERO).await.unwrap();
    assert!(found.changes.is_empty());
}
