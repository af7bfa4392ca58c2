use directory::Announcer;
use events::testing::announced;
use proto::directory::v1 as pb;

use crate::world::{World, told};

#[tokio::test]
async fn everything_there_is_can_be_told_again_as_it_now_is() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=3).await;
    let contractor = world.contractor("示例二建", &[site]).await;
    let account = world.account("gang", site, contractor).await;
    let area = pb::CreateAreaRequest {
        site_id: site.to_string(),
        name: "北区".to_owned(),
        access_group_id: "acg_north".to_owned(),
        ..Default::default()
    };
    let area = told(world.client.clone().create_area(world.by(&world.sysadmin, area)).await);
    world.bind("a", 1).await.unwrap();
    world.bind("b", 2).await.unwrap();
    world.bind("b", 3).await.unwrap();

    let store = world.harness.store("directory").await;
    let all = announced(&store, &Announcer).await;
    let of = |kind: &str| {
        let of_kind = all.iter().filter(|(told, _)| *told == kind);
        of_kind.map(|(_, delivery)| delivery.clone()).collect::<Vec<_>>()
    };
    let ids = |kind: &str| of(kind).into_iter().map(|it| it.subject_id).collect::<Vec<_>>();
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(ids("Site"), [site.to_string()]);
    assert_eq!(ids("Contractor").len(), 2);
    assert_eq!(ids("Area"), [area.unwrap().area.unwrap().area_id]);
    assert_eq!(ids("Account"), std::slice::from_ref(&account.account_id));
    assert_eq!(ids("Worker"), sorted(workers.clone()));
    // The second worker's binding ended when its user became the third.
    assert_eq!(ids("WorkerBinding"), sorted(vec![workers[0].clone(), workers[2].clone()]));

    let facts = world.facts::<pb::WorkerUnbound>().await;
    let unbound = facts[0].worker.clone().unwrap();
    let told: Vec<pb::Worker> = of("Worker")
        .iter()
        .map(|it| it.decode::<pb::WorkerChanged>().unwrap().worker.unwrap())
        .collect();
    assert!(told.contains(&unbound), "at its version, with its engagements");
    let bound = world.facts::<pb::WorkerBound>().await;
    let told: Vec<pb::WorkerBound> =
        of("WorkerBinding").iter().map(|it| it.decode().unwrap()).collect();
    assert!(told.contains(&bound[0]) && told.contains(&bound[2]), "{told:?}");
    assert_eq!(
        of("Account")[0].decode::<pb::AccountChanged>().unwrap().account,
        Some(pb::Account { username: String::new(), ..account }),
        "an account as its owner answered it, but for its name"
    );
    world.stop().await;
}
