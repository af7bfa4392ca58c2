use std::sync::{Arc, Mutex};

use futures::future::join_all;
use proto::device::v1::{DeviceChanged, ListDevicesRequest, RegisterDeviceRequest};
use proto::directory::v1::{CheckReferencesRequest, CheckReferencesResponse};
use service::Refusal;
use tonic::{Request, Response, Status};
use types::{AreaId, ContractorId, ErrorCode, SiteId};

use crate::bed::{Bed, area_changed, code};
use crate::peers::provide;

async fn refused(bed: &Bed, request: Request<RegisterDeviceRequest>) -> Status {
    bed.client.clone().register_device(request).await.unwrap_err()
}

fn with_key(
    bed: &Bed,
    key: &str,
    message: RegisterDeviceRequest,
) -> Request<RegisterDeviceRequest> {
    let mut request = bed.harness.request(&bed.admin, message);
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

#[tokio::test]
async fn a_registered_device_is_told_and_audited_and_its_secret_is_kept_by_nobody_in_clear() {
    let bed = Bed::new().await;
    let answer = bed.register(bed.registration("dev_01")).await;
    assert_eq!(answer.secret.len(), 64);
    let device = answer.device.unwrap();
    assert_eq!((device.device_id.as_str(), device.version, device.online), ("dev_01", 1, false));
    assert_eq!(bed.facts::<DeviceChanged>().await, [DeviceChanged { device: Some(device) }]);
    let all = events::testing::outbox(&bed.store).await;
    let audited = bed.audited().await.remove(0);
    assert_eq!(
        (audited.action.as_str(), audited.target_id.as_str()),
        ("device.register", "dev_01")
    );
    assert_eq!(audited.actor, bed.admin.subject.to_string());

    let secret = answer.secret.as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!all.iter().any(|(_, data)| holds(data)));
    let kept: Vec<u8> = sqlx::query_scalar("SELECT secret FROM device.devices")
        .fetch_one(&bed.harness.database.admin())
        .await
        .unwrap();
    assert!(!holds(&kept));
    bed.harness.stop().await;
}

#[tokio::test]
async fn the_same_key_again_answers_the_device_without_its_secret() {
    let bed = Bed::new().await;
    let mut client = bed.client.clone();
    let first = client
        .register_device(with_key(&bed, "k1", bed.registration("dev_01")))
        .await
        .unwrap()
        .into_inner();
    let again = client
        .register_device(with_key(&bed, "k1", bed.registration("dev_01")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.device, again.device);
    assert!(!first.secret.is_empty() && again.secret.is_empty());
    assert_eq!(bed.facts::<DeviceChanged>().await.len(), 1);
    let other = refused(&bed, with_key(&bed, "k1", bed.registration("dev_02"))).await;
    assert_eq!(code(&other), ErrorCode::IdempotencyKeyReused);
    bed.door_of("dev_01", &first.secret).beat(bed.now(), chrono::TimeDelta::zero()).await;
    bed.harness.stop().await;
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_registers_one_device_and_shows_one_secret() {
    let bed = Bed::new().await;
    let calls = (0..50).map(|_| {
        let (mut client, request) =
            (bed.client.clone(), with_key(&bed, "k1", bed.registration("dev_01")));
        async move { client.register_device(request).await.map(Response::into_inner) }
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer.device == answers[0].device));
    let shown: Vec<_> = answers.iter().filter(|answer| !answer.secret.is_empty()).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(bed.facts::<DeviceChanged>().await.len(), 1);
    assert_eq!(bed.audited().await.len(), 1);
    bed.door_of("dev_01", &shown[0].secret).beat(bed.now(), chrono::TimeDelta::zero()).await;
    bed.harness.stop().await;
}

#[tokio::test]
async fn of_fifty_registrations_of_an_id_at_once_one_is_made() {
    let bed = Bed::new().await;
    let calls = (0..50).map(|_| {
        let request = bed.harness.request(&bed.admin, bed.registration("dev_01"));
        let mut client = bed.client.clone();
        async move { client.register_device(request).await }
    });
    let (made, refused): (Vec<_>, Vec<_>) =
        join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(refused.iter().all(|answer| {
        answer.as_ref().is_err_and(|status| code(status) == ErrorCode::StateConflict)
    }));
    assert_eq!(bed.facts::<DeviceChanged>().await.len(), 1);
    assert_eq!(bed.audited().await.len(), 1);
    bed.harness.stop().await;
}

#[tokio::test]
async fn an_id_is_registered_once() {
    let bed = Bed::new().await;
    bed.register(bed.registration("dev_01")).await;
    let again = refused(&bed, bed.harness.request(&bed.admin, bed.registration("dev_01"))).await;
    assert_eq!(code(&again), ErrorCode::StateConflict);
    assert_eq!(bed.facts::<DeviceChanged>().await.len(), 1);
    bed.harness.stop().await;
}

#[tokio::test]
async fn an_area_not_heard_of_yet_is_asked_about_on_behalf_of_the_caller() {
    let bed = Bed::new().await;
    let (new, foreign) = (AreaId::new(), AreaId::new());
    let (site, admin) = (bed.site, bed.admin.subject.to_string());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    provide(&bed.harness.shell, "directory", move |caller, request: CheckReferencesRequest| {
        assert_eq!(caller, admin);
        seen.lock().unwrap().push(request.area_ids.clone());
        let known = request.area_ids.contains(&new.to_string());
        let areas = if known {
            area_changed(site, new, "acg_new", 4).area.into_iter().collect()
        } else {
            vec![]
        };
        async move { Ok(CheckReferencesResponse { areas, ..Default::default() }) }
    });
    let with_areas = |id: &str, areas: [AreaId; 2]| RegisterDeviceRequest {
        area_ids: areas.map(|area| area.to_string()).to_vec(),
        ..bed.registration(id)
    };
    let answer = bed.register(with_areas("dev_01", [bed.area, new])).await;
    assert_eq!(answer.device.unwrap().area_ids, [bed.area.to_string(), new.to_string()]);
    // What was told is kept: it is not asked for again.
    bed.register(with_areas("dev_02", [new, bed.area])).await;
    assert_eq!(*asked.lock().unwrap(), [vec![new.to_string()]]);
    let refusal =
        refused(&bed, bed.harness.request(&bed.admin, with_areas("dev_03", [new, foreign]))).await;
    let fields = Refusal::from_status(&refusal).fields;
    assert_eq!(
        (fields[0].field.as_str(), fields[0].problem.as_str()),
        ("area_ids[1]", "is no live area of the site")
    );
    bed.harness.stop().await;
}

#[tokio::test]
async fn registering_is_an_administrator_s_own_sites_only_and_every_bad_field_is_named() {
    let bed = Bed::new().await;
    let elsewhere = bed.harness.sysadmin(&[SiteId::new()]);
    let status = refused(&bed, bed.harness.request(&elsewhere, bed.registration("dev_01"))).await;
    assert_eq!(code(&status), ErrorCode::NotFound);
    let contractor = bed.harness.contractor_admin(bed.site, ContractorId::new());
    let status = refused(&bed, bed.harness.request(&contractor, bed.registration("dev_01"))).await;
    assert_eq!(code(&status), ErrorCode::PermissionDenied);
    let bad = RegisterDeviceRequest {
        device_id: "a b".to_owned(),
        site_id: String::new(),
        name: " ".to_owned(),
        area_ids: Vec::new(),
        direction: "up".to_owned(),
    };
    let status = refused(&bed, bed.harness.request(&bed.admin, bad)).await;
    let fields = Refusal::from_status(&status).fields;
    let named: Vec<&str> = fields.iter().map(|bad| bad.field.as_str()).collect();
    assert_eq!(named, ["device_id", "site_id", "name", "area_ids", "direction"]);
    bed.harness.stop().await;
}

#[tokio::test]
async fn devices_are_listed_by_site_to_those_who_may_see_it() {
    let bed = Bed::new().await;
    bed.register(bed.registration("dev_02")).await;
    bed.register(bed.registration("dev_01")).await;
    let mut client = bed.client.clone();
    let mine = ListDevicesRequest { site_id: bed.site.to_string() };
    for request in [mine.clone(), ListDevicesRequest::default()] {
        let listed = client
            .list_devices(bed.harness.request(&bed.admin, request))
            .await
            .unwrap()
            .into_inner();
        let ids: Vec<&str> =
            listed.devices.iter().map(|device| device.device_id.as_str()).collect();
        assert_eq!(ids, ["dev_01", "dev_02"]);
    }
    let elsewhere = bed.harness.sysadmin(&[SiteId::new()]);
    let status = client.list_devices(bed.harness.request(&elsewhere, mine)).await.unwrap_err();
    assert_eq!(code(&status), ErrorCode::NotFound);
    let none =
        client.list_devices(bed.harness.request(&elsewhere, ListDevicesRequest::default())).await;
    assert!(none.unwrap().into_inner().devices.is_empty());
    bed.harness.stop().await;
}
