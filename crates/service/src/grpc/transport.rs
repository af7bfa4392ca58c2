use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};
use tracing::Instrument;
use types::ErrorCode;

use super::MAX_HEADER_BYTES;
use super::server::{Layered, deadline};
use crate::refusal::Refusal;
use crate::telemetry;

/// What every generated client runs on: the service itself when it lives in this process, HTTP/2 otherwise.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// The deadline of a call whose caller set none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// Where each service is. Clones share it.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Services of this process; a call waits until they are provided.
    local: Arc<Mutex<BTreeMap<String, watch::Sender<Option<Layered>>>>>,
    /// Services elsewhere, by name.
    channels: Arc<BTreeMap<String, Channel>>,
    /// Every service counts as local (tests).
    all_local: bool,
}

impl Peers {
    /// `local` runs in this process, `urls` says where the others are.
    pub fn new(
        local: &BTreeSet<String>,
        urls: &BTreeMap<String, String>,
    ) -> Result<Self, tonic::transport::Error> {
        let mut channels = BTreeMap::new();
        for (service, url) in urls.iter().filter(|(service, _)| !local.contains(*service)) {
            let endpoint = Endpoint::from_shared(url.clone())?
                .connect_timeout(Duration::from_secs(2))
                .tcp_nodelay(true)
                .http2_max_header_list_size(MAX_HEADER_BYTES)
                .http2_keep_alive_interval(Duration::from_secs(10))
                .keep_alive_timeout(Duration::from_secs(5));
            channels.insert(service.clone(), endpoint.connect_lazy());
        }
        let local =
            local.iter().map(|service| (service.clone(), watch::Sender::new(None))).collect();
        Ok(Self {
            local: Arc::new(Mutex::new(local)),
            channels: Arc::new(channels),
            all_local: false,
        })
    }

    /// Every service is in this process, now or soon.
    pub fn in_process() -> Self {
        Self { local: Arc::default(), channels: Arc::default(), all_local: true }
    }

    /// Offers a service to this process. Offering it again replaces it.
    pub fn provide(&self, service: &str, server: Layered) {
        if let Some(sender) = self.sender(service, true) {
            sender.send_replace(Some(server));
        }
    }

    /// A transport to `service`. Making one never fails; a call to a service that is nowhere answers UNAVAILABLE.
    pub fn transport(&self, service: &'static str) -> Transport {
        let peers = self.clone();
        Transport::new(service_fn(move |request: http::Request<Body>| {
            let peers = peers.clone();
            async move { peers.call(service, request).await }
        }))
    }

    fn sender(&self, service: &str, providing: bool) -> Option<watch::Sender<Option<Layered>>> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = local.get(service) {
            return Some(sender.clone());
        }
        (providing || self.all_local).then(|| {
            local.entry(service.to_owned()).or_insert_with(|| watch::Sender::new(None)).clone()
        })
    }

    async fn call(
        &self,
        service: &'static str,
        mut request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Status> {
        let method = request.uri().path().to_owned();
        let span = tracing::info_span!(
            "call",
            otel.name = method.trim_start_matches('/'),
            otel.kind = "client",
            rpc.system = "grpc",
            rpc.method = method,
            sitepass.peer = service,
        );
        let limit = if let Some(limit) = deadline(request.headers()) {
            limit
        } else {
            let milliseconds = HeaderValue::from_str(&format!("{}m", DEFAULT_DEADLINE.as_millis()));
            request
                .headers_mut()
                .insert("grpc-timeout", milliseconds.map_err(|_| Status::internal("deadline"))?);
            DEFAULT_DEADLINE
        };
        let work = async {
            if let Some(traceparent) = telemetry::current_traceparent()
                && let Ok(value) = HeaderValue::from_str(&traceparent)
            {
                request.headers_mut().insert(telemetry::TRACEPARENT, value);
            }
            if let Some(channel) = self.channels.get(service) {
                return remote(channel.clone(), service, request).await;
            }
            match self.local(service).await {
                Some(server) => server.oneshot(request).await.map_err(|never| match never {}),
                None => Err(unavailable(service)),
            }
        };
        match tokio::time::timeout(limit, work.instrument(span)).await {
            Ok(answer) => answer,
            Err(_) => Err(late(service)),
        }
    }

    async fn local(&self, service: &str) -> Option<Layered> {
        let mut receiver = self.sender(service, false)?.subscribe();
        let provided = receiver.wait_for(Option::is_some).await.ok()?;
        provided.clone()
    }
}

async fn remote(
    mut channel: Channel,
    service: &'static str,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, Status> {
    let ready = channel.ready().await.map_err(|_| unavailable(service))?;
    ready.call(request).await.map_err(|err| match Status::from_error(Box::new(err)).code() {
        // The channel keeps the deadline too, and may be the first to notice.
        Code::Cancelled | Code::DeadlineExceeded => late(service),
        _ => unavailable(service),
    })
}

fn late(service: &str) -> Status {
    Refusal::new(ErrorCode::Timeout).data("upstream", service).into()
}

fn unavailable(service: &str) -> Status {
    Refusal::new(ErrorCode::UpstreamUnavailable).data("upstream", service).into()
}
