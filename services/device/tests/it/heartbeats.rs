use chrono::TimeDelta;
use proto::device::v1::{Device, DeviceChanged, DeviceOffline, DeviceOnline, ListDevicesRequest};
use serde_json::json;
use test_support::eventually;

use crate::bed::{Bed, event_at};

async fn only_device(bed: &Bed) -> Device {
    let request = ListDevicesRequest { site_id: bed.site.to_string() };
    let request = bed.harness.request(&bed.admin, request);
    let mut devices = bed.client.clone().list_devices(request).await.unwrap().into_inner().devices;
    assert_eq!(devices.len(), 1);
    devices.remove(0)
}

#[tokio::test]
async fn a_heartbeat_brings_a_device_online_once_and_answers_site_time() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    assert!(!only_device(&bed).await.online);
    bed.harness.shell.clock.advance(TimeDelta::days(3));
    for _ in 0..2 {
        let answer = door.beat(bed.now(), TimeDelta::zero()).await;
        assert_eq!(answer["server_time"], "2026-03-05T00:00:00.000Z");
        assert_eq!(answer["commands"], json!([]));
        assert_eq!(answer["settings"]["area_ids"], json!([bed.area.to_string()]));
        assert_eq!(answer["settings"]["heartbeat_seconds"], 60);
    }
    let device = only_device(&bed).await;
    assert_eq!((device.online, device.firmware.as_str(), device.version), (true, "1.4.2", 2));
    assert_eq!(proto::instant(device.last_seen_at.as_ref()), Some(bed.now()));
    let online = bed.facts::<DeviceOnline>().await;
    assert_eq!(online.len(), 1);
    assert_eq!(online[0].device, Some(device));
    door.post("heartbeat", &json!({"firmware": "1.5.0"})).await.data();
    assert_eq!(
        bed.facts::<DeviceChanged>().await.last().unwrap().device.as_ref().unwrap().version,
        3
    );
    bed.harness.stop().await;
}

#[tokio::test]
async fn three_silent_minutes_take_a_device_offline_once_and_the_next_heartbeat_brings_it_back() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let never_heard = bed.door("dev_02").await;
    door.beat(bed.now(), TimeDelta::zero()).await;
    let last = bed.now();
    bed.harness.shell.clock.advance(TimeDelta::seconds(181));
    let offline = eventually("the device to be missed", || async {
        bed.facts::<DeviceOffline>().await.into_iter().next()
    })
    .await;
    assert_eq!(proto::instant(offline.since.as_ref()), Some(last));
    let device = offline.device.unwrap();
    assert_eq!((device.device_id.as_str(), device.online, device.version), ("dev_01", false, 3));
    // The next looks find nothing new.
    bed.harness.shell.clock.advance(TimeDelta::minutes(10));
    let next_slot = bed.now() - TimeDelta::minutes(1);
    let looked = || async {
        sqlx::query_scalar::<_, i32>(
            "SELECT 1 FROM device.job_runs
             WHERE job = 'device.silence' AND slot > $1 AND finished_at IS NOT NULL",
        )
        .bind(next_slot)
        .fetch_optional(&bed.harness.database.admin())
        .await
        .unwrap()
    };
    eventually("the next look", looked).await;
    assert_eq!(bed.facts::<DeviceOffline>().await.len(), 1);
    door.beat(bed.now(), TimeDelta::zero()).await;
    let online = bed.facts::<DeviceOnline>().await;
    assert_eq!(online.len(), 2);
    assert_eq!(online[1].device.as_ref().unwrap().version, 4);
    drop(never_heard);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed_and_its_events_are_put_where_they_happened() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    door.beat(bed.now(), TimeDelta::minutes(7)).await;
    bed.harness.shell.clock.advance(TimeDelta::hours(3));
    door.report(&[event_at("2026-03-02T01:07:00Z", 1, "face_1", "PASS")]).await;
    // A door that says it saw tomorrow saw it no later than it told.
    door.report(&[event_at("2026-03-03T00:00:00Z", 2, "face_1", "PASS")]).await;
    let passages = bed.all_passages().await;
    let times: Vec<_> = passages
        .iter()
        .map(|passage| {
            let text = |time| proto::instant(time).unwrap().to_rfc3339();
            (passage.seq, text(passage.event_time.as_ref()), text(passage.corrected_time.as_ref()))
        })
        .collect();
    let expected = [
        (2, "2026-03-03T00:00:00+00:00".to_owned(), "2026-03-02T03:00:00+00:00".to_owned()),
        (1, "2026-03-02T01:07:00+00:00".to_owned(), "2026-03-02T01:00:00+00:00".to_owned()),
    ];
    assert_eq!(times, expected);
    bed.harness.stop().await;
}
