//! The same server, called directly and over TCP: both ways must behave alike.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auth::{Caller, CallerKeys};
use proto::audit::v1::audit_service_client::AuditServiceClient;
use proto::audit::v1::audit_service_server::{AuditService, AuditServiceServer};
use proto::audit::v1::{
    CrossSiteRequest, CrossSiteResponse, ExportEntriesRequest, ExportEntriesResponse,
    ListEntriesRequest, ListEntriesResponse, VerifyChainRequest, VerifyChainResponse,
};
use service::grpc::{Access, Peers, Policy, Transport};
use service::health::Health;
use service::{Fields, Nats, Refusal, Shell, Tasks};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use types::{AccountId, ErrorCode, Permission, Role, SiteClock, SiteId, SystemClock};

const POLICY: Policy =
    &[("/sitepass.audit.v1.AuditService/VerifyChain", Access::Permission(Permission::AuditVerify))];

/// Answers with who called; panics, hangs and refuses at length on demand.
#[derive(Default)]
struct Odd;

#[derive(Clone)]
struct Smuggled;

#[tonic::async_trait]
impl AuditService for Odd {
    async fn list_entries(
        &self,
        _: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        panic!("reached a call without a policy entry")
    }

    type ExportEntriesStream = tokio_stream::Empty<Result<ExportEntriesResponse, Status>>;

    async fn export_entries(
        &self,
        _: Request<ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        panic!("reached a call without a policy entry")
    }

    async fn cross_site(
        &self,
        _: Request<CrossSiteRequest>,
    ) -> Result<Response<CrossSiteResponse>, Status> {
        panic!("reached a call without a policy entry")
    }

    async fn verify_chain(
        &self,
        request: Request<VerifyChainRequest>,
    ) -> Result<Response<VerifyChainResponse>, Status> {
        let leaked = request.extensions().get::<Smuggled>().is_some();
        match request.get_ref().site_id.as_str() {
            "panic" => panic!("boom"),
            "hang" => std::future::pending().await,
            "strangers" => {
                let mut fields = Fields::new();
                for place in 0..4_000 {
                    fields.problem(&format!("worker_ids[{place}]"), "is no worker of this site");
                }
                fields.finish()?;
                Err(Status::internal("every field was fit"))
            }
            _ => {
                let head_hash = service::grpc::caller(&request)?.subject.to_string();
                Ok(Response::new(VerifyChainResponse {
                    intact: !leaked,
                    head_hash,
                    ..VerifyChainResponse::default()
                }))
            }
        }
    }
}

async fn shell(peers: Peers) -> Shell {
    // Never reached by these tests; the client only has to exist.
    let nats = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let nats = Nats::connect(nats, "127.0.0.1:1").await.unwrap();
    Shell {
        clock: SiteClock::system(),
        system: SystemClock::system(),
        tasks: Tasks::new(),
        peers,
        nats,
        stream_prefix: "test".to_owned(),
        stream_replicas: 1,
        keys: CallerKeys::from_root(&[7; 32]).unwrap(),
        health: Health::default(),
    }
}

/// A shell and a transport for each way: direct, and over a socket.
async fn both_ways() -> Vec<(&'static str, Shell, Transport)> {
    let direct = shell(Peers::in_process()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    service::grpc::serve(
        &direct,
        "audit",
        Routes::new(AuditServiceServer::new(Odd)),
        POLICY,
        Some(listener),
    );
    let urls = BTreeMap::from([("audit".to_owned(), url)]);
    let remote = shell(Peers::new(&BTreeSet::new(), &urls).unwrap()).await;
    let (near, far) = (direct.peers.transport("audit"), remote.peers.transport("audit"));
    vec![("direct", direct, near), ("tcp", remote, far)]
}

fn admin() -> Caller {
    Caller::account(AccountId::new(), Role::SysAdmin, vec![SiteId::new()], None)
}

fn ask(site_id: &str) -> VerifyChainRequest {
    VerifyChainRequest { site_id: site_id.to_owned() }
}

async fn refused(transport: Transport, request: Request<VerifyChainRequest>) -> ErrorCode {
    let status = AuditServiceClient::new(transport).verify_chain(request).await.unwrap_err();
    Refusal::from_status(&status).code
}

#[tokio::test]
async fn a_signed_caller_reaches_the_service_and_extensions_do_not() {
    for (way, shell, transport) in both_ways().await {
        let caller = admin();
        let mut request = shell.signed("gateway", &caller, ask("s"));
        request.extensions_mut().insert(Smuggled);
        let answer =
            AuditServiceClient::new(transport).verify_chain(request).await.unwrap().into_inner();
        assert_eq!((answer.head_hash, answer.intact), (caller.subject.to_string(), true), "{way}");
    }
}

#[tokio::test]
async fn a_caller_of_two_thousand_sites_gets_through() {
    for (way, shell, transport) in both_ways().await {
        let sites = (0..2_000).map(|_| SiteId::new()).collect();
        let caller = Caller::account(AccountId::new(), Role::SysAdmin, sites, None);
        let request = shell.signed("gateway", &caller, ask("s"));
        let answer = AuditServiceClient::new(transport).verify_chain(request).await;
        assert_eq!(answer.unwrap().into_inner().head_hash, caller.subject.to_string(), "{way}");
    }
}

#[tokio::test]
async fn a_call_without_a_token_is_refused() {
    for (way, _, transport) in both_ways().await {
        assert_eq!(
            refused(transport, Request::new(ask("s"))).await,
            ErrorCode::NotSignedIn,
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    for (way, mut shell, transport) in both_ways().await {
        shell.keys = CallerKeys::from_root(&[8; 32]).unwrap();
        let request = shell.signed("gateway", &admin(), ask("s"));
        assert_eq!(refused(transport, request).await, ErrorCode::NotSignedIn, "{way}");
    }
}

#[tokio::test]
async fn a_service_cannot_speak_for_a_person() {
    for (way, shell, transport) in both_ways().await {
        let request = shell.signed("ticket", &admin(), ask("s"));
        assert_eq!(refused(transport, request).await, ErrorCode::NotSignedIn, "{way}");
    }
}

#[tokio::test]
async fn a_role_without_the_permission_is_refused() {
    for (way, shell, transport) in both_ways().await {
        let contractor =
            Caller::account(AccountId::new(), Role::ContractorAdmin, vec![SiteId::new()], None);
        let request = shell.signed("gateway", &contractor, ask("s"));
        assert_eq!(refused(transport, request).await, ErrorCode::PermissionDenied, "{way}");
    }
}

#[tokio::test]
async fn a_call_without_a_policy_entry_is_refused() {
    for (way, shell, transport) in both_ways().await {
        let request = shell.signed("gateway", &admin(), ListEntriesRequest::default());
        let status = AuditServiceClient::new(transport).list_entries(request).await.unwrap_err();
        assert_eq!(Refusal::from_status(&status).code, ErrorCode::PermissionDenied, "{way}");
    }
}

#[tokio::test]
async fn a_panic_stays_in_the_call() {
    for (way, shell, transport) in both_ways().await {
        let request = shell.signed("gateway", &admin(), ask("panic"));
        assert_eq!(refused(transport.clone(), request).await, ErrorCode::Internal, "{way}");
        let request = shell.signed("gateway", &admin(), ask("s"));
        assert!(AuditServiceClient::new(transport).verify_chain(request).await.is_ok(), "{way}");
    }
}

#[tokio::test]
async fn a_refusal_of_thousands_of_bad_fields_arrives() {
    for (way, shell, transport) in both_ways().await {
        let request = shell.signed("gateway", &admin(), ask("strangers"));
        let status = AuditServiceClient::new(transport).verify_chain(request).await.unwrap_err();
        let refusal = Refusal::from_status(&status);
        assert_eq!(refusal.code, ErrorCode::ValidationFailed, "{way}");
        assert!(refusal.fields.len() > 50, "{way}: {}", refusal.fields.len());
    }
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_hangs() {
    for (way, shell, transport) in both_ways().await {
        let mut request = shell.signed("gateway", &admin(), ask("hang"));
        request.set_timeout(Duration::from_millis(50));
        assert_eq!(refused(transport, request).await, ErrorCode::Timeout, "{way}");
    }
}

#[tokio::test]
async fn a_service_that_is_nowhere_is_unavailable() {
    let shell = shell(Peers::new(&BTreeSet::new(), &BTreeMap::new()).unwrap()).await;
    let request = shell.signed("gateway", &admin(), ask("s"));
    assert_eq!(
        refused(shell.peers.transport("audit"), request).await,
        ErrorCode::UpstreamUnavailable
    );
}
