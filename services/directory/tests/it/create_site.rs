#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use auth::Caller;
use proto::directory::v1 as pb;
use service::Refusal;
use service::idempotency::METADATA;
use types::{AccountId, Role, SiteId};

use crate::world::{PASSWORD, World, bad_fields, code, told};

async fn create(world: &World, message: pb::CreateSiteRequest) -> Result<pb::Site, Refusal> {
    let answer = told(world.client.clone().create_site(world.by(&world.sysadmin, message)).await);
    answer.map(|answer| answer.site.unwrap())
}

async fn create_area(world: &World, message: pb::CreateAreaRequest) -> Result<pb::Area, Refusal> {
    let answer = told(world.client.clone().create_area(world.by(&world.sysadmin, message)).await);
    answer.map(|answer| answer.area.unwrap())
}

fn area(site: SiteId, name: &str, group: &str) -> pb::CreateAreaRequest {
    pb::CreateAreaRequest {
        site_id: site.to_string(),
        name: name.to_owned(),
        access_group_id: group.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_new_site_has_the_usual_settings_and_is_told_of() {
    let world = World::new().await;
    let site =
        create(&world, pb::CreateSiteRequest { name: "一号工地".to_owned(), ..Default::default() });
    let site = site.await.unwrap();
    assert_eq!((site.time_zone.as_str(), site.version), ("Asia/Shanghai", 1));
    let settings = site.settings.clone().unwrap();
    assert_eq!(
        (settings.access_start_time.as_str(), settings.access_end_time.as_str()),
        ("06:00", "20:00")
    );
    assert_eq!((settings.training_deadline_time.as_str(), settings.max_span_days), ("07:30", 31));
    assert_eq!((settings.check_min_seconds, settings.check_max_seconds), (180, 420));
    assert_eq!((settings.video_rule.as_str(), settings.check_answer_seconds), ("ALL", 60));
    assert_eq!(world.facts::<pb::SiteChanged>().await, [pb::SiteChanged { site: Some(site) }]);
    assert_eq!(world.records("site.create").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_holds_tells_the_sites_there_are_now() {
    let world = World::new().await;
    let one = world.site("一号工地").await;
    world.create_account("root", "SysAdmin", vec![]).await;
    world.create_account("inspector", "Auditor", vec![one.to_string()]).await;
    let root = world.sign_in("root", PASSWORD).await.unwrap();
    let inspector = world.sign_in("inspector", PASSWORD).await.unwrap();
    let other = world.site("二号工地").await;
    let holds = world.check_sign_in(&root.family_id).await.unwrap();
    assert_eq!((holds.role.as_str(), holds.account_version), ("SysAdmin", 1));
    assert_eq!(holds.site_ids, [one.to_string(), other.to_string()]);
    let holds = world.check_sign_in(&inspector.family_id).await.unwrap();
    assert_eq!((holds.role.as_str(), holds.site_ids), ("Auditor", vec![one.to_string()]));
    world.stop().await;
}

#[tokio::test]
async fn every_bad_field_of_a_site_is_named_at_once() {
    let world = World::new().await;
    let settings = pb::SiteSettings {
        access_start_time: "24:00".to_owned(),
        access_end_time: "24:00".to_owned(),
        training_deadline_time: "7:30".to_owned(),
        max_span_days: 400,
        video_rule: "SOME".to_owned(),
        check_min_seconds: 500,
        ..Default::default()
    };
    let message = pb::CreateSiteRequest {
        name: " ".to_owned(),
        time_zone: "Asia/Atlantis".to_owned(),
        settings: Some(settings),
    };
    let named = bad_fields(create(&world, message).await);
    let expected = [
        "name",
        "time_zone",
        "settings.access_start_time",
        "settings.training_deadline_time",
        "settings.max_span_days",
        "settings.video_rule",
        "settings.check_max_seconds",
    ];
    assert_eq!(named, expected);
    world.stop().await;
}

#[tokio::test]
async fn a_name_or_door_group_that_is_taken_is_a_bad_field() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    let again = pb::CreateSiteRequest { name: "一号工地".to_owned(), ..Default::default() };
    assert_eq!(bad_fields(create(&world, again).await), ["name"]);
    let again = pb::CreateContractorRequest { name: "示例一建".to_owned(), site_ids: vec![] };
    let again = world.client.clone().create_contractor(world.by(&world.sysadmin, again)).await;
    assert_eq!(bad_fields(told(again)), ["name"]);
    create_area(&world, area(site, "基坑", "group-1")).await.unwrap();
    assert_eq!(bad_fields(create_area(&world, area(site, "基坑", "group-2")).await), ["name"]);
    let other = world.site("二号工地").await;
    assert_eq!(
        bad_fields(create_area(&world, area(other, "基坑", "group-1")).await),
        ["access_group_id"]
    );
    world.stop().await;
}

#[tokio::test]
async fn the_same_key_gives_the_same_site_and_another_body_is_refused() {
    let world = World::new().await;
    let call = async |name: &str| {
        let message = pb::CreateSiteRequest { name: name.to_owned(), ..Default::default() };
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, "key-1".parse().unwrap());
        told(world.client.clone().create_site(request).await)
    };
    let first = call("一号工地").await.unwrap();
    assert_eq!(call("一号工地").await.unwrap(), first);
    assert_eq!(code(&call("二号工地").await), 40903);
    assert_eq!(world.facts::<pb::SiteChanged>().await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn fifty_repeats_of_each_creating_call_under_one_key_make_one() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let keyed = |key: &str| key.parse().unwrap();
    let sites = (0..50).map(async |_| {
        let message =
            pb::CreateSiteRequest { name: "二号工地".to_owned(), ..Default::default() };
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, keyed("site"));
        told(world.client.clone().create_site(request).await).unwrap().site.unwrap().site_id
    });
    let contractors = (0..50).map(async |_| {
        let site_ids = vec![site.to_string()];
        let message = pb::CreateContractorRequest { name: "示例一建".to_owned(), site_ids };
        let mut request = world.by(&world.sysadmin, message);
        request.metadata_mut().insert(METADATA, keyed("contractor"));
        let made = told(world.client.clone().create_contractor(request).await);
        made.unwrap().contractor.unwrap().contractor_id
    });
    let areas = (0..50).map(async |_| {
        let mut request = world.by(&world.sysadmin, area(site, "基坑", "group-1"));
        request.metadata_mut().insert(METADATA, keyed("area"));
        told(world.client.clone().create_area(request).await).unwrap().area.unwrap().area_id
    });
    for mut made in [
        futures::future::join_all(sites).await,
        futures::future::join_all(contractors).await,
        futures::future::join_all(areas).await,
    ] {
        assert_eq!(made.len(), 50);
        made.dedup();
        assert_eq!(made.len(), 1);
    }
    assert_eq!(world.facts::<pb::SiteChanged>().await.len(), 2);
    assert_eq!(world.facts::<pb::ContractorChanged>().await.len(), 1);
    assert_eq!(world.facts::<pb::AreaChanged>().await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn what_lies_outside_ones_sites_is_not_found() {
    let world = World::new().await;
    let (mine, other) = (world.site("一号工地").await, world.site("二号工地").await);
    let contractor = world.contractor("示例一建", &[mine]).await;
    world.contractor("示例二建", &[mine, other]).await;
    create_area(&world, area(mine, "基坑", "group-1")).await.unwrap();
    create_area(&world, area(other, "基坑", "group-2")).await.unwrap();
    let caller = world.harness.contractor_admin(mine, contractor);

    let sites =
        told(world.client.clone().list_sites(world.by(&caller, pb::ListSitesRequest {})).await);
    let names: Vec<String> = sites.unwrap().sites.into_iter().map(|site| site.name).collect();
    assert_eq!(names, ["一号工地"]);
    let message = pb::ListAreasRequest { site_id: String::new() };
    let areas =
        told(world.client.clone().list_areas(world.by(&caller, message)).await).unwrap().areas;
    assert_eq!(
        areas.iter().map(|area| area.access_group_id.as_str()).collect::<Vec<_>>(),
        ["group-1"]
    );
    let message = pb::ListContractorsRequest { site_id: mine.to_string() };
    let contractors = told(world.client.clone().list_contractors(world.by(&caller, message)).await);
    let ids: Vec<String> =
        contractors.unwrap().contractors.into_iter().map(|one| one.contractor_id).collect();
    assert_eq!(ids, [contractor.to_string()], "only their own");
    let auditor = Caller::account(AccountId::new(), Role::Auditor, vec![other], None);
    let message = pb::ListContractorsRequest { site_id: String::new() };
    let contractors =
        told(world.client.clone().list_contractors(world.by(&auditor, message)).await);
    let seen: Vec<_> =
        contractors.unwrap().contractors.into_iter().map(|one| (one.name, one.site_ids)).collect();
    assert_eq!(seen, [("示例二建".to_owned(), vec![other.to_string()])]);

    let message = pb::ListAreasRequest { site_id: other.to_string() };
    assert_eq!(
        code(&told(world.client.clone().list_areas(world.by(&caller, message)).await)),
        40400
    );
    let message = pb::ListContractorsRequest { site_id: other.to_string() };
    assert_eq!(
        code(&told(world.client.clone().list_contractors(world.by(&caller, message)).await)),
        40400
    );
    assert_eq!(code(&create_area(&world, area(SiteId::new(), "基坑", "group-3")).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn whoever_manages_no_sites_makes_none() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[site]).await;
    let caller = world.harness.contractor_admin(site, contractor);
    let message = pb::CreateSiteRequest { name: "二号工地".to_owned(), ..Default::default() };
    assert_eq!(
        code(&told(world.client.clone().create_site(world.by(&caller, message.clone())).await)),
        40301
    );
    assert_eq!(code(&told(world.client.clone().create_site(world.public(message)).await)), 40101);
    world.stop().await;
}

#[tokio::test]
async fn areas_of_one_name_on_several_sites_are_always_listed_in_one_order() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        let site = world.site(&format!("{number}号工地")).await;
        let group = format!("group-{number}");
        ids.push(create_area(&world, area(site, "基坑", &group)).await.unwrap().area_id);
    }
    // A row that changed is found after the others.
    sqlx::query("UPDATE directory.areas SET description = '深' WHERE area_id = $1::text::uuid")
        .bind(&ids[0])
        .execute(&world.admin)
        .await
        .unwrap();
    ids.sort_unstable();
    let request = world.by(&world.sysadmin, pb::ListAreasRequest::default());
    let listed = told(world.client.clone().list_areas(request).await).unwrap().areas;
    assert_eq!(listed.into_iter().map(|area| area.area_id).collect::<Vec<_>>(), ids);
    world.stop().await;
}
