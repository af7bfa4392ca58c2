use futures::StreamExt;
use service::config::Env;
use types::EventId;

use crate::blocking::blocking;

const KEY: &str = "SITEPASS_TEST_NATS_URL";

/// The run's server under a prefix of one's own. The streams made under it go with this value.
#[derive(Debug)]
pub struct Nats {
    pub client: async_nats::Client,
    pub(crate) connection: service::Nats,
    /// First part of each subject and stream name.
    pub prefix: String,
    pub(crate) url: String,
}

impl Nats {
    /// # Panics
    /// Without a test server.
    pub async fn connect() -> Self {
        let url: Option<String> = Env::from_process().optional(KEY).ok().flatten();
        let url = url
            .unwrap_or_else(|| panic!("{KEY} is not set: run the tests with `cargo xtask test`"));
        let connection = service::Nats::connect(async_nats::ConnectOptions::new(), &url);
        let connection = connection.await.expect("the test server answers");
        let client = connection.client().clone();
        let prefix = format!("t{}", EventId::new().as_uuid().simple());
        Self { client, connection, prefix, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Deletes the streams made under this prefix. Dropping the value does so too.
    pub async fn delete_streams(&self) {
        delete_streams(self.client.clone(), &self.prefix).await;
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        // Best effort: the run's server is thrown away whole.
        blocking(async move {
            if let Ok(client) = async_nats::connect(url).await {
                delete_streams(client, &prefix).await;
            }
        });
    }
}

async fn delete_streams(client: async_nats::Client, prefix: &str) {
    let prefix = format!("{}_", prefix.to_uppercase());
    let jetstream = async_nats::jetstream::new(client);
    let names: Vec<_> = jetstream.stream_names().filter_map(async |name| name.ok()).collect().await;
    for name in names.iter().filter(|name| name.starts_with(&prefix)) {
        jetstream.delete_stream(name).await.ok();
    }
}
