use std::net::SocketAddr;

use service::config::{DatabaseConfig, Env, Invalid};

/// What this service needs from its environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    pub grpc_listen: Option<SocketAddr>,
    /// Where the door system is; the paths below it are its vendor's (PRD 9.6).
    pub door_url: String,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_ACCESS_GRANT_GRPC_LISTEN");
        let door_url = env.required::<String>("SITEPASS_DOOR_URL");
        Ok(Self { database: database?, grpc_listen: grpc_listen?, door_url: door_url? })
    }
}
