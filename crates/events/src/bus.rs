//! Names of streams and subjects, and the connection they are reached by.

use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder, stream};
use service::Shell;

/// JetStream's own window for repeated message ids; what is older is caught by the expected last sequence.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to NATS and the prefix everything of this installation is named by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    pub(crate) jetstream: jetstream::Context,
    pub(crate) prefix: String,
}

impl Bus {
    /// `prefix` is the first part of each subject: `sitepass`, or a test's own.
    pub fn new(client: async_nats::Client, prefix: impl Into<String>) -> Self {
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client);
        Self { jetstream, prefix: prefix.into() }
    }

    /// The stream of a context, made if it is missing. Only the context's owner makes it.
    pub(crate) async fn make_stream(
        &self,
        context: &str,
    ) -> Result<stream::Stream, async_nats::Error> {
        let config = stream::Config {
            name: stream_name(&self.prefix, context),
            subjects: vec![format!("{}.{context}.v1.>", self.prefix)],
            storage: stream::StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            allow_direct: true,
            ..stream::Config::default()
        };
        Ok(self.jetstream.get_or_create_stream(config).await?)
    }
}

impl From<&Shell> for Bus {
    fn from(shell: &Shell) -> Self {
        Self::new(shell.nats.clone(), shell.stream_prefix.clone())
    }
}

/// `SITEPASS_ACCESS_GRANT` for the prefix `sitepass` and the context `access_grant`.
pub fn stream_name(prefix: &str, context: &str) -> String {
    format!("{prefix}_{context}").to_uppercase()
}

/// `sitepass.ticket.v1.TicketPublished.<site>`; the site is `-` where none applies.
pub fn subject(prefix: &str, context: &str, name: &str, site: &str) -> String {
    format!("{prefix}.{context}.v1.{name}.{site}")
}
