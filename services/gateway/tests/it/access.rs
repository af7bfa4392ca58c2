//! Every route with no token, an expired one and the wrong one.

use gateway::access::{Access, Route, TABLE};
use types::{Permission, Role};

use crate::help::{Edge, edge, id};

const SIGNATURE_INVALID: u64 = 40105;

async fn code(edge: &Edge, (method, path, _): Route, token: Option<&str>) -> u64 {
    let path: Vec<String> = path
        .split('/')
        .map(|part| if part.starts_with('{') { id() } else { part.to_owned() })
        .collect();
    // Questions may be asked in more words than they know, commands may not.
    let signed = if method == "GET" { "?expires=1&signature=AA" } else { "" };
    let path = format!("{}{signed}", path.join("/"));
    let mut request = edge.request(method.parse().unwrap(), &path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answered = edge.send(request).await;
    // A file comes in no envelope.
    if (answered.status, answered.body.is_null()) == (200, true) { 0 } else { answered.code() }
}

/// Routes for someone; the public ones are tested where they are played.
fn guarded() -> impl Iterator<Item = &'static Route> {
    TABLE.iter().filter(|(_, _, access)| *access != Access::Public)
}

fn answers_without_a_token(access: Access) -> u64 {
    if access == Access::Signature { SIGNATURE_INVALID } else { 40101 }
}

#[tokio::test]
async fn no_route_is_open_without_a_token() {
    let edge = edge().await;
    for route in guarded() {
        assert_eq!(code(&edge, *route, None).await, answers_without_a_token(route.2), "{route:?}");
    }
}

#[tokio::test]
async fn no_route_is_open_with_an_expired_token() {
    let edge = edge().await;
    let (admin, phone) = (edge.sysadmin(), edge.phone());
    edge.a_day_later();
    for route in guarded() {
        let (token, expected) = match route.2 {
            Access::Signature => (&admin, SIGNATURE_INVALID),
            Access::Account | Access::Permission(_) => (&admin, 40102),
            Access::Public | Access::Session | Access::Worker => (&phone, 40102),
        };
        assert_eq!(code(&edge, *route, Some(token)).await, expected, "{route:?}");
    }
}

#[tokio::test]
async fn a_token_of_the_other_edge_opens_nothing_and_a_forged_one_neither() {
    let edge = edge().await;
    let (admin, phone) = (edge.sysadmin(), edge.phone());
    // Claims of a good token under a signature that is not there.
    let unsigned = |token: &str| {
        let claims = token.split('.').nth(1).unwrap().to_owned();
        format!("eyJhbGciOiJub25lIiwidHlwIjoiYWNjZXNzK2p3dCJ9.{claims}.")
    };
    for route in guarded().filter(|route| route.2 != Access::Signature) {
        let (other, own) = match route.2 {
            Access::Account | Access::Permission(_) => (&phone, &admin),
            _ => (&admin, &phone),
        };
        assert_eq!(code(&edge, *route, Some(other)).await, 40101, "{route:?}");
        assert_eq!(code(&edge, *route, Some(&unsigned(own))).await, 40101, "{route:?}");
    }
}

#[tokio::test]
async fn a_role_without_the_permission_is_refused_on_each_route() {
    let edge = edge().await;
    let token = edge.admin(Role::ContractorAdmin);
    let held = Role::ContractorAdmin.permissions();
    let lacking = |access: Access| matches!(access, Access::Permission(permission) if !held.contains(&permission));
    let routes: Vec<_> = guarded().filter(|route| lacking(route.2)).collect();
    assert!(routes.len() > 8);
    for route in routes {
        assert_eq!(code(&edge, *route, Some(&token)).await, 40301, "{route:?}");
    }
}

#[tokio::test]
async fn a_phone_that_is_not_bound_does_nothing_a_worker_does() {
    let edge = edge().await;
    let token = edge.unbound_phone();
    for route in guarded().filter(|route| route.2 == Access::Worker) {
        assert_eq!(code(&edge, *route, Some(&token)).await, 40301, "{route:?}");
    }
}

#[tokio::test]
async fn the_right_token_opens_every_route() {
    let edge = edge().await;
    let (admin, phone) = (edge.sysadmin(), edge.phone());
    for route in guarded().filter(|route| route.2 != Access::Signature) {
        let token = match route.2 {
            Access::Account | Access::Permission(_) => &admin,
            _ => &phone,
        };
        let code = code(&edge, *route, Some(token)).await;
        assert!(![40101, 40102, 40301, 40400, 40500].contains(&code), "{route:?}: {code}");
    }
}

#[test]
fn a_command_s_route_never_asks_for_a_reading_permission_alone() {
    let reading = |permission: Permission| permission.as_str().split_once('.').unwrap().1 == "read";
    for route in TABLE {
        let (method, path, Access::Permission(permission)) = *route else { continue };
        // A search is a question whose words are personal.
        let searches = ["/api/admin/workers/search", "/api/admin/work-tickets/search"];
        let question = method == "GET" || searches.contains(&path);
        // Questions that are a permission of their own.
        let apart = [Permission::AuditVerify, Permission::AuditExport, Permission::TicketExport];
        assert_eq!(reading(permission) || apart.contains(&permission), question, "{route:?}");
    }
}
