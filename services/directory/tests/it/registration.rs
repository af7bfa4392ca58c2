//! Who is still to be bound, what they scan, and binding by six characters.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use auth::Caller;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;
use types::SiteId;

use crate::outside::{id_no, name, person, phone};
use crate::world::{World, bad_fields, code, told};

async fn by_six(world: &World, number: u32, six: &str) -> Result<pb::BindWorkerResponse, Refusal> {
    by_six_and_name(world, number, six, "").await
}

async fn by_six_and_name(
    world: &World,
    number: u32,
    six: &str,
    name: &str,
) -> Result<pb::BindWorkerResponse, Refusal> {
    let message = pb::BindWorkerRequest {
        mp_code: format!("demo-{number}"),
        phone_code: format!("phone-{}", phone(number)),
        id_no: six.to_owned(),
        name: name.to_owned(),
        ..Default::default()
    };
    told(world.client.clone().bind_worker(world.public(message)).await)
}

fn six(number: u32) -> String {
    id_no(number)[12..].to_owned()
}

async fn six_are_enough(world: &World, site: SiteId) {
    sqlx::query("UPDATE directory.sites SET bind_id_last_six = true WHERE site_id = $1")
        .bind(site.as_uuid())
        .execute(&world.admin)
        .await
        .unwrap();
}

#[tokio::test]
async fn six_characters_and_the_phone_bind_where_the_site_is_content_with_them() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    assert_eq!(bad_fields(by_six(&world, 1, &six(1)).await), ["id_no"], "the site wants the whole");
    six_are_enough(&world, site).await;
    assert_eq!(code(&by_six(&world, 1, &six(2)).await), 40401, "those of somebody else");
    assert_eq!(by_six(&world, 1, &six(1)).await.unwrap().worker_id, workers[0]);
    let stranger = by_six(&world, 7, &six(7)).await;
    assert_eq!(code(&stranger), 40401, "the phone is nobody's");
    assert_eq!(bad_fields(by_six(&world, 2, "12345").await), ["id_no"]);
    assert!(world.bind("b", 2).await.is_ok(), "the whole number binds there too");
    world.stop().await;
}

#[tokio::test]
async fn who_has_no_identity_number_on_the_roster_binds_by_name_and_phone_there() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    let mut unnumbered = person(3);
    unnumbered["id_no"] = json!(null);
    world.outside.set_roster(&[person(1), person(2), unnumbered.clone()]);
    world.sync(site).await.unwrap();
    let bind = async |named: &str| by_six_and_name(&world, 3, &six(3), named).await;
    assert_eq!(bad_fields(bind(&name(3)).await), ["id_no"], "the site wants the whole");
    assert_eq!(bad_fields(bind(&name(7)).await), ["id_no"], "whoever they say to be");
    six_are_enough(&world, site).await;
    assert_eq!(code(&bind(&name(7)).await), 40401);
    assert_eq!(code(&bind("").await), 40401);
    let bound = bind(&name(3)).await.unwrap();
    assert!(!workers.contains(&bound.worker_id));
    let numbered = by_six_and_name(&world, 1, &six(2), &name(1)).await;
    assert_eq!(code(&numbered), 40401, "a name is no number of who has one");

    // One phone, two people: a number that does not fit is not mended by the other's name.
    let mut shared = unnumbered.clone();
    shared["phone"] = json!(phone(1));
    world.outside.set_roster(&[person(1), person(2), shared]);
    world.sync(site).await.unwrap();
    assert_eq!(code(&by_six_and_name(&world, 1, &six(3), &name(3)).await), 40401);
    world.stop().await;
}

#[tokio::test]
async fn two_people_with_one_phone_and_the_same_six_are_left_to_an_administrator() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=1).await;
    six_are_enough(&world, site).await;
    // Another county that is none, and the same last six: the check digit comes out the same.
    let twin = (0..100)
        .map(|county| format!("6598{county:02}{}", &id_no(1)[6..]))
        .find(|text| vault::IdNo::parse(text).is_ok())
        .unwrap();
    let mut other = person(1);
    (other["id_no"], other["name"]) = (json!(twin), json!(name(2)));
    world.outside.set_roster(&[person(1), other]);
    assert_eq!(world.sync(site).await.unwrap().added, 1);
    assert_eq!(code(&by_six(&world, 1, &six(1)).await), 40401);
    assert!(world.bind("a", 1).await.is_ok());
    world.stop().await;
}

async fn check_binding(world: &World, bound: &pb::BindWorkerResponse) -> pb::CheckBindingResponse {
    let message = pb::CheckBindingRequest {
        worker_id: bound.worker_id.clone(),
        wechat_user_id: bound.wechat_user_id.clone(),
    };
    let request = world.harness.shell.as_service("gateway", message);
    told(world.client.clone().check_binding(request).await).unwrap()
}

async fn in_force(world: &World, bound: &pb::BindWorkerResponse) -> (bool, String) {
    let answer = check_binding(world, bound).await;
    (answer.bound, answer.ended_because)
}

#[tokio::test]
async fn a_binding_is_confirmed_with_the_sites_its_worker_is_on_now() {
    let world = World::new().await;
    let (one, _) = world.staffed(1..=2).await;
    let bound = world.bind("a", 1).await.unwrap();
    let sites = async || check_binding(&world, &bound).await.site_ids;
    assert_eq!(sites().await, [one.to_string()]);
    let two = world.site("二号工地").await;
    world.sync(two).await.unwrap();
    assert_eq!(sites().await, [one.to_string(), two.to_string()]);
    world.outside.set_roster(&[person(2)]);
    world.sync(one).await.unwrap();
    assert_eq!(sites().await, [two.to_string()]);

    let taken_over = world.bind("b", 1).await;
    assert_eq!(code(&taken_over), 0);
    assert!(sites().await.is_empty(), "of who is bound no more");
    world.stop().await;
}

#[tokio::test]
async fn a_takeover_is_told_to_both_sides() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=1).await;
    let old = world.bind("a", 1).await.unwrap();
    assert!(!old.took_over);
    assert_eq!(in_force(&world, &old).await, (true, String::new()));
    let new = world.bind("b", 1).await.unwrap();
    assert!(new.took_over, "the new phone is told");
    assert_eq!(in_force(&world, &old).await, (false, "REPLACED".to_owned()));
    assert_eq!(in_force(&world, &new).await, (true, String::new()));
    let message =
        pb::UnbindWorkerRequest { worker_id: workers[0].clone(), reason: "lost".to_owned() };
    told(world.client.clone().unbind_worker(world.by(&world.sysadmin, message)).await).unwrap();
    assert_eq!(in_force(&world, &new).await, (false, "BY_ADMIN".to_owned()));
    world.bind("a", 1).await.unwrap();
    assert_eq!(in_force(&world, &old).await, (true, String::new()), "bound again");
    let stranger = pb::BindWorkerResponse {
        wechat_user_id: types::WorkerId::new().to_string(),
        ..old.clone()
    };
    assert_eq!(in_force(&world, &stranger).await, (false, String::new()));
    world.stop().await;
}

#[tokio::test]
async fn a_registration_code_names_its_site_and_what_is_asked_for_there() {
    let world = World::new().await;
    let (one, two) = (world.site("一号工地").await, world.site("二号工地").await);
    six_are_enough(&world, one).await;
    let code_of = async |caller: &Caller, site: SiteId| {
        let message = pb::GetRegistrationCodeRequest { site_id: site.to_string() };
        told(world.client.clone().get_registration_code(world.by(caller, message)).await)
    };
    let first = code_of(&world.sysadmin, one).await.unwrap();
    let second = code_of(&world.sysadmin, two).await.unwrap();
    assert_ne!(first.code, second.code);
    assert_eq!(code_of(&world.sysadmin, one).await.unwrap(), first, "it does not change");
    assert_eq!((first.site_name.as_str(), first.id_last_six), ("一号工地", true));
    let elsewhere = world.contractor("示例二建", &[two]).await;
    let stranger = world.harness.contractor_admin(two, elsewhere);
    assert_eq!(code(&code_of(&stranger, one).await), 40400);

    let find = async |code: &str| {
        let message = pb::FindRegistrationRequest { code: code.to_owned() };
        told(world.client.clone().find_registration(world.public(message)).await)
    };
    let found = find(&second.code.to_lowercase()).await.unwrap();
    assert_eq!((found.site_id, found.id_last_six), (two.to_string(), false));
    assert_eq!(code(&find("0123456789").await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn the_unbound_are_exported_masked_to_who_may_and_it_is_recorded() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=3).await;
    world.bind("a", 1).await.unwrap();
    let export = async |caller: &Caller, message: pb::ExportWorkersRequest| {
        told(world.client.clone().export_workers(world.by(caller, message)).await)
    };
    let unbound = pb::ExportWorkersRequest {
        site_id: site.to_string(),
        bound: "false".to_owned(),
        ..Default::default()
    };
    let exported = export(&world.sysadmin, unbound.clone()).await.unwrap();
    let names: Vec<&str> = exported.workers.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, [name(2), name(3)]);
    assert_eq!(exported.workers[0].phone_masked, "199****0002");
    assert!(exported.roster_synced_at.is_some());
    let by_phone = pb::ExportWorkersRequest { keyword: phone(2), ..unbound.clone() };
    assert_eq!(export(&world.sysadmin, by_phone).await.unwrap().workers.len(), 1);
    let records = world.records("worker.export").await;
    assert_eq!((records.len(), records[0].site_id.clone()), (2, site.to_string()));
    assert!(
        records[0].after.contains(r#""count":2"#)
            && records[1].after.contains(r#""by_keyword":true"#)
    );
    assert!(!records[1].after.contains(&phone(2)), "never the keyword itself");

    let other = world.contractor("示例二建", &[site]).await;
    let foreign = world.harness.contractor_admin(site, other);
    assert!(export(&foreign, unbound.clone()).await.unwrap().workers.is_empty());
    let worker = world.harness.worker(types::WorkerId::new(), site);
    assert_eq!(code(&export(&worker, unbound).await), 40301);
    assert_eq!(world.records("worker.export").await.len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn one_worker_is_shown_masked_to_those_whose_they_are() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    let other = world.contractor("示例二建", &[site]).await;
    world.outside.set_roster(&[person(1)]);
    world.sync(site).await.unwrap();
    let worker_id = world.find(site, &phone(1)).await.workers[0].worker_id.clone();
    world.bind("a", 1).await.unwrap();
    let get = async |caller: &Caller| {
        let message = pb::GetWorkerRequest { worker_id: worker_id.clone() };
        told(world.client.clone().get_worker(world.by(caller, message)).await)
    };
    let found = get(&world.harness.contractor_admin(site, own)).await.unwrap();
    let row = found.worker.unwrap();
    assert_eq!((row.name, row.phone_masked), (name(1), "199****0001".to_owned()));
    assert_eq!((found.status.as_str(), found.has_photo), ("ACTIVE", true));
    assert_eq!(proto::instant(found.bound_at.as_ref()), Some(world.harness.now()));
    assert_eq!(found.engagements[0].contractor_id, own.to_string());
    assert_eq!(code(&get(&world.harness.contractor_admin(site, other)).await), 40400);
    let elsewhere = world.site("二号工地").await;
    assert_eq!(code(&get(&world.harness.contractor_admin(elsewhere, own)).await), 40400);
    world.stop().await;
}
