use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use service::config::{Env, Invalid, Secret};
use url::Url;

use crate::proxies::Proxies;

/// Where the gateway listens, and the secrets it shares with clients, doors and `training`.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Signs access tokens; at least 32 bytes.
    pub token_secret: Secret,
    /// Where `training` keeps videos.
    pub blob_dir: PathBuf,
    /// Verifies the addresses that `training` signs; at least 32 bytes.
    pub blob_secret: Secret,
    /// `whsec_…`; two of them while a door vendor's secret rotates.
    pub door_webhook_secrets: Vec<Secret>,
    /// How clients reach this gateway, where that is not its own address.
    pub public_url: Option<Url>,
    /// Who may say for whom a request is.
    pub trusted_proxies: Proxies,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let listen =
            env.or("SITEPASS_GATEWAY_LISTEN", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let token_secret = env.secret("SITEPASS_TOKEN_SECRET", 32);
        let blob_dir = env.or("SITEPASS_BLOB_DIR", PathBuf::from(".sitepass/blobs"));
        let blob_secret = env.secret("SITEPASS_BLOB_SECRET", 32);
        let door_webhook_secrets = webhook_secrets(env, "SITEPASS_DOOR_WEBHOOK_SECRET");
        let public_url = env.optional("SITEPASS_PUBLIC_URL");
        let trusted_proxies = env.or("SITEPASS_TRUSTED_PROXIES", Proxies::default());
        Ok(Self {
            listen: listen?,
            token_secret: token_secret?,
            blob_dir: blob_dir?,
            blob_secret: blob_secret?,
            door_webhook_secrets: door_webhook_secrets?,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
        })
    }

    /// Whether browsers reach us by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// Secrets parted by spaces, each good for signing.
fn webhook_secrets(env: &mut Env, key: &str) -> Result<Vec<Secret>, Invalid> {
    let text: String = env.required(key)?;
    let secrets: Vec<&str> = text.split_whitespace().collect();
    let good = |secret: &&str| auth::webhook::sign(secret, "msg_check", 0, b"").is_ok();
    if secrets.is_empty() || !secrets.iter().all(good) {
        return Err(env.mistake(key, "is not whsec_ and the base64 of 24 to 64 bytes"));
    }
    Ok(secrets.into_iter().map(|secret| Secret::new(secret.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn env(webhook: &str) -> Env {
        let long = "0123456789abcdef0123456789abcdef";
        let pairs = [
            ("SITEPASS_TOKEN_SECRET", long),
            ("SITEPASS_BLOB_SECRET", long),
            ("SITEPASS_DOOR_WEBHOOK_SECRET", webhook),
        ];
        Env::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    #[test]
    fn two_webhook_secrets_live_side_by_side_while_they_rotate() {
        let config = Config::read(&mut env(&format!("{SECRET} {SECRET}"))).unwrap();
        assert_eq!(config.door_webhook_secrets.len(), 2);
        assert!(!format!("{config:?}").contains("whsec_"));
    }

    #[test]
    fn a_secret_that_cannot_sign_is_a_mistake_and_so_is_a_short_one() {
        for secret in ["whsec_short", " ", &format!("{SECRET} plain")] {
            let mut env = env(secret);
            assert!(Config::read(&mut env).is_err(), "{secret}");
            assert_eq!(env.finish().unwrap_err().len(), 1, "{secret}");
        }
        let short = [("SITEPASS_TOKEN_SECRET", "short"), ("SITEPASS_TRUSTED_PROXIES", "proxy")];
        let short = short.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut env = Env::from_pairs(short);
        assert!(Config::read(&mut env).is_err());
        assert_eq!(env.finish().unwrap_err().len(), 4);
    }
}
