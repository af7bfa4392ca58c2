//! Sites, contractors and areas are changed by who read them as they are.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use futures::future::join_all;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;
use types::{ContractorId, SiteId};

use crate::world::{World, bad_fields, code, told};

async fn change_site(world: &World, message: pb::ChangeSiteRequest) -> Result<pb::Site, Refusal> {
    let answer = told(world.client.clone().change_site(world.by(&world.sysadmin, message)).await);
    answer.map(|answer| answer.site.unwrap())
}

async fn get_site(world: &World, site: SiteId) -> pb::Site {
    let message = pb::GetSiteRequest { site_id: site.to_string() };
    let answer = told(world.client.clone().get_site(world.by(&world.sysadmin, message)).await);
    answer.unwrap().site.unwrap()
}

fn settings(site: SiteId, version: u64, settings: pb::SiteSettings) -> pb::ChangeSiteRequest {
    pb::ChangeSiteRequest {
        site_id: site.to_string(),
        version,
        settings: Some(settings),
        ..Default::default()
    }
}

pub(crate) async fn change_contractor(
    world: &World,
    contractor: ContractorId,
    version: u64,
    name: &str,
    sites: Option<&[SiteId]>,
) -> Result<pb::Contractor, Refusal> {
    let sites = sites
        .map(|sites| pb::SiteIds { site_ids: sites.iter().map(ToString::to_string).collect() });
    let message = pb::ChangeContractorRequest {
        contractor_id: contractor.to_string(),
        version,
        name: name.to_owned(),
        sites,
    };
    let answer = world.client.clone().change_contractor(world.by(&world.sysadmin, message)).await;
    told(answer).map(|answer| answer.contractor.unwrap())
}

async fn change_area(world: &World, message: pb::ChangeAreaRequest) -> Result<pb::Area, Refusal> {
    let answer = told(world.client.clone().change_area(world.by(&world.sysadmin, message)).await);
    answer.map(|answer| answer.area.unwrap())
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn every_setting_of_a_site_is_changed_and_told_of_with_what_it_was() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let all = pb::SiteSettings {
        access_start_time: "19:00".to_owned(),
        access_end_time: "04:00".to_owned(),
        training_deadline_time: "18:15".to_owned(),
        max_span_days: 14,
        video_rule: "ANY".to_owned(),
        check_min_seconds: 60,
        check_max_seconds: 90,
        check_answer_seconds: 30,
        publish_now: Some(false),
        daily_reminder: Some(false),
        daily_reminder_time: "05:00".to_owned(),
        deadline_soon_minutes: 45,
        night_deadline_minutes: 15,
        late_deadline_minutes: 60,
        check_at_least_once: Some(false),
        check_mode: "LIVENESS".to_owned(),
        retention_days: 1000,
        fallback_ladder: vec!["SMS".to_owned(), "FOREMAN".to_owned()],
        bind_id_last_six: Some(true),
        wechat_appid: Some("wx-site".to_owned()),
        wechat_template_ticket_published: Some("t-1".to_owned()),
        wechat_template_daily_reminder: Some("t-2".to_owned()),
        wechat_template_deadline_soon: Some("t-3".to_owned()),
        realname_project: Some("P1".to_owned()),
    };
    let message = pb::ChangeSiteRequest {
        name: "一号工地（北）".to_owned(),
        time_zone: "Asia/Urumqi".to_owned(),
        ..settings(site, 1, all.clone())
    };
    let changed = change_site(&world, message).await.unwrap();
    assert_eq!((changed.version, changed.time_zone.as_str()), (2, "Asia/Urumqi"));
    assert_eq!(changed.settings, Some(all));
    assert_eq!(get_site(&world, site).await, changed, "as it was kept");
    let facts = world.facts::<pb::SiteChanged>().await;
    assert_eq!(facts[1], pb::SiteChanged { site: Some(changed) });

    // One setting back, and the record tells it alone.
    let back = pb::SiteSettings { wechat_appid: Some(String::new()), ..Default::default() };
    let changed = change_site(&world, settings(site, 2, back)).await.unwrap();
    assert_eq!(changed.settings.unwrap().wechat_appid.unwrap(), "");
    let records = world.records("site.change").await;
    let [_, record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(read(&record.before), json!({"wechat_appid": "wx-site"}));
    assert_eq!(read(&record.after), json!({"wechat_appid": ""}));
    assert_eq!(record.site_id, site.to_string());
    world.stop().await;
}

#[tokio::test]
async fn a_change_needs_the_version_last_read_and_one_of_nothing_changes_nothing() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let quiet = pb::SiteSettings { daily_reminder: Some(false), ..Default::default() };
    assert_eq!(
        bad_fields(change_site(&world, settings(site, 0, quiet.clone())).await),
        ["version"]
    );
    assert_eq!(change_site(&world, settings(site, 1, quiet.clone())).await.unwrap().version, 2);
    assert_eq!(code(&change_site(&world, settings(site, 1, quiet.clone())).await), 40901);
    let same = change_site(&world, settings(site, 2, quiet)).await.unwrap();
    assert_eq!(same.version, 2);
    assert_eq!(world.facts::<pb::SiteChanged>().await.len(), 2);
    assert_eq!(world.records("site.change").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn every_bad_setting_is_named_and_nothing_is_changed() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.site("二号工地").await;
    let bad = pb::SiteSettings {
        daily_reminder_time: "5:30".to_owned(),
        deadline_soon_minutes: 1441,
        check_mode: "SOMETIMES".to_owned(),
        retention_days: 730,
        fallback_ladder: vec!["SMS".to_owned(), "PIGEON".to_owned()],
        ..Default::default()
    };
    assert_eq!(
        bad_fields(change_site(&world, settings(site, 1, bad)).await),
        [
            "settings.retention_days",
            "settings.daily_reminder_time",
            "settings.deadline_soon_minutes",
            "settings.check_mode",
            "settings.fallback_ladder[1]"
        ]
    );
    let unfit = pb::SiteSettings {
        check_min_seconds: 421,
        fallback_ladder: vec!["SMS".to_owned(), "SMS".to_owned()],
        ..Default::default()
    };
    assert_eq!(
        bad_fields(change_site(&world, settings(site, 1, unfit)).await),
        ["settings.check_max_seconds", "settings.fallback_ladder"]
    );
    let taken = pb::ChangeSiteRequest {
        name: "二号工地".to_owned(),
        ..settings(site, 1, pb::SiteSettings::default())
    };
    assert_eq!(bad_fields(change_site(&world, taken).await), ["name"]);
    assert_eq!(get_site(&world, site).await.version, 1);
    world.stop().await;
}

#[tokio::test]
async fn fifty_changes_at_once_of_what_was_read_have_one_effect() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let contractor = world.contractor("示例一建", &[site]).await;
    let area = area(&world, site).await;
    let quiet = pb::SiteSettings { daily_reminder: Some(false), ..Default::default() };
    let changes = (0..50).map(|_| change_site(&world, settings(site, 1, quiet.clone())));
    let mut sites: Vec<u32> = join_all(changes).await.iter().map(code).collect();
    let changes = (0..50)
        .map(|number| change_contractor(&world, contractor, 1, ["甲", "乙"][number % 2], None));
    let mut contractors: Vec<u32> = join_all(changes).await.iter().map(code).collect();
    let inactive = pb::ChangeAreaRequest {
        area_id: area.area_id.clone(),
        version: 1,
        status: "INACTIVE".to_owned(),
        ..Default::default()
    };
    let changes = (0..50).map(|_| change_area(&world, inactive.clone()));
    let mut areas: Vec<u32> = join_all(changes).await.iter().map(code).collect();
    for codes in [&mut sites, &mut contractors, &mut areas] {
        codes.sort_unstable();
        assert_eq!(*codes, [vec![0], vec![40901; 49]].concat());
    }
    assert_eq!(world.facts::<pb::SiteChanged>().await.len(), 2);
    assert_eq!(world.facts::<pb::ContractorChanged>().await.len(), 2);
    assert_eq!(world.facts::<pb::AreaChanged>().await.len(), 2);
    for action in ["site.change", "contractor.change", "area.change"] {
        assert_eq!(world.records(action).await.len(), 1, "{action}");
    }
    world.stop().await;
}

async fn area(world: &World, site: SiteId) -> pb::Area {
    let message = pb::CreateAreaRequest {
        site_id: site.to_string(),
        name: "基坑".to_owned(),
        access_group_id: "group-1".to_owned(),
        ..Default::default()
    };
    let answer = told(world.client.clone().create_area(world.by(&world.sysadmin, message)).await);
    answer.unwrap().area.unwrap()
}

#[tokio::test]
async fn an_area_is_renamed_moved_to_another_group_and_taken_out_of_use() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let made = area(&world, site).await;
    let message = pb::ChangeAreaRequest {
        area_id: made.area_id.clone(),
        version: 1,
        name: "深基坑".to_owned(),
        access_group_id: "group-2".to_owned(),
        status: "INACTIVE".to_owned(),
        access_group_name: Some("北门组".to_owned()),
        description: Some("地下二层".to_owned()),
    };
    let changed = change_area(&world, message.clone()).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.access_group_id.as_str(), changed.status.as_str()),
        ("深基坑", "group-2", "INACTIVE")
    );
    assert_eq!(
        (changed.access_group_name.as_str(), changed.description.as_str(), changed.version),
        ("北门组", "地下二层", 2)
    );
    assert_eq!(
        world.facts::<pb::AreaChanged>().await[1],
        pb::AreaChanged { area: Some(changed.clone()) }
    );
    let record = world.records("area.change").await.remove(0);
    assert_eq!(read(&record.before)["status"], "ACTIVE");
    assert_eq!(read(&record.after)["status"], "INACTIVE");
    assert_eq!(code(&change_area(&world, message).await), 40901);
    let bad = pb::ChangeAreaRequest {
        area_id: made.area_id.clone(),
        version: 2,
        status: "CLOSED".to_owned(),
        description: Some("x".repeat(201)),
        ..Default::default()
    };
    assert_eq!(bad_fields(change_area(&world, bad).await), ["status", "description"]);
    let gone =
        pb::ChangeAreaRequest { area_id: site.to_string(), version: 1, ..Default::default() };
    assert_eq!(code(&change_area(&world, gone).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn a_contractor_comes_to_a_site_and_leaves_one_nobody_of_theirs_reaches() {
    let world = World::new().await;
    let (one, two) = (world.site("一号工地").await, world.site("二号工地").await);
    let contractor = world.contractor("示例一建", &[one]).await;
    world.account("foreman", one, contractor).await;
    let mut both = [one.to_string(), two.to_string()];
    both.sort();
    let changed = change_contractor(&world, contractor, 1, "", Some(&[one, two])).await.unwrap();
    assert_eq!((changed.site_ids.as_slice(), changed.name.as_str()), (&both[..], "示例一建"));
    let left = change_contractor(&world, contractor, 2, "", Some(&[two])).await;
    assert_eq!(code(&left), 40902);
    let left = change_contractor(&world, contractor, 2, "示例建工", Some(&[one])).await.unwrap();
    assert_eq!((left.site_ids, left.version), (vec![one.to_string()], 3));
    assert_eq!(world.facts::<pb::ContractorChanged>().await.len(), 3);
    let nowhere = change_contractor(&world, contractor, 3, "", Some(&[SiteId::new()])).await;
    assert_eq!(code(&nowhere), 40400);
    world.stop().await;
}

#[tokio::test]
async fn an_account_never_reaches_a_site_that_its_contractor_leaves_in_the_same_moment() {
    let world = World::new().await;
    let (one, two) = (world.site("一号工地").await, world.site("二号工地").await);
    let contractor = world.contractor("示例一建", &[one, two]).await;
    let mut account = world.account("foreman", one, contractor).await;
    let mut version = 1;
    let moved = |account: &pb::Account, sites: &[SiteId]| pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: account.version,
        sites: Some(pb::SiteIds { site_ids: sites.iter().map(ToString::to_string).collect() }),
        ..Default::default()
    };
    let (both, left) = ([one, two], [one]);
    for round in 0..50 {
        let (arrives, leaves) = futures::join!(
            world.change_account(&world.sysadmin, moved(&account, &both)),
            change_contractor(&world, contractor, version, "", Some(&left)),
        );
        let codes = (code(&arrives), code(&leaves));
        assert!([(0, 40902), (40001, 0)].contains(&codes), "round {round}: {codes:?}");
        // As it was, for the next round.
        if let Ok(arrived) = arrives {
            account = world.change_account(&world.sysadmin, moved(&arrived, &left)).await.unwrap();
        }
        if leaves.is_ok() {
            let back = change_contractor(&world, contractor, version + 1, "", Some(&both));
            version = back.await.unwrap().version;
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn who_only_reads_or_is_elsewhere_changes_nothing() {
    let world = World::new().await;
    let (site, other) = (world.site("一号工地").await, world.site("二号工地").await);
    let auditor =
        auth::Caller::account(types::AccountId::new(), types::Role::Auditor, vec![site], None);
    let read = async |id: SiteId| {
        let message = pb::GetSiteRequest { site_id: id.to_string() };
        code(&told(world.client.clone().get_site(world.by(&auditor, message)).await))
    };
    assert_eq!((read(site).await, read(other).await), (0, 40400));
    let message = settings(site, 1, pb::SiteSettings::default());
    let refused = told(world.client.clone().change_site(world.by(&auditor, message)).await);
    assert_eq!(code(&refused), 40301);
    world.stop().await;
}
