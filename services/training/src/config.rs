use std::net::SocketAddr;
use std::path::PathBuf;

use service::config::{DatabaseConfig, Env, Invalid, Secret};

/// What the service needs from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Where other processes reach it; nowhere when absent.
    pub grpc_listen: Option<SocketAddr>,
    pub blobs: BlobsConfig,
    /// The mini-program's platform, as far as faces go.
    pub faces: wechat::Config,
}

/// Where videos are kept, and what their addresses are signed with; the gateway is told the same.
#[derive(Debug, Clone)]
pub struct BlobsConfig {
    pub directory: PathBuf,
    pub secret: Secret,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_TRAINING_GRPC_LISTEN");
        let directory = env.or("SITEPASS_BLOB_DIR", PathBuf::from(".sitepass/blobs"));
        let blob_secret = env.secret("SITEPASS_BLOB_SECRET", 32);
        let url = env.required("SITEPASS_FACE_URL");
        let appid = env.required("SITEPASS_WECHAT_APPID");
        let secret = env.secret("SITEPASS_WECHAT_SECRET", 1);
        Ok(Self {
            database: database?,
            grpc_listen: grpc_listen?,
            blobs: BlobsConfig { directory: directory?, secret: blob_secret? },
            faces: wechat::Config { url: url?, appid: appid?, secret: secret? },
        })
    }
}
