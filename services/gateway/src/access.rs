//! Who may call what: one line a route. A route without a line is refused to everyone.

use auth::{Audience, Caller, Claims, Sites, Subject, TokenError};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use service::Refusal;
use std::net::SocketAddr;
use types::{ErrorCode, Permission};

use crate::call::{Admitted, Gateway, RequestId, Shared};
use crate::crossing::{self, Looked};
use crate::failure::Failure;

/// What a caller must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// A signature that the handler verifies: a vendor's webhook, a signed address.
    Signature,
    /// The access token of any account.
    Account,
    /// The access token of an account whose role has the permission.
    Permission(Permission),
    /// A mini-program session, bound to a worker or not yet.
    Session,
    /// A mini-program session bound to a worker.
    Worker,
}

/// Method, path and what it takes.
pub type Route = (&'static str, &'static str, Access);

use Access::{Account, Public, Session, Signature, Worker};

const fn may(permission: Permission) -> Access {
    Access::Permission(permission)
}

pub const TABLE: &[Route] = &[
    ("POST", "/api/admin/auth/login", Public),
    // The refresh token, in the cookie or the body, speaks for itself.
    ("POST", "/api/admin/auth/refresh", Public),
    ("POST", "/api/admin/auth/logout", Account),
    ("GET", "/api/admin/auth/me", Account),
    ("GET", "/api/admin/sites", may(Permission::SiteRead)),
    ("POST", "/api/admin/sites", may(Permission::SiteManage)),
    ("GET", "/api/admin/contractors", may(Permission::ContractorRead)),
    ("POST", "/api/admin/contractors", may(Permission::ContractorManage)),
    ("GET", "/api/admin/areas", may(Permission::AreaRead)),
    ("POST", "/api/admin/areas", may(Permission::AreaManage)),
    ("GET", "/api/admin/workers", may(Permission::WorkerRead)),
    ("POST", "/api/admin/workers/search", may(Permission::WorkerRead)),
    ("POST", "/api/admin/workers/sync", may(Permission::WorkerSync)),
    ("GET", "/api/admin/workers/sync", may(Permission::WorkerRead)),
    ("GET", "/api/admin/workers/sync/{reading_id}", may(Permission::WorkerRead)),
    ("POST", "/api/admin/workers/export", may(Permission::WorkerExport)),
    ("GET", "/api/admin/workers/{worker_id}", may(Permission::WorkerRead)),
    ("GET", "/api/admin/sites/{site_id}/registration-code", may(Permission::WorkerRead)),
    ("DELETE", "/api/admin/workers/{worker_id}/binding", may(Permission::WorkerUnbind)),
    ("POST", "/api/admin/accounts", may(Permission::AccountManage)),
    ("GET", "/api/admin/work-tickets", may(Permission::TicketRead)),
    ("POST", "/api/admin/work-tickets", may(Permission::TicketCreate)),
    ("GET", "/api/admin/work-tickets/{ticket_id}", may(Permission::TicketRead)),
    ("POST", "/api/admin/work-tickets/{ticket_id}/publish", may(Permission::TicketPublish)),
    ("POST", "/api/admin/work-tickets/{ticket_id}/cancel", may(Permission::TicketCancel)),
    // Which fields takes more, the ticket itself says.
    ("PATCH", "/api/admin/work-tickets/{ticket_id}", may(Permission::TicketAmend)),
    ("POST", "/api/admin/work-tickets/{ticket_id}/workers", may(Permission::TicketAmend)),
    (
        "DELETE",
        "/api/admin/work-tickets/{ticket_id}/workers/{worker_id}",
        may(Permission::TicketAmend),
    ),
    ("POST", "/api/admin/work-tickets/{ticket_id}/copy", may(Permission::TicketCreate)),
    ("GET", "/api/admin/work-tickets/{ticket_id}/history", may(Permission::TicketRead)),
    ("POST", "/api/admin/daily-tickets/{daily_ticket_id}/cancel", may(Permission::TicketCancel)),
    ("GET", "/api/admin/daily-tickets/{daily_ticket_id}", may(Permission::TicketRead)),
    (
        "POST",
        "/api/admin/daily-tickets/{daily_ticket_id}/workers/{worker_id}/release",
        may(Permission::GrantRelease),
    ),
    ("GET", "/api/admin/videos", may(Permission::VideoRead)),
    ("POST", "/api/admin/videos", may(Permission::VideoManage)),
    ("GET", "/api/admin/videos/{video_id}/play-url", may(Permission::VideoRead)),
    ("GET", "/api/admin/notifications", may(Permission::NotificationRead)),
    (
        "POST",
        "/api/admin/notifications/{notification_id}/retry",
        may(Permission::NotificationRetry),
    ),
    ("GET", "/api/admin/access-grants", may(Permission::GrantRead)),
    ("POST", "/api/admin/access-grants/{grant_id}/resync", may(Permission::GrantResync)),
    ("GET", "/api/admin/devices", may(Permission::DeviceRead)),
    ("POST", "/api/admin/devices", may(Permission::DeviceManage)),
    ("GET", "/api/admin/passages", may(Permission::PassageRead)),
    ("GET", "/api/admin/explain", may(Permission::ExplainRead)),
    ("GET", "/api/admin/dashboard", may(Permission::ReportRead)),
    ("GET", "/api/admin/outlook", may(Permission::ReportRead)),
    ("GET", "/api/admin/audit-logs", may(Permission::AuditRead)),
    ("GET", "/api/admin/audit-logs/verify", may(Permission::AuditVerify)),
    ("GET", "/api/admin/audit-logs/export", may(Permission::AuditExport)),
    ("POST", "/api/mp/login", Public),
    // The WeChat code in the body says who it is.
    ("POST", "/api/mp/bind", Public),
    ("GET", "/api/mp/registrations/{code}", Session),
    ("POST", "/api/mp/sms-codes", Session),
    ("POST", "/api/mp/subscriptions", Worker),
    ("GET", "/api/mp/tasks/today", Worker),
    ("POST", "/api/mp/tasks/{daily_ticket_id}/read", Worker),
    ("POST", "/api/mp/face-verifications", Worker),
    ("POST", "/api/mp/training-sessions", Worker),
    ("POST", "/api/mp/training-sessions/{session_id}/progress", Worker),
    ("POST", "/api/mp/training-sessions/{session_id}/checks/{check_id}", Worker),
    ("POST", "/api/mp/training-sessions/{session_id}/finish", Worker),
    ("GET", "/api/mp/records", Worker),
    ("GET", "/api/mp/pass", Worker),
    ("POST", "/api/integration/access-control/events", Signature),
    ("GET", "/api/media/videos/{video_id}", Signature),
    ("POST", "/api/admin/auth/password", Account),
    ("GET", "/api/admin/sites/{site_id}", may(Permission::SiteRead)),
    ("PATCH", "/api/admin/sites/{site_id}", may(Permission::SiteManage)),
    ("PATCH", "/api/admin/contractors/{contractor_id}", may(Permission::ContractorManage)),
    ("PATCH", "/api/admin/areas/{area_id}", may(Permission::AreaManage)),
    ("GET", "/api/admin/accounts", may(Permission::AccountRead)),
    ("GET", "/api/admin/accounts/{account_id}", may(Permission::AccountRead)),
    ("PATCH", "/api/admin/accounts/{account_id}", may(Permission::AccountManage)),
    ("POST", "/api/admin/accounts/{account_id}/reset-password", may(Permission::AccountManage)),
    ("GET", "/openapi.json", Public),
    ("GET", "/docs", Public),
    ("GET", "/docs/", Public),
    ("GET", "/docs/{*rest}", Public),
    ("GET", "/", Public),
    // A question whose words are personal, as the search for workers is.
    ("POST", "/api/admin/work-tickets/search", may(Permission::TicketRead)),
    ("GET", "/api/admin/work-tickets/import-template", may(Permission::TicketRead)),
    ("POST", "/api/admin/work-tickets/workers/import", may(Permission::TicketCreate)),
    ("POST", "/api/admin/work-tickets/workers/match", may(Permission::TicketCreate)),
    ("POST", "/api/admin/work-tickets/{ticket_id}/workers/import", may(Permission::TicketCreate)),
    ("GET", "/api/admin/work-tickets/{ticket_id}/export", may(Permission::TicketExport)),
];

/// Lets a request through to its handler with its caller, or says why not.
pub(crate) async fn admit(
    State(gateway): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(matched) = request.extensions().get::<MatchedPath>().cloned() else {
        // No route: the fallback says so.
        return next.run(request).await;
    };
    let method = match request.method().as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let lines = TABLE.iter().filter(|(_, path, _)| *path == matched.as_str());
    let Some((_, _, access)) = lines.clone().find(|(listed, _, _)| *listed == method) else {
        let allowed: Vec<&str> = lines.map(|(listed, _, _)| *listed).collect();
        return unlisted(&allowed);
    };
    let admitted = admitted(&gateway, *access, request.headers(), request.extensions()).await;
    let cleared = match admitted {
        Ok(admitted) => {
            let asks = method == "GET";
            let looked = asks.then(|| crossing::looked(matched.as_str(), request.uri().query()));
            cleared(&gateway, *access, admitted, looked.flatten()).await
        }
        refused => refused,
    };
    match cleared {
        Ok(admitted) => {
            request.extensions_mut().insert(admitted);
            next.run(request).await
        }
        Err(refusal) => Failure(refusal).into_response(),
    }
}

/// What is asked of others before a caller goes on: whether a phone is still its worker's and which sites are theirs, and
/// that a crossing of sites is recorded.
async fn cleared(
    gateway: &Gateway,
    access: Access,
    mut admitted: Admitted,
    looked: Option<Looked>,
) -> Result<Admitted, Refusal> {
    if let (Worker, Some(claims)) = (access, &admitted.claims) {
        admitted.caller.sites = Sites::Some(gateway.bindings.sites(&gateway.shell, claims).await?);
    }
    // A question about a site by whoever reaches every site goes on once it is recorded.
    if let Some(looked) = looked {
        crossing::record(gateway, &admitted.caller, looked).await?;
    }
    Ok(admitted)
}

/// Of a path that is listed the other methods are named; one that is not listed is closed.
fn unlisted(allowed: &[&str]) -> Response {
    if allowed.is_empty() {
        return Failure::new(ErrorCode::PermissionDenied).into_response();
    }
    let mut response = Failure::new(ErrorCode::MethodNotAllowed).into_response();
    if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

async fn admitted(
    gateway: &Shared,
    access: Access,
    headers: &HeaderMap,
    extensions: &http::Extensions,
) -> Result<Admitted, Refusal> {
    let claims = match access {
        Public | Signature => None,
        Account | Access::Permission(_) => Some(claims(gateway, Audience::Admin, headers)?),
        Session | Worker => Some(claims(gateway, Audience::MiniProgram, headers)?),
    };
    let mut caller = match &claims {
        None => Caller::anonymous(),
        Some(claims) if claims.audience == Audience::MiniProgram => phone(claims)?,
        Some(claims) => {
            let confirmed = gateway.sign_ins.confirm(gateway, claims).await?;
            if confirmed.must_change_password && access != Account {
                let denied = Refusal::new(ErrorCode::PermissionDenied);
                return Err(denied.data("must_change_password", true));
            }
            confirmed.caller
        }
    };
    check(access, &caller)?;
    caller.on_behalf_request = extensions.get::<RequestId>().map(|RequestId(id)| id.clone());
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let proxies = &gateway.config.trusted_proxies;
    caller.address = peer.map(|ConnectInfo(peer)| proxies.client(peer.ip(), headers).to_string());
    Ok(Admitted { caller, claims })
}

fn claims(gateway: &Shared, audience: Audience, headers: &HeaderMap) -> Result<Claims, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let token = token.ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn))?;
    gateway.tokens.verify(token, audience, gateway.shell.system.now()).map_err(|err| {
        Refusal::new(match err {
            TokenError::Expired => ErrorCode::TokenExpired,
            TokenError::Invalid => ErrorCode::NotSignedIn,
        })
    })
}

fn phone(claims: &Claims) -> Result<Caller, Refusal> {
    match (&claims.subject, claims.role) {
        (Subject::Worker(worker), None) => Ok(Caller::worker(*worker, Vec::new())),
        (Subject::Anonymous, None) => Ok(Caller::anonymous()),
        _ => Err(Refusal::new(ErrorCode::NotSignedIn)),
    }
}

fn check(access: Access, caller: &Caller) -> Result<(), Refusal> {
    let denied = Refusal::new(ErrorCode::PermissionDenied);
    match access {
        Public | Signature | Session => Ok(()),
        Account if caller.account_id().is_some() => Ok(()),
        Worker if caller.worker_id().is_some() => Ok(()),
        // Signed in by WeChat, and not known as a worker yet.
        Worker => Err(denied.data("bound", false)),
        Account => Err(denied),
        Access::Permission(permission) => {
            caller.require(permission).map_err(|_| denied.data("permission", permission.as_str()))
        }
    }
}
