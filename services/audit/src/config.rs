use std::net::SocketAddr;
use std::path::PathBuf;

use auth::PublicKey;
use service::config::{DatabaseConfig, Env, Invalid, Secret};

/// What the service needs from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Where other processes reach it; nowhere when absent.
    pub grpc_listen: Option<SocketAddr>,
    pub checkpoints: CheckpointConfig,
}

/// Where checkpoints are kept, and how they are signed.
#[derive(Debug, Clone)]
pub struct CheckpointConfig {
    /// Out of reach of those who may write the database.
    pub dir: PathBuf,
    /// At least 32 bytes; the signing key is derived from it.
    pub secret: Secret,
    /// Keys that signed before.
    pub trusted: Vec<PublicKey>,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_AUDIT_GRPC_LISTEN");
        let checkpoints = CheckpointConfig::read(env);
        Ok(Self { database: database?, grpc_listen: grpc_listen?, checkpoints: checkpoints? })
    }
}

impl CheckpointConfig {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let dir = env.or("SITEPASS_AUDIT_CHECKPOINT_DIR", PathBuf::from(".sitepass/checkpoints"));
        let secret = env.secret("SITEPASS_AUDIT_CHECKPOINT_SECRET", 32);
        let trusted = keys(env, "SITEPASS_AUDIT_TRUSTED_KEYS");
        Ok(Self { dir: dir?, secret: secret?, trusted: trusted? })
    }
}

/// Public keys parted by spaces or commas.
fn keys(env: &mut Env, key: &str) -> Result<Vec<PublicKey>, Invalid> {
    let text: Option<String> = env.optional(key)?;
    let texts =
        text.as_deref().unwrap_or_default().split([' ', ',']).filter(|text| !text.is_empty());
    let parsed: Result<Vec<PublicKey>, _> = texts.map(str::parse::<PublicKey>).collect();
    parsed.map_err(|err| env.mistake(key, &err.to_string()))
}

#[cfg(test)]
mod tests {
    use service::config::Env;

    use super::CheckpointConfig;

    const SECRET: (&str, &str) =
        ("SITEPASS_AUDIT_CHECKPOINT_SECRET", "0123456789abcdef0123456789abcdef");
    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn env(trusted: &str) -> Env {
        let pairs = [SECRET, ("SITEPASS_AUDIT_TRUSTED_KEYS", trusted)];
        Env::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    #[test]
    fn keys_that_signed_before_are_listed() {
        let config = CheckpointConfig::read(&mut env(&format!("{KEY}, {KEY}"))).unwrap();
        assert_eq!(config.trusted.len(), 2);
        assert_eq!(CheckpointConfig::read(&mut env("")).unwrap().trusted.len(), 0);
    }

    #[test]
    fn what_is_no_key_is_a_mistake_and_so_is_a_missing_secret() {
        let mut odd = env("abc");
        assert!(CheckpointConfig::read(&mut odd).is_err());
        assert_eq!(odd.finish().unwrap_err().len(), 1);
        let mut none = Env::default();
        assert!(CheckpointConfig::read(&mut none).is_err());
        assert_eq!(none.finish().unwrap_err()[0].key, SECRET.0);
    }
}
