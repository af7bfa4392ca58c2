//! Every call of every service, asked directly: only a fresh word of the gateway, or of a service about itself, opens one,
//! and to those alone that it is meant for.

mod allowed;

use allowed::ALLOWED;
use auth::{Caller, CallerKeys};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use http::uri::PathAndQuery;
use service::Refusal;
use test_support::{Backing, Blueprint, SERVICES};
use tonic::Request;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use types::{AccountId, ContractorId, DeviceId, ErrorCode, Role, SiteId, SystemClock, WorkerId};

/// Without the token it takes it answers as the layer before it does.
const REFUSES_ITSELF: [&str; 1] = ["DirectoryService/RefreshSignIn"];

fn now() -> DateTime<Utc> {
    SystemClock::system().now()
}

fn keys(word: &str) -> CallerKeys {
    CallerKeys::from_root(word.repeat(16).as_bytes()).unwrap()
}

/// What was refused, if it was.
async fn call(channel: &Channel, method: &str, token: Option<&str>) -> Option<ErrorCode> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        let token = MetadataValue::try_from(token).unwrap();
        request.metadata_mut().insert(service::grpc::CALLER, token);
    }
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = PathAndQuery::try_from(method).unwrap();
    let answer = client.unary(request, path, codec).await;
    answer.err().map(|status| Refusal::from_status(&status).code)
}

fn person(role: Role) -> Caller {
    let contractor = (role == Role::ContractorAdmin).then(ContractorId::new);
    Caller::account(AccountId::new(), role, vec![SiteId::new()], contractor)
}

/// Somebody of each kind, believed.
fn everybody() -> Vec<(&'static str, Caller)> {
    let door = DeviceId::parse("door-1").unwrap();
    let mut all = vec![
        ("about nobody", Caller::anonymous()),
        ("of a worker", Caller::worker(WorkerId::new(), vec![SiteId::new()])),
        ("of a door", Caller::device(door, SiteId::new())),
        ("of the gateway itself", Caller::service("gateway")),
    ];
    all.extend(Role::ALL.iter().map(|role| (role.as_str(), person(*role))));
    all
}

/// Words that are not to be believed.
fn unbelievable(now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let (ours, admin) = (keys("CALLER-"), person(Role::SysAdmin));
    let good = ours.sign("gateway", &admin, now);
    let (claims, signature) = good.split_once('.').unwrap().1.split_once('.').unwrap();
    let none = r#"{"alg":"none","typ":"caller+jwt","kid":"gateway"}"#;
    let symmetric = r#"{"alg":"HS256","typ":"caller+jwt","kid":"gateway"}"#;
    let headed = |header: &str| format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header));
    let mut everywhere = admin.clone();
    everywhere.sites = auth::Sites::All;
    let claims_of = auth::Claims {
        subject: admin.subject.clone(),
        role: admin.role,
        contractor: None,
        session: None,
        version: None,
        audience: auth::Audience::Admin,
    };
    let browser = auth::AccessTokens::from_root("CALLER-".repeat(16).as_bytes()).unwrap();
    vec![
        ("under another key", keys("FORGED-").sign("gateway", &admin, now)),
        ("a minute old", ours.sign("gateway", &admin, now - Duration::seconds(61))),
        ("of later", ours.sign("gateway", &admin, now + Duration::minutes(10))),
        ("of a service about a person", ours.sign("ticket", &admin, now)),
        ("of a service about another", ours.sign("ticket", &Caller::service("report"), now)),
        ("about every site", ours.sign("gateway", &everywhere, now)),
        ("of a browser", browser.issue(&claims_of, now)),
        ("unsigned", headed(none)),
        ("signed by a public key's bytes", headed(symmetric)),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("empty", String::new()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_every_service_opens_to_a_fresh_and_true_word_of_those_it_is_meant_for() {
    let split = [
        "gateway,sandbox",
        "directory,ticket,training,notification,access-grant,device,audit,report",
    ];
    let blueprint = Blueprint::new(&Backing::shared().await, &split);
    let mut channels = Vec::new();
    for service in SERVICES {
        let url = format!("http://{}", blueprint.grpc(service));
        channels.push((service, Channel::from_shared(url).unwrap().connect_lazy()));
    }
    let installation = blueprint.start().await;
    let ours = keys("CALLER-");
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (service, channel) in &channels {
        let methods = proto::methods(&service.replace('-', "_"));
        assert!(!methods.is_empty(), "{service} has no calls");
        for method in &methods {
            asked += 1;
            let name = method.rsplit_once('.').unwrap().1;
            let mut expect = |what: &str, refused: Option<ErrorCode>, fits: bool| {
                if !fits {
                    wrong.push(format!("{name} with a word {what}: {refused:?}"));
                }
            };
            let unbelieved = |code| code == Some(ErrorCode::NotSignedIn);
            let none = call(channel, method, None).await;
            expect("missing", none, unbelieved(none));
            for (what, token) in unbelievable(now()) {
                let code = call(channel, method, Some(&token)).await;
                expect(what, code, unbelieved(code));
            }
            let Some((_, allowed)) = ALLOWED.iter().find(|(listed, _)| *listed == name) else {
                wrong.push(format!("{name}: say in ALLOWED who may call it"));
                continue;
            };
            for (who, caller) in everybody() {
                let token = ours.sign("gateway", &caller, now());
                let code = call(channel, method, Some(&token)).await;
                let denied = unbelieved(code) || code == Some(ErrorCode::PermissionDenied);
                let meant = allowed.iter().any(|allowed| allowed.is(&caller));
                let itself = REFUSES_ITSELF.contains(&name) && unbelieved(code);
                expect(who, code, denied != meant || itself);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(asked, ALLOWED.len(), "calls that are no more stand in ALLOWED");
    installation.stop();
}
