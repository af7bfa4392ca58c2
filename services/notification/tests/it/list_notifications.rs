use auth::Caller;
use proto::common::v1::PageRequest;
use proto::notification::v1::{ListNotificationsRequest, ListNotificationsResponse};
use service::Refusal;
use types::{ContractorId, ErrorCode, SiteId, WorkerId};

use crate::world::World;

async fn list(
    world: &World,
    caller: &Caller,
    message: ListNotificationsRequest,
) -> Result<ListNotificationsResponse, Refusal> {
    let answer = world.client().list_notifications(world.harness.request(caller, message)).await;
    answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
}

#[tokio::test]
async fn notices_are_filtered_and_come_page_by_page() {
    let world = World::new().await;
    let (one, two) = (world.consenting(1).await, world.worker().await);
    let first = world.publish(&[one, two]).await;
    world.send().await;
    world.publish(&[one]).await;
    let admin = world.harness.sysadmin(&[world.site]);
    let all = ListNotificationsRequest { site_id: world.site.to_string(), ..Default::default() };
    for (message, wanted) in [
        (all.clone(), 3),
        (ListNotificationsRequest { ticket_id: first.ticket_id, ..all.clone() }, 2),
        (ListNotificationsRequest { worker_id: one.to_string(), ..all.clone() }, 2),
        (ListNotificationsRequest { status: "QUEUED".to_owned(), ..all.clone() }, 1),
        (ListNotificationsRequest { status: "SKIPPED".to_owned(), ..all.clone() }, 1),
        (ListNotificationsRequest { worker_id: WorkerId::new().to_string(), ..all.clone() }, 0),
    ] {
        let answer = list(&world, &admin, message).await.unwrap();
        assert_eq!(
            (answer.notifications.len(), answer.total),
            (wanted, u32::try_from(wanted).unwrap())
        );
    }
    let page = |page| ListNotificationsRequest {
        page: Some(PageRequest { page, page_size: 2 }),
        ..all.clone()
    };
    let (front, back) = (
        list(&world, &admin, page(1)).await.unwrap(),
        list(&world, &admin, page(2)).await.unwrap(),
    );
    assert_eq!((front.total, front.notifications.len(), back.notifications.len()), (3, 2, 1));
    let ids = front.notifications.iter().chain(&back.notifications);
    let ids: std::collections::BTreeSet<&String> =
        ids.map(|notice| &notice.notification_id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_notice_being_sent_is_listed_as_queued() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    drop(world.claim().await);
    let admin = world.harness.sysadmin(&[world.site]);
    let queued = ListNotificationsRequest { status: "QUEUED".to_owned(), ..Default::default() };
    assert_eq!(list(&world, &admin, queued).await.unwrap().total, 1);
}

#[tokio::test]
async fn callers_see_their_sites_and_contractors_alone() {
    let world = World::new().await;
    let worker = world.worker().await;
    world.publish(&[worker]).await;
    let everything = ListNotificationsRequest::default();
    for (caller, wanted) in [
        (world.harness.sysadmin(&[world.site]), 1),
        (world.harness.sysadmin(&[SiteId::new()]), 0),
        (world.harness.contractor_admin(world.site, world.contractor), 1),
        (world.harness.contractor_admin(world.site, ContractorId::new()), 0),
    ] {
        assert_eq!(list(&world, &caller, everything.clone()).await.unwrap().total, wanted);
    }
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    let named = ListNotificationsRequest { site_id: world.site.to_string(), ..Default::default() };
    assert_eq!(list(&world, &elsewhere, named).await.unwrap_err().code, ErrorCode::NotFound);
    let own = world.harness.worker(worker, world.site);
    assert_eq!(list(&world, &own, everything).await.unwrap_err().code, ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn a_bad_request_names_every_field() {
    let world = World::new().await;
    let admin = world.harness.sysadmin(&[world.site]);
    let message = ListNotificationsRequest {
        site_id: "x".to_owned(),
        status: "SENDING".to_owned(),
        page: Some(PageRequest { page: 1, page_size: 1000 }),
        ..Default::default()
    };
    let refusal = list(&world, &admin, message).await.unwrap_err();
    let named: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(named, ["site_id", "status", "page_size"]);
}
