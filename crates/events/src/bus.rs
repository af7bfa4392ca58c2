//! Names of streams and subjects, and the connection they are reached by.

use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::stream::{self, Stream};
use async_nats::jetstream::{self, ErrorCode};
use service::{Nats, Shell};

/// JetStream's own window for repeated message ids. Short: the expected last sequence is what keeps a message from
/// being stored twice, and inside the window a message cannot be sent again on purpose.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to NATS, the prefix everything of this installation is named by and how its streams are kept. Cheap
/// to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    pub(crate) nats: Nats,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) prefix: String,
    pub(crate) replicas: usize,
}

impl Bus {
    /// `prefix` is the first part of each subject: `sitepass`, or a test's own. Streams have one replica.
    pub fn new(nats: Nats, prefix: impl Into<String>) -> Self {
        let client = nats.client().clone();
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client);
        Self { nats, jetstream, prefix: prefix.into(), replicas: 1 }
    }

    /// How many servers of a cluster hold each stream.
    #[must_use]
    pub fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The stream of a context as it is; `None` when there is none.
    pub(crate) async fn find_stream(
        &self,
        context: &str,
    ) -> Result<Option<Stream>, async_nats::Error> {
        match self.jetstream.get_stream(stream_name(&self.prefix, context)).await {
            Ok(stream) => Ok(Some(stream)),
            Err(err) if missing(&err.kind()) => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    /// The stream of a context with its settings brought up to date; `None` when there is none. Only the context's
    /// owner calls it.
    pub(crate) async fn keep_stream(
        &self,
        context: &str,
        max_age: Duration,
    ) -> Result<Option<Stream>, async_nats::Error> {
        let Some(mut stream) = self.find_stream(context).await? else { return Ok(None) };
        let current = stream.cached_info().config.clone();
        let wanted = self.config(context, max_age, current.clone());
        if wanted != current {
            self.jetstream.update_stream(&wanted).await?;
            stream.info().await?;
        }
        Ok(Some(stream))
    }

    /// Makes the stream of a context; its first message gets the place `first`.
    pub(crate) async fn make_stream(
        &self,
        context: &str,
        max_age: Duration,
        first: u64,
    ) -> Result<Stream, async_nats::Error> {
        let first_sequence = (first > 1).then_some(first);
        let new = stream::Config { first_sequence, ..stream::Config::default() };
        Ok(self.jetstream.create_stream(self.config(context, max_age, new)).await?)
    }

    fn config(&self, context: &str, max_age: Duration, rest: stream::Config) -> stream::Config {
        stream::Config {
            name: stream_name(&self.prefix, context),
            subjects: vec![format!("{}.{context}.v1.>", self.prefix)],
            storage: stream::StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            allow_direct: true,
            allow_atomic_publish: true,
            max_age,
            num_replicas: self.replicas,
            ..rest
        }
    }
}

fn missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(err) if err.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

impl From<&Shell> for Bus {
    fn from(shell: &Shell) -> Self {
        Self::new(shell.nats.clone(), shell.stream_prefix.clone())
            .with_replicas(shell.stream_replicas)
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
