use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use types::SystemClock;

use crate::{Config, Error, read};

/// Fetched again this long before it ends; old and new both work meanwhile.
const EARLY: TimeDelta = TimeDelta::seconds(60);

/// The shared access token (`/cgi-bin/stable_token`). The lock makes it single flight.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    config: Arc<Config>,
    http: service::http::Client,
    system: SystemClock,
    cached: Arc<Mutex<Option<Cached>>>,
}

struct Cached {
    token: String,
    fresh_until: DateTime<Utc>,
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("fresh_until", &self.fresh_until).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: i64,
}

impl Tokens {
    pub(crate) fn new(
        config: Arc<Config>,
        http: service::http::Client,
        system: SystemClock,
    ) -> Self {
        Self { config, http, system, cached: Arc::default() }
    }

    pub(crate) async fn current(&self) -> Result<String, Error> {
        let mut cached = self.cached.lock().await;
        if let Some(cached) =
            cached.as_ref().filter(|cached| self.system.now() < cached.fresh_until)
        {
            return Ok(cached.token.clone());
        }
        self.fetch(&mut cached, false).await
    }

    /// The token to use after `refused` was: someone else's newer one, or a new one.
    pub(crate) async fn after(&self, refused: &str) -> Result<String, Error> {
        let mut cached = self.cached.lock().await;
        if let Some(cached) = cached.as_ref().filter(|cached| cached.token != refused) {
            return Ok(cached.token.clone());
        }
        self.fetch(&mut cached, true).await
    }

    async fn fetch(&self, cached: &mut Option<Cached>, force: bool) -> Result<String, Error> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.config.appid,
            "secret": self.config.secret.expose_str().unwrap_or_default(),
            "force_refresh": force,
        });
        let url = format!("{}/cgi-bin/stable_token", self.config.url);
        // Fetching a token has no effect that matters: without a clear answer it is simply tried again.
        let again = |_| Error::Retry { errcode: None };
        let response = self.http.post(&url).json(&body).send().await.map_err(again)?;
        let answer: Answer = read(response).await.map_err(|err| match err {
            Error::Unknown => Error::Retry { errcode: None },
            err => err,
        })?;
        let fresh_until = self.system.now() + TimeDelta::seconds(answer.expires_in) - EARLY;
        *cached = Some(Cached { token: answer.access_token.clone(), fresh_until });
        Ok(answer.access_token)
    }
}
