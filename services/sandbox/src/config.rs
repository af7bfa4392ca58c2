use std::net::{Ipv4Addr, SocketAddr};

use service::config::{Env, Invalid};

// What the stand-ins expect where the environment says nothing else. They guard nothing.
pub const WECHAT_APPID: &str = "wxsandbox000000001";
pub const WECHAT_SECRET: &str = "sandbox-wechat-secret-0000000000";
pub const SMS_APP_ID: &str = "1400006666";
pub const SMS_SECRET_ID: &str = "AKIDsandbox0000000000000000000000000";
pub const SMS_SECRET_KEY: &str = "sandbox-sms-secret-key-000000000";

/// Where the stand-ins listen and what they share with Sitepass.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub wechat: WechatConfig,
    pub sms: SmsConfig,
    pub door: DoorConfig,
    /// Of the dice that faults throw.
    pub seed: u64,
}

/// The mini-program as WeChat knows it.
#[derive(Clone)]
pub struct WechatConfig {
    pub appid: String,
    pub secret: String,
}

/// The account at the SMS firm.
#[derive(Clone)]
pub struct SmsConfig {
    pub app_id: String,
    pub secret_id: String,
    pub secret_key: String,
}

/// Where the doors report passages to, and the secret (`whsec_…`) they sign with.
#[derive(Clone)]
pub struct DoorConfig {
    pub events_url: String,
    pub webhook_secret: String,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let listen =
            env.or("SITEPASS_SANDBOX_LISTEN", SocketAddr::from((Ipv4Addr::LOCALHOST, 8090)));
        let wechat = WechatConfig::read(env);
        let sms = SmsConfig::read(env);
        let door = DoorConfig::read(env);
        Ok(Self { listen: listen?, wechat: wechat?, sms: sms?, door: door?, seed: 1 })
    }
}

impl WechatConfig {
    fn read(env: &mut Env) -> Result<Self, Invalid> {
        let appid = env.or("SITEPASS_WECHAT_APPID", WECHAT_APPID.to_owned());
        let secret = env.or("SITEPASS_WECHAT_SECRET", WECHAT_SECRET.to_owned());
        Ok(Self { appid: appid?, secret: secret? })
    }
}

impl SmsConfig {
    fn read(env: &mut Env) -> Result<Self, Invalid> {
        let app_id = env.or("SITEPASS_SMS_APP_ID", SMS_APP_ID.to_owned());
        let secret_id = env.or("SITEPASS_SMS_SECRET_ID", SMS_SECRET_ID.to_owned());
        let secret_key = env.or("SITEPASS_SMS_SECRET_KEY", SMS_SECRET_KEY.to_owned());
        Ok(Self { app_id: app_id?, secret_id: secret_id?, secret_key: secret_key? })
    }
}

impl DoorConfig {
    fn read(env: &mut Env) -> Result<Self, Invalid> {
        const SECRET: &str = "SITEPASS_DOOR_WEBHOOK_SECRET";
        let gateway =
            env.or("SITEPASS_GATEWAY_LISTEN", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let public_url = env.optional::<String>("SITEPASS_PUBLIC_URL");
        let webhook_secret = env.required::<String>(SECRET).and_then(|secret| {
            match auth::webhook::sign(&secret, "msg_check", 0, b"") {
                Ok(_) => Ok(secret),
                Err(_) => {
                    Err(env.mistake(SECRET, "is not whsec_ and the base64 of 24 to 64 bytes"))
                }
            }
        });
        let local = format!("http://{}", gateway?);
        let public_url = public_url?.unwrap_or(local);
        let events_url =
            format!("{}/api/integration/access-control/events", public_url.trim_end_matches('/'));
        Ok(Self { events_url, webhook_secret: webhook_secret? })
    }
}

macro_rules! without_secrets {
    ($($name:ident { $($shown:ident),* }),* $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    )*};
}

without_secrets!(
    WechatConfig { appid },
    SmsConfig { app_id, secret_id },
    DoorConfig { events_url }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed_and_a_bad_one_is_a_mistake() {
        let pair = |secret: &str| [("SITEPASS_DOOR_WEBHOOK_SECRET".to_owned(), secret.to_owned())];
        let mut env = Env::from_pairs(pair("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"));
        let config = Config::read(&mut env).unwrap();
        assert_eq!(
            config.door.events_url,
            "http://127.0.0.1:8080/api/integration/access-control/events"
        );
        let printed = format!("{config:?}");
        assert!(
            !printed.contains("whsec_")
                && !printed.contains("secret-key")
                && !printed.contains("wechat-secret")
        );

        let mut env = Env::from_pairs(pair("whsec_short"));
        assert!(Config::read(&mut env).is_err());
        assert_eq!(env.finish().unwrap_err().len(), 1);
    }
}
