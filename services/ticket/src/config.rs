//! What this service reads from the environment; nothing else here does.

use std::net::SocketAddr;

use service::config::{DatabaseConfig, Env, Invalid};

#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Where to listen when other processes call this service; absent when all run in one.
    pub grpc_listen: Option<SocketAddr>,
}

impl Config {
    /// Reads every value before it fails, so that all mistakes are recorded.
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_TICKET_GRPC_LISTEN");
        Ok(Self { database: database?, grpc_listen: grpc_listen? })
    }
}
