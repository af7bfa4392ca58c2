use std::net::SocketAddr;

use service::config::{DatabaseConfig, Env, Invalid, SecretRing};

const SHORTEST_SECRET: usize = 32;

/// What this service needs from its environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    pub grpc_listen: Option<SocketAddr>,
    /// Where controllers reach us.
    pub listen: SocketAddr,
    /// Opens and seals the controllers' secrets.
    pub vault: SecretRing,
}

impl Config {
    /// Reads every value, so that all mistakes are recorded.
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_DEVICE_GRPC_LISTEN");
        let listen = env.or("SITEPASS_DEVICE_LISTEN", SocketAddr::from(([127, 0, 0, 1], 8081)));
        let vault = env.secret_ring("SITEPASS_VAULT", SHORTEST_SECRET);
        Ok(Self { database: database?, grpc_listen: grpc_listen?, listen: listen?, vault: vault? })
    }
}
