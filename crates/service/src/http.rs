//! HTTP in and out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use crate::tasks::Tasks;
use crate::telemetry;

/// Serves `router` until shutdown; requests in flight are finished. Handlers can see the peer's address.
pub fn listen(tasks: &Tasks, name: &'static str, listener: TcpListener, router: Router) {
    let stop = tasks.cancelled();
    tasks.spawn(name, async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service).with_graceful_shutdown(stop).await;
        if let Err(err) = served {
            tracing::error!(listener = name, error = %err, "HTTP listener failed");
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
