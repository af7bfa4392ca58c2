//! HTTP in and out.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceExt, service_fn};

use crate::tasks::Tasks;
use crate::telemetry;

/// A client that does not send a request's headers within this time is hung up on.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Between looks after a failed accept: the process has no descriptors left, most likely.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves `router` until shutdown; requests in flight are finished. Handlers can see the peer's address.
pub fn listen(tasks: &Tasks, name: &'static str, listener: TcpListener, router: Router) {
    listen_for(tasks, name, listener, router, HEADERS_WITHIN);
}

fn listen_for(
    tasks: &Tasks,
    name: &'static str,
    listener: TcpListener,
    router: Router,
    headers_within: Duration,
) {
    let stop = tasks.cancelled();
    tasks.spawn(name, async move {
        let connections = GracefulShutdown::new();
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(headers_within);
        server.http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS_WITHIN);
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => serve(&server, &connections, stream, peer, router.clone()),
                Err(err) => {
                    tracing::warn!(listener = name, error = %err, "connection not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        drop(listener);
        connections.shutdown().await;
    });
}

fn serve(
    server: &auto::Builder<TokioExecutor>,
    connections: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) {
    // Fails only on a connection that is gone already; serving it shows that too.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = server
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let connection = connections.watch(connection.into_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "the listener's own task waits for its connections"
    )]
    tokio::spawn(async move {
        // Clients hang up as they please.
        if let Err(err) = connection.await {
            tracing::debug!(error = %err, "connection ended");
        }
    });
}

/// Calls outside firms: a deadline on each call, no redirects, the trace passed on.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client whose calls end after `timeout`, whatever happens.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        // Fails only when a provider is installed already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(3)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self(client))
    }

    /// Starts a request; send it with reqwest's builder.
    pub fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.0.request(method, url);
        match telemetry::current_traceparent() {
            Some(traceparent) => request.header(telemetry::TRACEPARENT, traceparent),
            None => request,
        }
    }

    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::GET, url)
    }

    pub fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, url)
    }

    pub fn delete(&self, url: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::DELETE, url)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;

    use super::listen_for;
    use crate::tasks::Tasks;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn ask(address: std::net::SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_headers_is_hung_up_on() {
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        listen_for(&tasks, "test", listener, Router::new(), Duration::from_millis(50));
        let answer = rest(ask(address, b"GET / HTTP/1.1\r\nhost: x").await).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_in_flight_is_finished_at_shutdown() {
        let (tasks, begun, go_on) =
            (Tasks::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, waits) = (Arc::clone(&begun), Arc::clone(&go_on));
        let router = Router::new().route(
            "/",
            get(move || async move {
                begins.notify_one();
                waits.notified().await;
                "done"
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        listen_for(&tasks, "test", listener, router, PATIENCE);
        let stream = ask(address, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        begun.notified().await;
        tasks.stop();
        go_on.notify_one();
        assert!(rest(stream).await.ends_with("done"));
        assert!(tasks.finished(PATIENCE).await);
        assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    }
}
