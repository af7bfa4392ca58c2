use proto::common::v1::PageRequest;
use proto::ticket::v1::{CreateTicketRequest, ListTicketsRequest, ListTicketsResponse};
use types::{AreaId, ContractorId, ErrorCode, SiteId, WorkerId};

use crate::world::{World, code, names};

fn ids(list: &ListTicketsResponse) -> Vec<String> {
    list.tickets.iter().map(|row| row.ticket_id.clone()).collect()
}

fn all() -> ListTicketsRequest {
    ListTicketsRequest::default()
}

#[tokio::test]
async fn a_row_says_what_the_ticket_is() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let list = world.list(&world.admin, all()).await.unwrap();
    assert_eq!((list.total, list.tickets.len()), (1, 1));
    let row = &list.tickets[0];
    assert_eq!((row.ticket_id.as_str(), row.status.as_str()), (id.as_str(), "ACTIVE"));
    assert_eq!((row.title.as_str(), row.worker_count), ("1#楼钢筋绑扎", 2));
    assert_eq!((row.start_date.as_str(), row.end_date.as_str()), ("2026-03-02", "2026-03-04"));
}

#[tokio::test]
async fn each_filter_leaves_what_it_names() {
    let world = World::new().await;
    let (area, worker) = (AreaId::new(), WorkerId::new());
    let early = world.created(world.three_days()).await;
    let later = world
        .created(CreateTicketRequest {
            title: "Scaffold 100%_B".to_owned(),
            start_date: "2026-03-05".to_owned(),
            end_date: "2026-03-06".to_owned(),
            area_ids: vec![area.to_string()],
            worker_ids: vec![worker.to_string()],
            draft: true,
            ..world.three_days()
        })
        .await;
    let filters = [
        (ListTicketsRequest { status: "ACTIVE".to_owned(), ..all() }, vec![&early]),
        (ListTicketsRequest { status: "DRAFT".to_owned(), ..all() }, vec![&later]),
        (ListTicketsRequest { status: "CANCELLED".to_owned(), ..all() }, vec![]),
        (ListTicketsRequest { area_id: area.to_string(), ..all() }, vec![&later]),
        (ListTicketsRequest { worker_id: worker.to_string(), ..all() }, vec![&later]),
        (ListTicketsRequest { worker_id: world.workers[1].to_string(), ..all() }, vec![&early]),
        (
            ListTicketsRequest {
                worker_ids: vec![worker.to_string(), world.workers[1].to_string()],
                ..all()
            },
            vec![&later, &early],
        ),
        (ListTicketsRequest { worker_ids: vec![WorkerId::new().to_string()], ..all() }, vec![]),
        (
            ListTicketsRequest { area_id: area.to_string(), status: "ACTIVE".to_owned(), ..all() },
            vec![],
        ),
        (ListTicketsRequest { keyword: "钢筋".to_owned(), ..all() }, vec![&early]),
        (ListTicketsRequest { keyword: " SCAFFOLD ".to_owned(), ..all() }, vec![&later]),
        (ListTicketsRequest { keyword: "%_b".to_owned(), ..all() }, vec![&later]),
        (ListTicketsRequest { keyword: "%".to_owned(), ..all() }, vec![&later]),
        (ListTicketsRequest { date_from: "2026-03-04".to_owned(), ..all() }, vec![&later, &early]),
        (ListTicketsRequest { date_from: "2026-03-05".to_owned(), ..all() }, vec![&later]),
        (ListTicketsRequest { date_to: "2026-03-04".to_owned(), ..all() }, vec![&early]),
        (ListTicketsRequest { site_id: world.site.to_string(), ..all() }, vec![&later, &early]),
        (
            ListTicketsRequest { contractor_id: world.contractor.to_string(), ..all() },
            vec![&later, &early],
        ),
    ];
    for (filter, wanted) in filters {
        let list = world.list(&world.admin, filter.clone()).await.unwrap();
        assert_eq!(ids(&list).iter().collect::<Vec<_>>(), wanted, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_part_the_list_and_the_total_counts_all() {
    let world = World::new().await;
    for _ in 0..3 {
        world.created(world.three_days()).await;
    }
    let mut seen = Vec::new();
    for page in 1..=3 {
        let page = Some(PageRequest { page, page_size: 2 });
        let list = world.list(&world.admin, ListTicketsRequest { page, ..all() }).await.unwrap();
        assert_eq!(list.total, 3);
        seen.push(ids(&list));
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0]);
    assert!(!seen[0].contains(&seen[1][0]));
}

#[tokio::test]
async fn an_administrator_sees_their_contractor_and_a_sysadmin_their_sites() {
    let world = World::new().await;
    let own = world.created(world.three_days()).await;
    let sysadmin = world.harness.sysadmin(&[world.site]);
    let other = ContractorId::new();
    let others = CreateTicketRequest { contractor_id: other.to_string(), ..world.three_days() };
    world.create(&sysadmin, others).await.unwrap();

    assert_eq!(ids(&world.list(&world.admin, all()).await.unwrap()), [own]);
    assert_eq!(world.list(&sysadmin, all()).await.unwrap().total, 2);
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    assert_eq!(world.list(&elsewhere, all()).await.unwrap().total, 0);

    let anothers = ListTicketsRequest { contractor_id: other.to_string(), ..all() };
    assert_eq!(code(world.list(&world.admin, anothers).await), ErrorCode::NotFound);
    let away = ListTicketsRequest { site_id: SiteId::new().to_string(), ..all() };
    assert_eq!(code(world.list(&sysadmin, away).await), ErrorCode::NotFound);
}

#[tokio::test]
async fn bad_filters_are_named_at_once() {
    let world = World::new().await;
    let filter =
        ListTicketsRequest { status: "OPEN".to_owned(), date_to: "today".to_owned(), ..all() };
    let refusal = world.list(&world.admin, filter).await.unwrap_err();
    assert_eq!(names(&refusal), ["date_to", "status"]);
    let filter = ListTicketsRequest {
        worker_id: WorkerId::new().to_string(),
        worker_ids: vec![WorkerId::new().to_string(); 201],
        sort: "worker_count".to_owned(),
        ..all()
    };
    let refusal = world.list(&world.admin, filter).await.unwrap_err();
    assert_eq!(names(&refusal), ["worker_ids", "worker_ids", "sort"]);
}

#[tokio::test]
async fn each_sort_has_its_order_and_equals_stand_with_the_newest_first() {
    let world = World::new().await;
    let mut made = Vec::new();
    for (title, start, end) in [
        ("b", "2026-03-03", "2026-03-09"),
        ("a", "2026-03-05", "2026-03-06"),
        ("b", "2026-03-03", "2026-03-07"),
    ] {
        let message = CreateTicketRequest {
            title: title.to_owned(),
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..world.three_days()
        };
        made.push(world.created(message).await);
        world.harness.shell.clock.advance(chrono::TimeDelta::minutes(1));
    }
    let orders = [
        ("", [1, 2, 0]),
        ("-start_date", [1, 2, 0]),
        ("start_date", [2, 0, 1]),
        ("end_date", [1, 2, 0]),
        ("-end_date", [0, 2, 1]),
        ("created_at", [0, 1, 2]),
        ("-created_at", [2, 1, 0]),
        ("title", [1, 2, 0]),
        ("-title", [2, 0, 1]),
    ];
    for (sort, order) in orders {
        let filter = ListTicketsRequest { sort: sort.to_owned(), ..all() };
        let list = world.list(&world.admin, filter).await.unwrap();
        assert_eq!(ids(&list), order.map(|place: usize| made[place].clone()), "{sort}");
    }
}
