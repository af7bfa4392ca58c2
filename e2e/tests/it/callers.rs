//! Every call of every service, asked directly: only a fresh word of the gateway, or of a service about itself, opens one.

use auth::{Caller, CallerKeys};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use http::uri::PathAndQuery;
use test_support::{Backing, Blueprint, SERVICES};
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use types::{AccountId, DeviceId, Role, SiteId, SystemClock};

/// Calls that nobody need have signed in for; the gateway or WeChat's code says who it is.
const OPEN: [&str; 7] = [
    "SignIn",
    "RefreshSignIn",
    "SignOut",
    "EnterMiniProgram",
    "SendSmsCode",
    "BindWorker",
    "FindRegistration",
];

/// What begins so only asks.
const QUESTIONS: [&str; 11] = [
    "Get", "List", "Search", "Name", "Match", "Explain", "Verify", "Preview", "Find", "Export",
    "Check",
];

/// What a controller asks for itself, through the service that authenticated it.
const OF_DOORS: [&str; 2] = ["Decide", "ListDoorChanges"];

fn now() -> DateTime<Utc> {
    SystemClock::system().now()
}

fn keys(word: &str) -> CallerKeys {
    CallerKeys::from_root(word.repeat(16).as_bytes()).unwrap()
}

async fn call(channel: &Channel, method: &str, token: Option<&str>) -> Code {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        let token = MetadataValue::try_from(token).unwrap();
        request.metadata_mut().insert(service::grpc::CALLER, token);
    }
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = PathAndQuery::try_from(method).unwrap();
    match client.unary(request, path, codec).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

fn person(role: Role) -> Caller {
    Caller::account(AccountId::new(), role, vec![SiteId::new()], None)
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
        sites: Vec::new(),
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
async fn every_call_of_every_service_believes_a_fresh_and_true_word_only() {
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
            let name = method.rsplit_once('/').unwrap().1;
            let mut expect = |what: &str, code: Code, fits: bool| {
                if !fits {
                    wrong.push(format!("{method} with a word {what}: {code:?}"));
                }
            };
            let none = call(channel, method, None).await;
            expect("missing", none, none == Code::Unauthenticated);
            for (what, token) in unbelievable(now()) {
                let code = call(channel, method, Some(&token)).await;
                expect(what, code, code == Code::Unauthenticated);
            }
            let refused =
                |code: Code| matches!(code, Code::Unauthenticated | Code::PermissionDenied);
            let by = async |caller: &Caller| {
                call(channel, method, Some(&ours.sign("gateway", caller, now()))).await
            };
            let nobody = by(&Caller::anonymous()).await;
            // An empty refresh token is no sign-in either.
            let open = OPEN.contains(&name) && name != "RefreshSignIn";
            expect("about nobody", nobody, refused(nobody) != open);
            let auditor = by(&person(Role::Auditor)).await;
            let question = QUESTIONS.iter().any(|start| name.starts_with(start));
            let own = OPEN.contains(&name) || name == "ChangePassword";
            expect("of an auditor", auditor, question || own || refused(auditor));
            let door = Caller::device(DeviceId::parse("door-1").unwrap(), SiteId::new());
            let door = by(&door).await;
            let theirs = OPEN.contains(&name) || OF_DOORS.contains(&name);
            expect("of a door", door, theirs || refused(door));
        }
    }
    assert!(asked > 60, "{asked} calls");
    assert!(wrong.is_empty(), "{wrong:#?}");
    installation.stop();
}
