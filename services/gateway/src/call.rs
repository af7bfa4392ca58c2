//! One call of a client: who makes it, and how it goes on to the services.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{AccessTokens, Caller, Claims};
use axum::extract::FromRequestParts;
use blobs::{Blobs, UrlSigner};
use chrono::{DateTime, Utc};
use http::request::Parts;
use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use proto::device::v1::device_service_client::DeviceServiceClient;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use proto::directory::v1::{ListRosterReadingsRequest, NameWorkersRequest, WorkerRow};
use proto::notification::v1::notification_service_client::NotificationServiceClient;
use proto::report::v1::report_service_client::ReportServiceClient;
use proto::ticket::v1::ticket_service_client::TicketServiceClient;
use proto::training::v1::training_service_client::TrainingServiceClient;
use service::grpc::{MAX_ANSWER_BYTES, Transport};
use service::{Shell, idempotency};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Response, Status};
use types::{ErrorCode, Language, Page, WorkerId};

use crate::Config;
use crate::answer::instant;
use crate::bindings::Bindings;
use crate::crossing::Crossings;
use crate::failure::Failure;
use crate::keyed;
use crate::request::wire;
use crate::sign_ins::SignIns;

/// As many names as `directory` tells at once.
const MOST_NAMES: usize = 2_000;

/// What every handler shares. Nothing in it outlives the process: the gateway keeps no data.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) shell: Shell,
    pub(crate) crossings: Crossings,
    pub(crate) tokens: AccessTokens,
    pub(crate) signer: UrlSigner,
    pub(crate) blobs: Blobs,
    /// Requests in hand; more than this many are told to come back.
    pub(crate) room: Semaphore,
    /// Uploads in hand: each is held in memory.
    pub(crate) upload_room: Semaphore,
    /// Which phones' sessions are known to be of bound workers.
    pub(crate) bindings: Bindings,
    pub(crate) sign_ins: SignIns,
}

impl Gateway {
    pub(crate) fn directory(&self) -> DirectoryServiceClient<Transport> {
        DirectoryServiceClient::new(self.shell.peers.transport("directory"))
    }
}

pub(crate) type Shared = Arc<Gateway>;

/// Who is calling, as the access layer found out; it puts this into the request.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) caller: Caller,
    /// What the bearer's token says; none on public routes.
    pub(crate) claims: Option<Claims>,
}

/// The `x-request-id` in force; the edge puts it into the request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) gateway: Shared,
    pub(crate) caller: Caller,
    pub(crate) claims: Option<Claims>,
    pub(crate) language: Language,
    idempotency_key: Option<MetadataValue<Ascii>>,
}

macro_rules! clients {
    ($($service:ident $name:literal $client:ident;)+) => {$(
        pub(crate) fn $service(&self) -> $client<Transport> {
            $client::new(self.gateway.shell.peers.transport($name))
                .max_decoding_message_size(MAX_ANSWER_BYTES)
        }
    )+};
}

impl Call {
    clients! {
        access_grant "access-grant" AccessGrantServiceClient;
        audit "audit" AuditServiceClient;
        device "device" DeviceServiceClient;
        directory "directory" DirectoryServiceClient;
        notification "notification" NotificationServiceClient;
        report "report" ReportServiceClient;
        ticket "ticket" TicketServiceClient;
        training "training" TrainingServiceClient;
    }

    /// A question, in the caller's name.
    pub(crate) fn ask<M>(&self, message: M) -> Request<M> {
        self.gateway.shell.signed("gateway", &self.caller, message)
    }

    /// A command, in the caller's name and with the client's idempotency key, where it takes one.
    pub(crate) fn command<M>(&self, message: M) -> Request<M> {
        let mut request = self.ask(message);
        if let Some(key) = &self.idempotency_key {
            request.metadata_mut().insert(idempotency::METADATA, key.clone());
        }
        request
    }

    /// A question or command of the gateway itself, for this call.
    pub(crate) fn as_gateway<M>(&self, message: M) -> Request<M> {
        let caller = Caller {
            on_behalf_request: self.caller.on_behalf_request.clone(),
            address: self.caller.address.clone(),
            ..Caller::service("gateway")
        };
        self.gateway.shell.signed("gateway", &caller, message)
    }

    /// The calling worker; the access table lets nobody else this far.
    pub(crate) fn worker(&self) -> Result<WorkerId, Failure> {
        self.caller.worker_id().ok_or_else(|| Failure::new(ErrorCode::PermissionDenied))
    }

    /// Masked rows of workers by id. Empty while `directory` is away: a list without names is better than none.
    pub(crate) async fn names(
        &self,
        ids: impl IntoIterator<Item = String>,
    ) -> HashMap<String, WorkerRow> {
        let mut worker_ids: Vec<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        worker_ids.sort_unstable();
        worker_ids.dedup();
        let mut names = HashMap::new();
        for worker_ids in worker_ids.chunks(MOST_NAMES) {
            let asked = self.ask(NameWorkersRequest { worker_ids: worker_ids.to_vec() });
            match self.directory().name_workers(asked).await {
                Ok(answer) => {
                    let rows = answer.into_inner().workers.into_iter();
                    names.extend(rows.map(|row| (row.worker_id.clone(), row)));
                }
                Err(status) => {
                    tracing::warn!(code = ?status.code(), "workers are shown without names");
                    break;
                }
            }
        }
        names
    }

    /// When a site's roster was last read from the real-name system. `None` too while `directory` is away: what is
    /// shown beside it is worth showing without.
    pub(crate) async fn roster_synced_at(&self, site_id: &str) -> Option<DateTime<Utc>> {
        let page = Some(wire(Page { page: 1, page_size: 1 }));
        let asked = ListRosterReadingsRequest { site_id: site_id.to_owned(), page };
        match self.directory().list_roster_readings(self.ask(asked)).await {
            Ok(answer) => instant(answer.into_inner().roster_synced_at),
            Err(status) => {
                tracing::warn!(code = ?status.code(), "shown without the roster's age");
                None
            }
        }
    }
}

/// A question to one of the services: `ask!(call.directory.list_sites(message)).await?`.
macro_rules! ask {
    ($call:ident . $service:ident . $method:ident ( $message:expr )) => {{
        let (call, message) = (&$call, $message);
        $crate::call::asked(move || {
            let (mut client, request) = (call.$service(), call.ask(message.clone()));
            async move { client.$method(request).await }
        })
    }};
}
pub(crate) use ask;

/// A refusal later than this has been waited for already: to ask again would only double the wait.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The answer to a question, which is asked once more when its service was away at once. Never for commands.
pub(crate) async fn asked<R, F: Future<Output = Result<Response<R>, Status>>>(
    question: impl Fn() -> F,
) -> Result<R, Failure> {
    let started = Instant::now();
    let answer = match question().await {
        Err(status) if status.code() == Code::Unavailable && started.elapsed() < AT_ONCE => {
            question().await
        }
        answer => answer,
    };
    Ok(answer?.into_inner())
}

impl FromRequestParts<Shared> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, gateway: &Shared) -> Result<Self, Failure> {
        // Absent only if the access layer was bypassed.
        let admitted = parts.extensions.get::<Admitted>().cloned();
        let Admitted { caller, claims } =
            admitted.ok_or_else(|| Failure::new(ErrorCode::NotSignedIn))?;
        Ok(Self {
            gateway: Arc::clone(gateway),
            caller,
            claims,
            language: language(&parts.headers),
            idempotency_key: keyed::key(parts)?,
        })
    }
}

pub(crate) fn language(headers: &http::HeaderMap) -> Language {
    let header = headers.get(http::header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    header.map_or_else(Language::default, Language::from_accept_language)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// How often a question is asked of a service that is away and says so after `wait`.
    async fn times_asked(wait: Duration) -> u32 {
        let times = AtomicU32::new(0);
        let answer: Result<(), Failure> = asked(|| async {
            times.fetch_add(1, Ordering::Relaxed);
            tokio::time::timeout(wait, std::future::pending::<()>()).await.ok();
            Err(Status::unavailable("away"))
        })
        .await;
        assert_eq!(answer.unwrap_err().0.code, ErrorCode::UpstreamUnavailable);
        times.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_was_away_is_asked_again_unless_it_took_its_time() {
        assert_eq!(times_asked(Duration::ZERO).await, 2);
        assert_eq!(times_asked(Duration::from_secs(3)).await, 1);
    }
}
