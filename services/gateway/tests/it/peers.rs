//! Services played by closures: what is not played answers UNIMPLEMENTED.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use ::auth::{Caller, CallerKeys};
use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use prost::Message;
use proto::audit::v1::{CrossSiteRequest, CrossSiteResponse};
use service::Refusal;
use service::grpc::{CALLER, Peers};
use tonic::Status;
use tonic::body::Body;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use types::{ErrorCode, SystemClock};

/// A call that a service was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `TicketService/CreateTicket`.
    pub(crate) method: String,
    pub(crate) caller: Caller,
    pub(crate) idempotency_key: Option<String>,
    message: Bytes,
}

impl Asked {
    pub(crate) fn message<M: Message + Default>(&self) -> M {
        M::decode(self.message.clone()).unwrap()
    }
}

/// The messages of an answer: one, but of a streaming call.
type Messages = Result<Vec<Vec<u8>>, Status>;
type Play = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Messages> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Fakes {
    plays: Arc<Mutex<HashMap<String, Play>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

const SERVICES: &[&str] = &[
    "access-grant",
    "audit",
    "device",
    "directory",
    "notification",
    "report",
    "ticket",
    "training",
];

impl Fakes {
    pub(crate) fn provide(peers: &Peers, keys: &CallerKeys, system: &SystemClock) -> Self {
        let fakes = Self { plays: Arc::default(), asked: Arc::default() };
        // Asked before each question about a site.
        fakes.on("AuditService/CrossSite", |_: CrossSiteRequest| Ok(CrossSiteResponse {}));
        for service in SERVICES {
            let (fakes, keys, system) = (fakes.clone(), keys.clone(), system.clone());
            let server = service_fn(move |request: http::Request<Body>| {
                let (fakes, keys, now) = (fakes.clone(), keys.clone(), system.now());
                async move { Ok::<_, Infallible>(fakes.serve(&keys, now, request).await) }
            });
            peers.provide(service, BoxCloneSyncService::new(server));
        }
        fakes
    }

    /// Plays `method`, such as `TicketService/CreateTicket`. Playing it again replaces it.
    pub(crate) fn on<Q: Message + Default, A: Message + 'static>(
        &self,
        method: &str,
        play: impl Fn(Q) -> Result<A, Status> + Send + Sync + 'static,
    ) {
        self.on_slow(method, move |question| std::future::ready(play(question)));
    }

    /// Plays a call whose answer may take its time.
    pub(crate) fn on_slow<Q, A, F>(
        &self,
        method: &str,
        play: impl Fn(Q) -> F + Send + Sync + 'static,
    ) where
        Q: Message + Default,
        A: Message,
        F: Future<Output = Result<A, Status>> + Send + 'static,
    {
        self.play(method, move |bytes| {
            let answer = play(Q::decode(bytes).unwrap());
            async move { Ok(vec![answer.await?.encode_to_vec()]) }
        });
    }

    /// Plays a call that answers many messages.
    pub(crate) fn on_stream<Q: Message + Default, A: Message>(
        &self,
        method: &str,
        play: impl Fn(Q) -> Vec<A> + Send + Sync + 'static,
    ) {
        self.play(method, move |bytes| {
            let answers = play(Q::decode(bytes).unwrap());
            std::future::ready(Ok(answers.iter().map(Message::encode_to_vec).collect()))
        });
    }

    /// Refuses `method`.
    pub(crate) fn refuse(&self, method: &str, code: ErrorCode) {
        self.play(method, move |_| std::future::ready(Err(Refusal::new(code).into())));
    }

    fn play<F: Future<Output = Messages> + Send + 'static>(
        &self,
        method: &str,
        play: impl Fn(Bytes) -> F + Send + Sync + 'static,
    ) {
        let play: Play = Arc::new(move |bytes| play(bytes).boxed());
        self.plays.lock().unwrap().insert(method.to_owned(), play);
    }

    /// Every call of `method` so far.
    pub(crate) fn asked(&self, method: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.method == method).cloned().collect()
    }

    /// The one call of `method`.
    pub(crate) fn only(&self, method: &str) -> Asked {
        let mut asked = self.asked(method);
        assert_eq!(asked.len(), 1, "{method}");
        asked.remove(0)
    }

    async fn serve(
        &self,
        keys: &CallerKeys,
        now: DateTime<Utc>,
        request: http::Request<Body>,
    ) -> http::Response<Body> {
        let (parts, body) = request.into_parts();
        // "/sitepass.ticket.v1.TicketService/CreateTicket"
        let method = parts.uri.path().rsplit_once('.').unwrap().1.to_owned();
        let header =
            |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let caller = keys.verify(&header(CALLER).unwrap(), now).unwrap();
        // One frame: a flag, the length, the message.
        let message = body.collect().await.unwrap().to_bytes().slice(5..);
        let idempotency_key = header("idempotency-key");
        let asked =
            Asked { method: method.clone(), caller, idempotency_key, message: message.clone() };
        self.asked.lock().unwrap().push(asked);
        let play = self.plays.lock().unwrap().get(&method).cloned();
        let answer = match play {
            Some(play) => play(message).await,
            None => Err(Status::unimplemented(method)),
        };
        match answer {
            Ok(answer) => framed(&answer),
            Err(status) => status.into_http(),
        }
    }
}

fn framed(messages: &[Vec<u8>]) -> http::Response<Body> {
    let mut frame = BytesMut::new();
    for message in messages {
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.put_slice(message);
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = http::Response::new(Body::new(body));
    let kind = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
