use auth::Caller;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;
use types::{AccountId, ContractorId, Role, SiteId};

use crate::outside::{id_no, name, person, phone};
use crate::world::{World, bad_fields, code, told};

async fn matched(
    world: &World,
    caller: &Caller,
    site: SiteId,
    contractor: Option<ContractorId>,
    lines: Vec<pb::WorkerLine>,
) -> Result<Vec<pb::WorkerMatch>, Refusal> {
    answered(world, caller, site, contractor, lines).await.map(|answer| answer.matches)
}

pub(crate) async fn answered(
    world: &World,
    caller: &Caller,
    site: SiteId,
    contractor: Option<ContractorId>,
    lines: Vec<pb::WorkerLine>,
) -> Result<pb::MatchWorkersResponse, Refusal> {
    let message = pb::MatchWorkersRequest {
        site_id: site.to_string(),
        contractor_id: contractor.map(|id| id.to_string()).unwrap_or_default(),
        lines,
    };
    told(world.client.clone().match_workers(world.by(caller, message)).await)
}

pub(crate) fn line(name: &str, id_no: &str, phone: &str) -> pb::WorkerLine {
    pb::WorkerLine { name: name.to_owned(), id_no: id_no.to_owned(), phone: phone.to_owned() }
}

pub(crate) fn outcomes(matches: &[pb::WorkerMatch]) -> Vec<(&str, &str)> {
    matches.iter().map(|each| (each.outcome.as_str(), each.field.as_str())).collect()
}

#[tokio::test]
async fn each_line_gets_its_own_outcome_in_order() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    let mut namesake = person(4);
    namesake["name"] = json!(name(3));
    world.outside.set_roster(&[person(1), person(2), person(3), namesake]);
    world.sync(site).await.unwrap();

    let lines = vec![
        line("", &id_no(1).to_lowercase(), ""),
        line(&format!(" {} ", name(2)), "", ""),
        line(&name(3), "", ""),
        line(&name(3), "", &phone(4)),
        line(&name(1), &id_no(2), ""),
        line("", &id_no(9), ""),
        line("", "65999919900101001", ""),
        line("", "", "12345"),
        line(&"字".repeat(61), "", ""),
        line("", "", &phone(1)),
        line(" ", "", ""),
    ];
    let matches = matched(&world, &world.sysadmin, site, None, lines).await.unwrap();
    let wanted = [
        ("FOUND", ""),
        ("FOUND", ""),
        ("AMBIGUOUS", "name"),
        ("FOUND", ""),
        ("NAME_DIFFERS", "name"),
        ("NOT_FOUND", "id_no"),
        ("BAD_ID_NO", "id_no"),
        ("BAD_PHONE", "phone"),
        ("BAD_NAME", "name"),
        ("DUPLICATE", "phone"),
        ("EMPTY", "name"),
    ];
    assert_eq!(outcomes(&matches), wanted);
    let row = &matches[0].workers[0];
    assert_eq!((row.name.as_str(), row.phone_masked.as_str()), (name(1).as_str(), "199****0001"));
    assert_eq!(row.id_no_masked, format!("659***********{}", &id_no(1)[14..]));
    assert_eq!(matches[2].workers.len(), 2);
    assert_eq!((matches[9].first_line, matches[9].workers.len()), (0, 1));
    assert!(matches[4].workers.is_empty(), "whose the number is is not told");
    world.stop().await;
}

#[tokio::test]
async fn who_may_be_meant_depends_on_the_site_the_contractor_and_the_caller() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let elsewhere = world.site("二号工地").await;
    let own = world.contractor("示例一建", &[site, elsewhere]).await;
    let other = world.contractor("示例二建", &[site]).await;
    let (mut others, mut nobodys) = (person(2), person(3));
    others["contractor_name"] = json!("示例二建");
    nobodys["contractor_name"] = json!("");
    world.outside.set_roster(&[person(1), others, nobodys]);
    world.sync(site).await.unwrap();
    world.outside.set_roster(&[person(4)]);
    world.sync(elsewhere).await.unwrap();
    let everybody = || (1..=4).map(|number| line("", &id_no(number), "")).collect::<Vec<_>>();

    let all = matched(&world, &world.sysadmin, site, None, everybody()).await.unwrap();
    let found = ("FOUND", "");
    assert_eq!(outcomes(&all), [found, found, found, ("NOT_ON_SITE", "id_no")]);
    let of_own = matched(&world, &world.sysadmin, site, Some(own), everybody()).await.unwrap();
    let others = ("OTHER_CONTRACTOR", "id_no");
    assert_eq!(outcomes(&of_own), [found, others, found, ("NOT_ON_SITE", "id_no")]);

    // To a contractor's administrator another's people and other sites' are not there at all.
    let caller = world.harness.contractor_admin(site, own);
    let theirs = matched(&world, &caller, site, None, everybody()).await.unwrap();
    let nobody = ("NOT_FOUND", "id_no");
    assert_eq!(outcomes(&theirs), [found, nobody, found, nobody]);
    assert!(theirs[1].workers.is_empty());
    assert_eq!(code(&matched(&world, &caller, site, Some(other), everybody()).await), 40400);
    assert_eq!(code(&matched(&world, &caller, elsewhere, None, everybody()).await), 40400);
    let worker = world.harness.worker(types::WorkerId::new(), site);
    assert_eq!(code(&matched(&world, &worker, site, None, everybody()).await), 40301);
    // Who reads workers and makes no tickets has no list to match.
    let auditor = Caller::account(AccountId::new(), Role::Auditor, vec![site], None);
    assert_eq!(code(&matched(&world, &auditor, site, None, everybody()).await), 40301);
    world.stop().await;
}

#[tokio::test]
async fn a_list_leaves_one_record_of_counts_and_nothing_personal() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=2).await;
    let lines = vec![line(&name(1), &id_no(1), &phone(1)), line(&name(9), "", "")];
    matched(&world, &world.sysadmin, site, None, lines).await.unwrap();
    let records = world.records("worker.match").await;
    assert_eq!(records.len(), 1);
    let after: serde_json::Value = serde_json::from_str(&records[0].after).unwrap();
    assert_eq!(after, json!({"found": 1, "lines": 2}));
    assert_eq!(
        (&records[0].site_id, &records[0].target_id),
        (&site.to_string(), &site.to_string())
    );
    let text = format!("{:?}", records[0]);
    for personal in [name(1), id_no(1), phone(1), name(9)] {
        assert!(!text.contains(&personal));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_list_is_answered_with_the_age_of_the_roster() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=1).await;
    let read_at = world.harness.now();
    world.harness.shell.clock.advance(chrono::TimeDelta::hours(7));
    let lines = vec![line(&name(1), "", "")];
    let answer = answered(&world, &world.sysadmin, site, None, lines).await.unwrap();
    assert_eq!(proto::instant(answer.roster_synced_at.as_ref()), Some(read_at));
    world.stop().await;
}

#[tokio::test]
async fn a_list_of_nobody_or_of_too_many_is_refused() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=1).await;
    let none = matched(&world, &world.sysadmin, site, None, Vec::new()).await;
    assert_eq!(bad_fields(none), ["lines"]);
    let lines = vec![line(&name(1), "", ""); 2_001];
    assert_eq!(bad_fields(matched(&world, &world.sysadmin, site, None, lines).await), ["lines"]);
    let lines = vec![line(&name(1), "", ""); 2_000];
    let matches = matched(&world, &world.sysadmin, site, None, lines).await.unwrap();
    assert_eq!(matches.iter().filter(|each| each.outcome == "DUPLICATE").count(), 1_999);
    world.stop().await;
}
