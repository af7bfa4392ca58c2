use std::net::SocketAddr;

use service::config::{DatabaseConfig, Env, Invalid};

/// What the service needs from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Where other processes reach it; nowhere when absent.
    pub grpc_listen: Option<SocketAddr>,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_REPORT_GRPC_LISTEN");
        Ok(Self { database: database?, grpc_listen: grpc_listen? })
    }
}
