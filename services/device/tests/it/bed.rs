//! One running service with a site, two areas and a door.

use std::time::Duration;

use auth::{Caller, device_signature};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use device::{Config, FollowAreas, FollowWorkers};
use events::Handler;
use events::testing::{delivery, outbox};
use prost::Message;
use proto::Event;
use proto::common::v1::CommandAudited;
use proto::device::v1::device_service_client::DeviceServiceClient;
use proto::device::v1::{
    ListPassagesRequest, Passage, RegisterDeviceRequest, RegisterDeviceResponse,
};
use proto::directory::v1::{Area, AreaChanged, Engagement, Worker, WorkerChanged};
use serde_json::{Value, json};
use service::config::{Secret, SecretRing};
use service::grpc::{Peers, Transport};
use service::http::Client;
use service::{Refusal, Store, Tasks};
use test_support::Harness;
use types::{AreaId, ContractorId, ErrorCode, EventId, SiteId, WorkerId};

pub(crate) const NORTH: &str = "acg_north";

pub(crate) struct Bed {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) client: DeviceServiceClient<Transport>,
    pub(crate) site: SiteId,
    pub(crate) area: AreaId,
    pub(crate) admin: Caller,
    base: String,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let config = Config {
            database: harness.database.config(),
            grpc_listen: None,
            listen: ([127, 0, 0, 1], 0).into(),
            vault: SecretRing::of_one(Secret::new(&[7; 32])),
        };
        let address = device::start(config, harness.shell.clone()).await.unwrap();
        let store = harness.store("device").await;
        let (site, area) = (SiteId::new(), AreaId::new());
        let bed = Self {
            store,
            client: DeviceServiceClient::new(harness.shell.peers.transport("device")),
            site,
            area,
            admin: harness.sysadmin(&[site]),
            base: format!("http://{address}"),
            harness,
        };
        bed.deliver(&FollowAreas, &area_changed(site, area, NORTH, 1)).await;
        bed
    }

    /// Stops the service and starts it again with these secrets, on the same tables.
    pub(crate) async fn restart(&mut self, vault: SecretRing) {
        let shell = &mut self.harness.shell;
        shell.tasks.stop();
        assert!(shell.tasks.finished(Duration::from_secs(10)).await, "a task did not stop");
        (shell.tasks, shell.peers) = (Tasks::new(), Peers::in_process());
        let config = Config {
            database: self.harness.database.config(),
            grpc_listen: None,
            listen: ([127, 0, 0, 1], 0).into(),
            vault,
        };
        let address = device::start(config, self.harness.shell.clone()).await.unwrap();
        self.client = DeviceServiceClient::new(self.harness.shell.peers.transport("device"));
        self.base = format!("http://{address}");
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.harness.now()
    }

    /// Hands an event to a consumer, as a first delivery.
    pub(crate) async fn deliver<E: Event>(&self, handler: &impl Handler, event: &E) {
        events::deliver(&self.store, handler, &delivery(event)).await.unwrap();
    }

    /// A worker of the site with this face.
    pub(crate) async fn worker(&self, face: &str, contractor: ContractorId) -> WorkerId {
        let worker = WorkerId::new();
        let changed = worker_changed(worker, face, &[(self.site, contractor)], 1);
        self.deliver(&FollowWorkers, &changed).await;
        worker
    }

    pub(crate) fn registration(&self, id: &str) -> RegisterDeviceRequest {
        RegisterDeviceRequest {
            device_id: id.to_owned(),
            site_id: self.site.to_string(),
            name: "北门".to_owned(),
            area_ids: vec![self.area.to_string()],
            direction: "both".to_owned(),
        }
    }

    pub(crate) async fn register(&self, request: RegisterDeviceRequest) -> RegisterDeviceResponse {
        let request = self.harness.request(&self.admin, request);
        self.client.clone().register_device(request).await.unwrap().into_inner()
    }

    pub(crate) async fn door(&self, id: &str) -> Door {
        self.door_with(RegisterDeviceRequest { ..self.registration(id) }).await
    }

    pub(crate) async fn door_with(&self, request: RegisterDeviceRequest) -> Door {
        let id = request.device_id.clone();
        let secret = self.register(request).await.secret;
        self.door_of(&id, &secret)
    }

    pub(crate) fn door_of(&self, id: &str, secret: &str) -> Door {
        Door {
            id: id.to_owned(),
            secret: secret.to_owned(),
            base: self.base.clone(),
            client: Client::new(Duration::from_secs(20)).unwrap(),
            system: self.harness.shell.system.clone(),
        }
    }

    pub(crate) async fn passages(&self, request: ListPassagesRequest) -> (Vec<Passage>, String) {
        self.passages_for(&self.admin, request).await
    }

    pub(crate) async fn passages_for(
        &self,
        caller: &Caller,
        request: ListPassagesRequest,
    ) -> (Vec<Passage>, String) {
        let request = self.harness.request(caller, request);
        let answer = self.client.clone().list_passages(request).await.unwrap().into_inner();
        (answer.passages, answer.next_cursor)
    }

    pub(crate) async fn all_passages(&self) -> Vec<Passage> {
        self.passages(ListPassagesRequest { site_id: self.site.to_string(), ..Default::default() })
            .await
            .0
    }

    /// Facts of this kind in the outbox, in order.
    pub(crate) async fn facts<E: Event>(&self) -> Vec<E> {
        let all = outbox(&self.store).await;
        let ours = all.iter().filter(|(name, _)| name == E::NAME);
        ours.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// The records of commands in the outbox.
    pub(crate) async fn audited(&self) -> Vec<CommandAudited> {
        let all = outbox(&self.store).await;
        let audited = all.iter().filter(|(name, _)| name == "CommandAudited");
        audited.map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap()).collect()
    }
}

pub(crate) fn code(status: &tonic::Status) -> ErrorCode {
    Refusal::from_status(status).code
}

pub(crate) fn area_changed(site: SiteId, area: AreaId, group: &str, version: u64) -> AreaChanged {
    AreaChanged {
        area: Some(Area {
            area_id: area.to_string(),
            site_id: site.to_string(),
            name: "一号基坑".to_owned(),
            access_group_id: group.to_owned(),
            status: "ACTIVE".to_owned(),
            version,
            ..Area::default()
        }),
    }
}

pub(crate) fn worker_changed(
    worker: WorkerId,
    face: &str,
    engagements: &[(SiteId, ContractorId)],
    version: u64,
) -> WorkerChanged {
    let engagements = engagements.iter().map(|(site, contractor)| Engagement {
        site_id: site.to_string(),
        contractor_id: contractor.to_string(),
        ..Engagement::default()
    });
    WorkerChanged {
        worker: Some(Worker {
            worker_id: worker.to_string(),
            face_id: face.to_owned(),
            engagements: engagements.collect(),
            bound: true,
            status: "ACTIVE".to_owned(),
            version,
            ..Worker::default()
        }),
    }
}

/// An event as a controller writes it, at 2026-03-02T00:00:00Z.
pub(crate) fn event(seq: u64, face: &str, result: &str) -> Value {
    event_at("2026-03-02T08:00:00+08:00", seq, face, result)
}

pub(crate) fn event_at(at: &str, seq: u64, face: &str, result: &str) -> Value {
    json!({"seq": seq, "event_time": at, "face_id": face, "direction": "IN", "result": result, "reason_code": ""})
}

/// A controller's side of the wire.
pub(crate) struct Door {
    pub(crate) id: String,
    pub(crate) secret: String,
    base: String,
    client: Client,
    system: types::SystemClock,
}

/// What stands in a request's headers.
#[derive(Clone)]
pub(crate) struct Headers {
    pub(crate) device: String,
    pub(crate) timestamp: String,
    pub(crate) nonce: String,
    pub(crate) signature: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) traceparent: Option<String>,
}

impl Answer {
    pub(crate) fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap()
    }

    #[track_caller]
    pub(crate) fn data(self) -> Value {
        assert_eq!(self.code(), 0, "{}", self.body);
        self.body["data"].clone()
    }
}

impl Door {
    pub(crate) fn sign(&self, method: &str, path: &str, body: &str) -> Headers {
        let timestamp = self.system.now().timestamp().to_string();
        let nonce = EventId::new().to_string();
        self.sign_with(&timestamp, &nonce, method, path, body)
    }

    pub(crate) fn sign_with(
        &self,
        timestamp: &str,
        nonce: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Headers {
        let secret = self.secret.as_bytes();
        let signature =
            device_signature::sign(secret, timestamp, nonce, method, path, body.as_bytes());
        Headers {
            device: self.id.clone(),
            timestamp: timestamp.to_owned(),
            nonce: nonce.to_owned(),
            signature,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &Headers,
        body: String,
    ) -> Answer {
        let url = format!("{}{path}", self.base);
        let request = match method {
            "GET" => self.client.get(&url),
            "DELETE" => self.client.delete(&url),
            _ => self.client.post(&url),
        };
        let answer = request
            .header("x-device-id", &headers.device)
            .header("x-timestamp", &headers.timestamp)
            .header("x-nonce", &headers.nonce)
            .header("x-signature", &headers.signature)
            .header("x-request-id", "req-1")
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["x-request-id"], "req-1");
        let traceparent =
            answer.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        Answer {
            status,
            body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
            traceparent,
        }
    }

    pub(crate) async fn post(&self, call: &str, body: &Value) -> Answer {
        let (path, body) = (format!("/api/device/v1/{call}"), body.to_string());
        let headers = self.sign("POST", &path, &body);
        self.send("POST", &path, &headers, body).await
    }

    pub(crate) async fn get(&self, call: &str) -> Answer {
        let path = format!("/api/device/v1/{call}");
        let headers = self.sign("GET", &path, "");
        self.send("GET", &path, &headers, String::new()).await
    }

    pub(crate) async fn report(&self, events: &[Value]) -> Value {
        self.post("events", &json!({"events": events})).await.data()
    }

    /// A heartbeat of a clock that is ahead by so much.
    pub(crate) async fn beat(&self, now: DateTime<Utc>, ahead: TimeDelta) -> Value {
        let time = (now + ahead).to_rfc3339_opts(SecondsFormat::Millis, true);
        self.post("heartbeat", &json!({"firmware": "1.4.2", "time": time, "spool": 3})).await.data()
    }
}

/// What became of each event.
pub(crate) fn outcomes(answer: &Value) -> Vec<(u64, String, String)> {
    let outcomes = answer["outcomes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    outcomes
        .map(|one| (one["seq"].as_u64().unwrap(), text(&one["outcome"]), text(&one["why"])))
        .collect()
}
