use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use auth::Caller;
use futures::FutureExt;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Request, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};
use tracing::Instrument;
use types::ErrorCode;

use super::{CALLER, MAX_HEADER_BYTES, Policy};
use crate::refusal::Refusal;
use crate::shell::Shell;
use crate::telemetry;

/// The longest a call may take, whatever its caller asks for.
const LONGEST: Duration = Duration::from_mins(1);

/// The full method path of a call, `/package.Service/Method`; put into its extensions by the layer.
#[derive(Debug, Clone)]
pub struct Method(pub String);

/// A server as a plain service: within the process, and behind the listener.
pub(crate) type Layered =
    BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;

/// The verified caller of a request that passed the layer.
pub fn caller<M>(request: &Request<M>) -> Result<Caller, Status> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn).into())
}

/// Offers `routes` to this process and, when `listener` is given, to others.
pub fn serve(
    shell: &Shell,
    service: &'static str,
    routes: Routes,
    policy: Policy,
    listener: Option<TcpListener>,
) {
    let layered = layered(shell, service, routes, policy);
    shell.peers.provide(service, layered.clone());
    if let Some(listener) = listener {
        let ours =
            layered.map_request(|request: http::Request<axum::body::Body>| request.map(Body::new));
        // The standard health service answers SERVING for as long as the listener lives; readiness is the admin port's.
        let (_, health) = tonic_health::server::health_reporter();
        let mut standard = Routes::new(health);
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .build_v1();
        match reflection {
            Ok(reflection) => standard = standard.add_service(reflection),
            Err(err) => tracing::error!(error = %err, "no reflection"),
        }
        let routes = Routes::from(standard.into_axum_router().fallback_service(ours));
        let stop = shell.tasks.cancelled();
        shell.tasks.spawn("grpc", async move {
            let served = tonic::transport::Server::builder()
                .tcp_nodelay(true)
                .http2_max_header_list_size(MAX_HEADER_BYTES)
                .add_routes(routes)
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
                .await;
            if let Err(err) = served {
                tracing::error!(service, error = %err, "gRPC listener failed");
            }
        });
    }
}

/// `routes` behind every layer: panic, trace, deadline, caller, policy.
pub fn layered(shell: &Shell, service: &'static str, routes: Routes, policy: Policy) -> Layered {
    let routes = routes.prepare();
    let shell = shell.clone();
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Body>| {
        let (routes, shell) = (routes.clone(), shell.clone());
        async move { Ok(guarded(&shell, service, routes, policy, request).await) }
    }))
}

async fn guarded(
    shell: &Shell,
    service: &'static str,
    routes: Routes,
    policy: Policy,
    request: http::Request<Body>,
) -> http::Response<Body> {
    let method = request.uri().path().to_owned();
    let span = tracing::info_span!(
        "rpc",
        otel.name = method.trim_start_matches('/'),
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
        sitepass.service = service,
    );
    telemetry::set_parent(&span, header(request.headers(), telemetry::TRACEPARENT));
    let started = Instant::now();
    let limit = deadline(request.headers()).unwrap_or(LONGEST).min(LONGEST);
    let work = async {
        let request = admit(shell, policy, &method, request)?;
        let answered =
            tokio::time::timeout(limit, AssertUnwindSafe(answer(routes, request)).catch_unwind())
                .await;
        match answered {
            Err(_) => Err(Refusal::new(ErrorCode::Timeout)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => {
                tracing::error!(rpc.method = method, "handler panicked");
                Err(Refusal::new(ErrorCode::Internal))
            }
        }
    };
    let response = work
        .instrument(span.clone())
        .await
        .unwrap_or_else(|refusal| Status::from(refusal).into_http());
    let code = Status::from_header_map(response.headers()).map_or(0, |status| status.code() as i32);
    span.record("rpc.grpc.status_code", code);
    let labels = [("method", method), ("code", code.to_string())];
    metrics::histogram!("sitepass_rpc_duration_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
    response
}

async fn answer(mut routes: Routes, request: http::Request<Body>) -> http::Response<Body> {
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Verifies the caller and the permission; nothing of the sender's extensions is passed on.
fn admit(
    shell: &Shell,
    policy: Policy,
    method: &str,
    request: http::Request<Body>,
) -> Result<http::Request<Body>, Refusal> {
    let access = policy.iter().find(|(path, _)| *path == method).map(|(_, access)| *access);
    let Some(access) = access else { return Err(Refusal::new(ErrorCode::PermissionDenied)) };
    let token =
        header(request.headers(), CALLER).ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn))?;
    let caller = shell
        .keys
        .verify(token, shell.system.now())
        .map_err(|_| Refusal::new(ErrorCode::NotSignedIn))?;
    access.check(&caller)?;
    let (mut parts, body) = request.into_parts();
    parts.extensions = http::Extensions::new();
    parts.extensions.insert(caller);
    parts.extensions.insert(Method(method.to_owned()));
    Ok(http::Request::from_parts(parts, body))
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, "Requests").
pub(super) fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = header(headers, "grpc-timeout")?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}
