use std::net::SocketAddr;
use std::time::Duration;

use service::config::{DatabaseConfig, Env, Invalid};

/// Four calls at worst (token, message, and both again) end well within a claim's lease.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What the service needs from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Where other processes reach it; nowhere when absent.
    pub grpc_listen: Option<SocketAddr>,
    pub wechat: wechat::Config,
    /// Of one call to WeChat.
    pub wechat_timeout: Duration,
    /// WeChat's id of the template for a published ticket.
    pub ticket_published_template: String,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_NOTIFICATION_GRPC_LISTEN");
        let url = env.required("SITEPASS_WECHAT_URL");
        let appid = env.required("SITEPASS_WECHAT_APPID");
        let secret = env.secret("SITEPASS_WECHAT_SECRET", 1);
        let template = env.or(
            "SITEPASS_WECHAT_TEMPLATE_TICKET_PUBLISHED",
            "sitepass-ticket-published-00000000000000001".to_owned(),
        );
        Ok(Self {
            database: database?,
            grpc_listen: grpc_listen?,
            wechat: wechat::Config { url: url?, appid: appid?, secret: secret? },
            wechat_timeout: TIMEOUT,
            ticket_published_template: template?,
        })
    }
}
