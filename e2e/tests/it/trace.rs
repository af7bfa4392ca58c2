use std::collections::BTreeSet;

use e2e::{Spans, Told};
use fleet::{Admin, Sandbox, Worker};
use serde_json::{Value, json};
use service::Tasks;
use test_support::{Backing, Installation, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A worker on today's ticket, trained, with a grant that the door was seen to hold; the ticket's id and its site's.
pub(crate) async fn granted(installation: &Installation) -> (String, String) {
    let urls = &installation.urls;
    let demo = fleet::seed(urls, &Installation::video()).await.unwrap();
    let sandbox = Sandbox::new(&urls.sandbox).unwrap();
    sandbox.set_clock("2031-03-03T05:00:00+08:00".parse().unwrap(), 30.0).await.unwrap();
    let person = sandbox.roster().await.unwrap().remove(0);
    let mut worker = Worker::enter(&urls.gateway, &person, "demo-trace").await.unwrap();
    worker.bind(&urls.gateway).await.unwrap();
    let admin = Admin::sign_in(&urls.gateway, "contractor", fleet::PASSWORD).await.unwrap();
    let body = json!({ "site_id": demo.site_id, "keyword": person.name });
    let found = admin.post("/api/admin/workers/search", &body).await.unwrap();
    let made = admin
        .post(
            "/api/admin/work-tickets",
            &json!({
                "title": "追踪", "site_id": demo.site_id, "contractor_id": demo.contractor_id,
                "start_date": "2031-03-03", "end_date": "2031-03-03",
                "area_ids": [demo.area_a.0], "worker_ids": [found["items"][0]["worker_id"]],
                "video_ids": [demo.video_id],
            }),
        )
        .await
        .unwrap();
    let task =
        eventually("the task", || async { worker.tasks().await.unwrap().into_iter().next() }).await;
    // Each service hears of the ticket in its own time.
    let day = task["daily_ticket_id"].as_str().unwrap().to_owned();
    eventually("the task to be known to whoever marks it read", || async {
        worker.read(&day).await.ok()
    })
    .await;
    fleet::train(&sandbox, &worker, &task, 30.0).await.unwrap();
    eventually("the grant at the door", || async {
        (!sandbox.permissions(&demo.area_a.1).await.unwrap().is_empty()).then_some(())
    })
    .await;
    (made["ticket_id"].as_str().unwrap().to_owned(), demo.site_id)
}

fn named<'a>(spans: &'a [Told], part: &str) -> Option<&'a Told> {
    spans.iter().find(|span| span.name.contains(part))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_from_the_http_request_to_the_door() {
    let tasks = Tasks::new();
    let (otlp, spans) = Spans::receive(&tasks).await;
    let installation = Installation::start(&Backing::shared().await, &["all"], Some(&otlp)).await;
    let (ticket, _) = granted(&installation).await;

    let admin =
        Admin::sign_in(&installation.urls.gateway, "contractor", fleet::PASSWORD).await.unwrap();
    let path = format!("/api/admin/work-tickets/{ticket}/cancel");
    let request = admin
        .api()
        .request(reqwest::Method::POST, &path)
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&json!({ "reason": "rain" }));
    assert_eq!(
        admin.api().send(&path, request).await.unwrap().ok().map(|_: Value| ()).ok(),
        Some(())
    );

    // gateway → ticket → NATS → access-grant → door.
    let wanted = ["cancel", "TicketService/CancelTicket", "publish", "process", "door"];
    let trace = eventually("every part of the trace", || async {
        let trace = spans.of(TRACE);
        wanted.iter().all(|part| named(&trace, part).is_some()).then_some(trace)
    })
    .await;
    let ids: BTreeSet<&Vec<u8>> = trace.iter().map(|span| &span.span_id).collect();
    let door = named(&trace, "door").unwrap();
    assert!(ids.contains(&door.parent_id), "the door call hangs in the air: {door:?}");
    installation.stop();
    tasks.stop();
}
