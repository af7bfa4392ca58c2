//! What the process itself needs, whichever services it runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use service::config::{Env, Invalid, Secret};

use crate::targets::{SERVICES, Targets};

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) nats_url: String,
    pub(crate) stream_prefix: String,
    pub(crate) stream_replicas: usize,
    pub(crate) caller_secret: Secret,
    pub(crate) admin_listen: SocketAddr,
    pub(crate) log: String,
    /// Where spans go by OTLP over gRPC; nowhere when absent.
    pub(crate) otlp_endpoint: Option<String>,
    /// Services that run elsewhere.
    pub(crate) peers: BTreeMap<String, String>,
}

impl Config {
    pub(crate) fn read(env: &mut Env, targets: &Targets) -> Result<Self, Invalid> {
        let nats_url = env.required("SITEPASS_NATS_URL");
        let stream_prefix = env.or("SITEPASS_STREAM_PREFIX", "sitepass".to_owned());
        let stream_replicas = env.or("SITEPASS_STREAM_REPLICAS", 1);
        if stream_replicas.is_ok_and(|replicas| !(1..=5).contains(&replicas)) {
            env.mistake("SITEPASS_STREAM_REPLICAS", "is no number of servers from 1 to 5");
        }
        let caller_secret = env.secret("SITEPASS_CALLER_SECRET", 32);
        let admin_listen =
            env.or("SITEPASS_ADMIN_LISTEN", SocketAddr::from(([127, 0, 0, 1], 8100)));
        let log = env.or("SITEPASS_LOG", "info".to_owned());
        let otlp_endpoint = env.optional("SITEPASS_OTLP_ENDPOINT");
        let mut peers = BTreeMap::new();
        for service in SERVICES.into_iter().filter(|service| *service != "gateway") {
            let key = format!("SITEPASS_{}_GRPC_URL", service.replace('-', "_").to_uppercase());
            if let Ok(Some(url)) = env.optional::<url::Url>(&key)
                && !targets.has(service)
            {
                peers.insert(service.to_owned(), url.to_string());
            }
        }
        Ok(Self {
            nats_url: nats_url?,
            stream_prefix: stream_prefix?,
            stream_replicas: stream_replicas?,
            caller_secret: caller_secret?,
            admin_listen: admin_listen?,
            log: log?,
            otlp_endpoint: otlp_endpoint?,
            peers,
        })
    }
}

/// Points every outside firm at the sandbox, where the environment names none.
pub(crate) fn use_sandbox(env: &mut Env) {
    let listen = env.or("SITEPASS_SANDBOX_LISTEN", SocketAddr::from(([127, 0, 0, 1], 8090)));
    let Ok(listen) = listen else { return };
    for (key, path) in [
        ("SITEPASS_WECHAT_URL", "/wechat"),
        ("SITEPASS_FACE_URL", "/face"),
        ("SITEPASS_SMS_URL", "/sms"),
        ("SITEPASS_REALNAME_URL", "/realname"),
        ("SITEPASS_DOOR_URL", "/door"),
    ] {
        env.fallback(key, format!("http://{listen}{path}"));
    }
    for (key, value) in [
        ("SITEPASS_WECHAT_APPID", sandbox::WECHAT_APPID),
        ("SITEPASS_WECHAT_SECRET", sandbox::WECHAT_SECRET),
        ("SITEPASS_SMS_APP_ID", sandbox::SMS_APP_ID),
        ("SITEPASS_SMS_SECRET_ID", sandbox::SMS_SECRET_ID),
        ("SITEPASS_SMS_SECRET_KEY", sandbox::SMS_SECRET_KEY),
    ] {
        env.fallback(key, value);
    }
}
