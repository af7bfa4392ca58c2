use std::net::SocketAddr;

use reqwest::Url;
use service::config::{DatabaseConfig, Env, Invalid, Secret, SecretRing};

use crate::domain::MIN_PASSWORD_CHARS;
use crate::sms;

/// What the directory needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: DatabaseConfig,
    /// Only when other processes call this one.
    pub grpc_listen: Option<SocketAddr>,
    /// The roots of everything sealed; without them nothing sealed opens again.
    pub vault: SecretRing,
    pub wechat: wechat::Config,
    pub sms: sms::Config,
    pub realname_url: String,
    /// How often each site's roster is read without being asked to, and how often whole; site time. Never where absent.
    pub roster_rhythm: Option<RosterRhythm>,
    /// Of the account `admin`, made at the start where there is no account at all.
    pub first_admin_password: Option<Secret>,
}

impl Config {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::read(env);
        let grpc_listen = env.optional("SITEPASS_DIRECTORY_GRPC_LISTEN");
        let vault = env.secret_ring("SITEPASS_VAULT", 32);
        let wechat = read_wechat(env);
        let sms = read_sms(env);
        let realname_url = env.required::<Url>("SITEPASS_REALNAME_URL");
        let roster_rhythm = read_roster_rhythm(env);
        let first_admin_password = read_first_admin_password(env);
        Ok(Self {
            database: database?,
            grpc_listen: grpc_listen?,
            vault: vault?,
            wechat: wechat?,
            sms: sms?,
            realname_url: realname_url?.to_string(),
            roster_rhythm: roster_rhythm?,
            first_admin_password: first_admin_password?,
        })
    }
}

/// How often rosters are read without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterRhythm {
    pub every_minutes: u32,
    pub whole_every_hours: u32,
}

fn read_roster_rhythm(env: &mut Env) -> Result<Option<RosterRhythm>, Invalid> {
    const WHOLE: &str = "SITEPASS_ROSTER_WHOLE_HOURS";
    let every_minutes = env.or("SITEPASS_ROSTER_MINUTES", 30);
    let whole_every_hours = env.or(WHOLE, 24)?;
    if whole_every_hours == 0 {
        return Err(env.mistake(WHOLE, "is 0: nobody would ever be found gone"));
    }
    let every_minutes = every_minutes?;
    Ok((every_minutes > 0).then_some(RosterRhythm { every_minutes, whole_every_hours }))
}

fn read_wechat(env: &mut Env) -> Result<wechat::Config, Invalid> {
    let url = env.or("SITEPASS_WECHAT_URL", "https://api.weixin.qq.com".to_owned());
    let appid = env.required("SITEPASS_WECHAT_APPID");
    let secret = env.secret("SITEPASS_WECHAT_SECRET", 1);
    Ok(wechat::Config {
        url: url?.trim_end_matches('/').to_owned(),
        appid: appid?,
        secret: secret?,
    })
}

fn read_sms(env: &mut Env) -> Result<sms::Config, Invalid> {
    let url = env.optional::<Url>("SITEPASS_SMS_URL").and_then(|url| match url {
        Some(url) => Ok(url),
        None => Url::parse("https://sms.tencentcloudapi.com/").map_err(|_| Invalid),
    });
    let app_id = env.required("SITEPASS_SMS_APP_ID");
    let secret_id = env.required("SITEPASS_SMS_SECRET_ID");
    let secret_key = env.secret("SITEPASS_SMS_SECRET_KEY", 1);
    let region = env.or("SITEPASS_SMS_REGION", "ap-guangzhou".to_owned());
    let sign_name = env.or("SITEPASS_SMS_SIGN_NAME", "作业票通".to_owned());
    let code_template = env.or("SITEPASS_SMS_CODE_TEMPLATE", "1000001".to_owned());
    Ok(sms::Config {
        url: url?,
        app_id: app_id?,
        secret_id: secret_id?,
        secret_key: secret_key?,
        region: region?,
        sign_name: sign_name?,
        code_template: code_template?,
    })
}

fn read_first_admin_password(env: &mut Env) -> Result<Option<Secret>, Invalid> {
    const KEY: &str = "SITEPASS_FIRST_ADMIN_PASSWORD";
    let Some(password) = env.optional::<String>(KEY)? else { return Ok(None) };
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(env.mistake(KEY, &format!("is shorter than {MIN_PASSWORD_CHARS} characters")));
    }
    Ok(Some(Secret::new(password.as_bytes())))
}
