use proto::access_grant::v1::{AwaitAuthorizedRequest, AwaitAuthorizedResponse};
use proto::directory::v1::{
    Area, BindWorkerRequest, BindWorkerResponse, EnterMiniProgramRequest, EnterMiniProgramResponse,
    ListAreasRequest, ListAreasResponse, SendSmsCodeRequest, SendSmsCodeResponse,
};
use proto::ticket::v1::{
    DailyTicket, ListWorkerTasksRequest, ListWorkerTasksResponse, Ticket, WorkerProgress,
    WorkerTask,
};
use proto::training::v1::{
    Check, CheckVideosRequest, CheckVideosResponse, FinishSessionRequest, FinishSessionResponse,
    ReportProgressRequest, ReportProgressResponse, StartFaceVerificationRequest,
    StartFaceVerificationResponse, StartSessionRequest, StartSessionResponse, Video,
};
use serde_json::{Value, json};
use types::ErrorCode;

use crate::help::{Edge, edge, id, keys};

fn bind() -> Value {
    json!({"mp_code": "wx_login_code", "phone": "19900000000", "sms_code": "123456", "id_no": "659999199001010000"})
}

#[tokio::test]
async fn binding_needs_no_token_and_answers_one() {
    let edge = edge().await;
    let (worker, site) = (edge.worker.to_string(), edge.site.to_string());
    edge.fakes.on("DirectoryService/BindWorker", move |_: BindWorkerRequest| {
        Ok(BindWorkerResponse {
            worker_id: worker.clone(),
            wechat_user_id: "u".to_owned(),
            site_ids: vec![site.clone()],
            took_over: false,
        })
    });
    let bound = edge.post("", "/api/mp/bind", &bind()).await;
    assert_eq!(keys(bound.data()), ["mp_session_token", "took_over", "worker_id"]);
    assert_eq!(bound.data()["worker_id"], edge.worker.to_string());
    let asked = edge.fakes.only("DirectoryService/BindWorker");
    assert_eq!(asked.caller.subject, auth::Subject::Anonymous);
    assert_eq!(asked.message::<BindWorkerRequest>().sms_code, "123456");

    let token = bound.data()["mp_session_token"].as_str().unwrap();
    edge.get(token, "/api/mp/tasks/today").await;
    let asked = edge.fakes.only("TicketService/ListWorkerTasks");
    assert_eq!(asked.caller.worker_id(), Some(edge.worker));
    assert_eq!(asked.caller.sites, auth::Sites::Some(vec![edge.site]));
}

#[tokio::test]
async fn who_is_not_in_the_roster_is_404() {
    let edge = edge().await;
    edge.fakes.refuse("DirectoryService/BindWorker", ErrorCode::WorkerNotFoundInRealname);
    let refused = edge.post("", "/api/mp/bind", &bind()).await;
    assert_eq!((refused.status, refused.code()), (404, 40401));
    assert_eq!(refused.body["message"], "WORKER_NOT_FOUND_IN_REALNAME");
}

#[tokio::test]
async fn a_stranger_s_session_asks_for_an_sms_code_and_nothing_else() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/EnterMiniProgram", |_: EnterMiniProgramRequest| {
        Ok(EnterMiniProgramResponse {
            wechat_user_id: "u".to_owned(),
            ..EnterMiniProgramResponse::default()
        })
    });
    edge.fakes.on("DirectoryService/SendSmsCode", |asked: SendSmsCodeRequest| {
        assert_eq!(asked.wechat_user_id, "u", "who asks, for the limit on them");
        Ok(SendSmsCodeResponse::default())
    });
    let entered = edge.post("", "/api/mp/login", &json!({"mp_code": "demo-1"})).await;
    assert_eq!(entered.data()["bound"], false);
    let token = entered.data()["mp_session_token"].as_str().unwrap();
    let phone = json!({"phone": "19900000000"});
    edge.post(token, "/api/mp/sms-codes", &phone).await.data();
    assert_eq!(edge.post("", "/api/mp/sms-codes", &phone).await.code(), 40101);
    assert_eq!(edge.get(token, "/api/mp/pass").await.code(), 40301);
}

#[tokio::test]
async fn a_phone_that_was_bound_is_told_at_login_why_it_is_no_more() {
    let edge = edge().await;
    let ended_at: chrono::DateTime<chrono::Utc> = "2026-01-09T23:30:00Z".parse().unwrap();
    edge.fakes.on("DirectoryService/EnterMiniProgram", move |asked: EnterMiniProgramRequest| {
        let user = EnterMiniProgramResponse {
            wechat_user_id: "u".to_owned(),
            ..EnterMiniProgramResponse::default()
        };
        Ok(match asked.mp_code.as_str() {
            "old" => EnterMiniProgramResponse {
                ended_because: "REPLACED".to_owned(),
                ended_at: Some(proto::timestamp(ended_at)),
                ..user
            },
            _ => user,
        })
    });
    let entered = edge.post("", "/api/mp/login", &json!({"mp_code": "old"})).await;
    let ended = json!({"reason": "REPLACED", "ended_at": "2026-01-09T23:30:00Z"});
    assert_eq!(
        (&entered.data()["bound"], &entered.data()["binding_ended"]),
        (&json!(false), &ended)
    );
    let entered = edge.post("", "/api/mp/login", &json!({"mp_code": "new"})).await;
    assert_eq!(entered.data()["binding_ended"], Value::Null);
}

fn task(site: &str, area: &str, video: &str) -> WorkerTask {
    // 07:30 in Shanghai.
    let deadline: chrono::DateTime<chrono::Utc> = "2026-01-09T23:30:00Z".parse().unwrap();
    WorkerTask {
        ticket: Some(Ticket {
            title: "1#楼钢筋绑扎".to_owned(),
            site_id: site.to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            area_ids: vec![area.to_owned()],
            video_ids: vec![video.to_owned()],
            ..Ticket::default()
        }),
        daily_ticket: Some(DailyTicket {
            daily_ticket_id: "dt_9001".to_owned(),
            date: "2026-01-10".to_owned(),
            deadline_at: Some(proto::timestamp(deadline)),
            ..DailyTicket::default()
        }),
        progress: Some(WorkerProgress {
            training_status: "NOT_STARTED".to_owned(),
            ..WorkerProgress::default()
        }),
    }
}

#[tokio::test]
async fn today_s_tasks_are_told_as_the_requirements_say() {
    let edge = edge().await;
    let (site, area, video) = (edge.site.to_string(), id(), id());
    let tasks = vec![task(&site, &area, &video)];
    edge.fakes.on("TicketService/ListWorkerTasks", move |_: ListWorkerTasksRequest| {
        Ok(ListWorkerTasksResponse { date: "2026-01-10".to_owned(), tasks: tasks.clone() })
    });
    let named = Area { area_id: area.clone(), name: "1#楼A区".to_owned(), ..Area::default() };
    edge.fakes.on("DirectoryService/ListAreas", move |_: ListAreasRequest| {
        Ok(ListAreasResponse { areas: vec![named.clone()] })
    });
    let titled =
        Video {
            video_id: video.clone(), title: "高处作业安全".to_owned(), ..Video::default()
        };
    edge.fakes.on("TrainingService/CheckVideos", move |_: CheckVideosRequest| {
        Ok(CheckVideosResponse { videos: vec![titled.clone()], unknown_video_ids: vec![] })
    });
    let today = edge.get(&edge.phone(), "/api/mp/tasks/today").await;
    assert_eq!(keys(today.data()), ["date", "tasks"]);
    let task = &today.data()["tasks"][0];
    for (key, value) in [
        ("daily_ticket_id", json!("dt_9001")),
        ("ticket_title", json!("1#楼钢筋绑扎")),
        ("areas", json!([{"area_id": area, "name": "1#楼A区"}])),
        ("deadline", json!("07:30")),
        ("videos", json!([{"video_id": video, "title": "高处作业安全", "duration_sec": 0}])),
        ("training_status", json!("NOT_STARTED")),
        ("authorized", json!(false)),
    ] {
        assert_eq!(task[key], value, "{key}");
    }
    // A worker may see the names, not ask for the lists.
    let asked = edge.fakes.only("DirectoryService/ListAreas");
    assert_eq!(asked.caller.subject, auth::Subject::Service("gateway".to_owned()));
}

#[tokio::test]
async fn a_session_starts_with_a_face_and_counts_what_is_watched() {
    let edge = edge().await;
    edge.fakes.on("TrainingService/StartFaceVerification", |_: StartFaceVerificationRequest| {
        Ok(StartFaceVerificationResponse {
            face_verify_token: "f".to_owned(),
            provider: "wechat".to_owned(),
            verify_id: "v".to_owned(),
            expires_at: None,
        })
    });
    edge.fakes.on("TrainingService/StartSession", |_: StartSessionRequest| {
        Ok(StartSessionResponse {
            session_id: "s".to_owned(),
            session_token: "st".to_owned(),
            ..StartSessionResponse::default()
        })
    });
    edge.fakes.on("TrainingService/ReportProgress", |_: ReportProgressRequest| {
        let check = Check { check_id: "c".to_owned(), expires_at: None };
        Ok(ReportProgressResponse {
            valid_watch_sec: 110,
            check: Some(check),
            ..ReportProgressResponse::default()
        })
    });
    let (phone, day, video) = (edge.phone(), id(), id());
    let face = json!({"purpose": "start", "daily_ticket_id": day});
    let face = edge.post(&phone, "/api/mp/face-verifications", &face).await;
    assert_eq!(
        (&face.data()["face_verify_token"], &face.data()["params"]),
        (&json!("f"), &json!({"verify_id": "v"}))
    );
    let asked: StartFaceVerificationRequest =
        edge.fakes.only("TrainingService/StartFaceVerification").message();
    assert_eq!((asked.purpose.as_str(), asked.check_id.as_str()), ("START", ""));

    let start = json!({
        "daily_ticket_id": day, "video_id": video, "face_verify_token": "f", "device": {"model": "A"},
    });
    let started = edge.post(&phone, "/api/mp/training-sessions", &start).await;
    assert_eq!(
        keys(started.data()),
        ["duration_sec", "play_url", "resume_at_sec", "session_id", "session_token"]
    );
    let asked: StartSessionRequest = edge.fakes.only("TrainingService/StartSession").message();
    assert_eq!(
        (asked.worker_id, asked.device.as_str()),
        (edge.worker.to_string(), r#"{"model":"A"}"#)
    );

    let path = format!("/api/mp/training-sessions/{}/progress", id());
    let report = json!({"session_token": "st", "current_sec": 120.9, "duration_sec": 600, "event": "PLAYING"});
    let counted = edge.post(&phone, &path, &report).await;
    assert_eq!(keys(counted.data()), ["check", "required_sec", "status", "valid_watch_sec"]);
    assert_eq!(counted.data()["valid_watch_sec"], 110);
    let asked: ReportProgressRequest = edge.fakes.only("TrainingService/ReportProgress").message();
    assert_eq!((asked.current_sec, asked.duration_sec), (120, 600));

    let odd =
        json!({"session_token": "st", "current_sec": -1, "duration_sec": 600, "event": "FLYING"});
    assert_eq!(edge.post(&phone, &path, &odd).await.fields(), ["current_sec", "event"]);
}

fn finishing(edge: &Edge, day_complete: bool, in_time: bool) {
    edge.fakes.on("TrainingService/FinishSession", move |request: FinishSessionRequest| {
        Ok(FinishSessionResponse {
            result: "COMPLETED".to_owned(),
            daily_ticket_id: "d".to_owned(),
            worker_id: request.worker_id,
            day_complete,
            in_time,
        })
    });
}

#[tokio::test]
async fn finishing_waits_for_the_doors_and_says_what_is_pending() {
    let edge = edge().await;
    let (phone, path) = (edge.phone(), format!("/api/mp/training-sessions/{}/finish", id()));
    finishing(&edge, true, true);
    edge.fakes.on("AccessGrantService/AwaitAuthorized", |_: AwaitAuthorizedRequest| {
        Ok(AwaitAuthorizedResponse { authorized: true, pending_area_ids: vec![] })
    });
    let finished = edge.post(&phone, &path, &json!({"session_token": "st"})).await;
    assert_eq!(*finished.data(), json!({"result": "COMPLETED", "authorized": true}));
    let asked: AwaitAuthorizedRequest =
        edge.fakes.only("AccessGrantService/AwaitAuthorized").message();
    assert_eq!((asked.wait_ms, asked.worker_id), (2_000, edge.worker.to_string()));

    edge.fakes.refuse("AccessGrantService/AwaitAuthorized", ErrorCode::UpstreamUnavailable);
    let pending = json!({"why": "SYNC_PENDING", "area_ids": []});
    let expected = json!({"result": "COMPLETED", "authorized": false, "pending": pending});
    // As the requirements have it: without a body.
    let request = edge.request(reqwest::Method::POST, &path).bearer_auth(&phone);
    assert_eq!(*edge.send(request).await.data(), expected);

    finishing(&edge, true, false);
    let late = edge.post(&phone, &path, &json!({})).await;
    assert_eq!(late.data()["pending"]["why"], "AFTER_DEADLINE");
    finishing(&edge, false, true);
    let more = edge.post(&phone, &path, &json!({})).await;
    assert_eq!(more.data()["pending"]["why"], "VIDEOS_LEFT");
    assert_eq!(edge.fakes.asked("AccessGrantService/AwaitAuthorized").len(), 2);
}

#[tokio::test]
async fn finishing_too_early_is_refused_with_the_day() {
    let edge = edge().await;
    edge.fakes.on(
        "TrainingService/FinishSession",
        |_: FinishSessionRequest| -> Result<FinishSessionResponse, _> {
            Err(service::Refusal::new(ErrorCode::TrainingIncomplete)
                .data("daily_ticket_id", "dt_9001")
                .into())
        },
    );
    let path = format!("/api/mp/training-sessions/{}/finish", id());
    let refused = edge.post(&edge.phone(), &path, &json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, 40012));
    assert_eq!(refused.body["data"]["daily_ticket_id"], "dt_9001");
}
