use events::Bus;
use futures::StreamExt;
use service::config::Env;
use types::EventId;

use crate::blocking;

const KEY: &str = "SITEPASS_TEST_NATS_URL";

/// The test server under a prefix of one's own. The streams made under it go with this value.
#[derive(Debug)]
pub struct Nats {
    pub client: async_nats::Client,
    /// First part of each subject and stream name.
    pub prefix: String,
    url: String,
}

impl Nats {
    /// # Panics
    /// Without a test server.
    pub async fn connect() -> Self {
        let url: Option<String> = Env::from_process().optional(KEY).ok().flatten();
        let url = url.unwrap_or_else(|| panic!("{KEY} is not set: run the tests with `cargo xtask test`"));
        let client = async_nats::connect(&url).await.expect("the test server answers");
        let prefix = format!("t{}", EventId::new().as_uuid().simple());
        Self { client, prefix, url }
    }

    pub fn bus(&self) -> Bus {
        Bus::new(self.client.clone(), self.prefix.clone())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), format!("{}_", self.prefix.to_uppercase()));
        // Best effort: the test's server is thrown away whole.
        blocking(async move {
            let Ok(client) = async_nats::connect(url).await else { return };
            let jetstream = async_nats::jetstream::new(client);
            let names: Vec<_> = jetstream.stream_names().filter_map(async |name| name.ok()).collect().await;
            for name in names.iter().filter(|name| name.starts_with(&prefix)) {
                jetstream.delete_stream(name).await.ok();
            }
        });
    }
}
