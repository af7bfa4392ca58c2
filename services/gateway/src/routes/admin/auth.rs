//! Signing in and out. The access token goes into the answer; the refresh token into a cookie that scripts cannot read,
//! or into the answer for clients without cookies that ask for it.

use auth::{Audience, Claims, Subject};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use proto::directory::v1::{
    Account, ChangePasswordRequest, GetAccountRequest, ListContractorsRequest, ListSitesRequest,
    RefreshSignInRequest, SignInRequest, SignOutRequest,
};
use serde::{Deserialize, Serialize};
use types::{ErrorCode, Role};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Done, Enveloped, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::Command;

const COOKIE: &str = "sitepass_refresh";

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(change_password))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    #[schema(min_length = 1)]
    username: String,
    #[schema(min_length = 1)]
    password: String,
    /// The refresh token is answered in the body instead of a cookie.
    #[serde(default)]
    token_in_body: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// Taken from the cookie when absent.
    refresh_token: Option<String>,
    #[serde(default)]
    token_in_body: bool,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    access_token: String,
    /// Seconds.
    expires_in: i64,
    account: ShownAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ShownAccount {
    account_id: String,
    username: String,
    /// `SysAdmin`, `ContractorAdmin` or `Auditor`.
    role: String,
    permissions: Vec<&'static str>,
    site_ids: Vec<String>,
    /// The contractor a `ContractorAdmin` is confined to.
    contractor_id: Option<String>,
    /// Signed in with a one-time password: everything else is refused before a new one is chosen.
    must_change_password: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    #[schema(min_length = 1)]
    old_password: String,
    /// 12 to 256 characters.
    #[schema(min_length = 12, max_length = 256)]
    new_password: String,
}

#[derive(Serialize, ToSchema)]
struct PasswordChanged {
    /// The one before is stale.
    access_token: String,
    /// Seconds.
    expires_in: i64,
    account: ShownAccount,
}

#[derive(Serialize, ToSchema)]
struct Me {
    #[serde(flatten)]
    account: ShownAccount,
    contractor_name: Option<String>,
    sites: Vec<MySite>,
}

#[derive(Serialize, ToSchema)]
struct MySite {
    site_id: String,
    name: String,
    time_zone: String,
}

/// Signs in. An unknown user and a wrong password answer alike.
#[utoipa::path(
    post,
    path = "/api/admin/auth/login",
    tag = "auth",
    request_body = Login,
    responses((status = 200, body = Enveloped<SignedIn>))
)]
async fn login(call: Call, Command(login): Command<Login>) -> Result<Response, Failure> {
    let Login { username, password, token_in_body } = login;
    let message = SignInRequest { username, password };
    let signed_in = call.directory().sign_in(call.command(message)).await?.into_inner();
    let granted = Granted {
        account: signed_in.account,
        refresh_token: signed_in.refresh_token,
        refresh_expires_at: instant(signed_in.refresh_expires_at),
        family_id: signed_in.family_id,
    };
    granted.answer(&call, token_in_body)
}

/// Gives a fresh access token for a refresh token, which is replaced: using it twice ends the sign-in.
#[utoipa::path(
    post,
    path = "/api/admin/auth/refresh",
    tag = "auth",
    request_body = Refresh,
    responses((status = 200, body = Enveloped<SignedIn>))
)]
async fn refresh(
    call: Call,
    headers: HeaderMap,
    Command(refresh): Command<Refresh>,
) -> Result<Response, Failure> {
    let token = refresh.refresh_token.or_else(|| cookie(&headers));
    let refresh_token = token.ok_or_else(|| Failure::new(ErrorCode::NotSignedIn))?;
    let message = RefreshSignInRequest { refresh_token };
    let refreshed = call.directory().refresh_sign_in(call.command(message)).await?.into_inner();
    let granted = Granted {
        account: refreshed.account,
        refresh_token: refreshed.refresh_token,
        refresh_expires_at: instant(refreshed.refresh_expires_at),
        family_id: refreshed.family_id,
    };
    granted.answer(&call, refresh.token_in_body)
}

/// Ends the sign-in and its refresh tokens. Another gateway believes the access token for half a minute more.
#[utoipa::path(
    post,
    path = "/api/admin/auth/logout",
    tag = "auth",
    responses((status = 200, body = Enveloped<Done>))
)]
async fn logout(call: Call) -> Result<Response, Failure> {
    let family_id = call.claims.as_ref().and_then(|claims| claims.session.clone());
    if let Some(family_id) = family_id {
        let sign_ins = &call.gateway.sign_ins;
        sign_ins.forget(&family_id);
        let message = SignOutRequest { family_id: family_id.clone() };
        let ended = call.directory().sign_out(call.command(message)).await;
        // Whoever asked meanwhile was told that it holds. It may have ended also where no answer came.
        sign_ins.forget(&family_id);
        ended?;
    }
    let mut response = Enveloped::new(Done {}).into_response();
    set_cookie(&mut response, "", 0, call.gateway.config.is_secure());
    Ok(response)
}

/// Who is signed in, what they may do and where.
#[utoipa::path(get, path = "/api/admin/auth/me", tag = "auth", responses((status = 200, body = Enveloped<Me>)))]
async fn me(call: Call) -> Answer<Me> {
    let account_id = call.caller.account_id().map(|id| id.to_string()).unwrap_or_default();
    let account = ask!(call.directory.get_account(GetAccountRequest { account_id }));
    let sites = ask!(call.directory.list_sites(ListSitesRequest {}));
    let (account, sites) = tokio::try_join!(account, sites)?;
    let sites = sites.sites.into_iter().map(|site| MySite {
        site_id: site.site_id,
        name: site.name,
        time_zone: site.time_zone,
    });
    let account = shown(account.account)?;
    let contractor_name = match &account.contractor_id {
        Some(_) => {
            let message = ListContractorsRequest::default();
            let own = ask!(call.directory.list_contractors(message)).await?.contractors;
            own.into_iter().next().map(|contractor| contractor.name)
        }
        None => None,
    };
    answer(Me { account, contractor_name, sites: sites.collect() })
}

/// Chooses a new password for oneself. Every other sign-in of the account ends; this one goes on with the token answered.
#[utoipa::path(
    post,
    path = "/api/admin/auth/password",
    tag = "auth",
    request_body = NewPassword,
    responses((status = 200, body = Enveloped<PasswordChanged>))
)]
async fn change_password(
    call: Call,
    Command(chosen): Command<NewPassword>,
) -> Answer<PasswordChanged> {
    let NewPassword { old_password, new_password } = chosen;
    let family_id = call.claims.as_ref().and_then(|claims| claims.session.clone());
    let family_id = family_id.unwrap_or_default();
    let message =
        ChangePasswordRequest { old_password, new_password, family_id: family_id.clone() };
    let changed = call.directory().change_password(call.command(message)).await?.into_inner();
    call.gateway.sign_ins.forget(&family_id);
    let (access_token, account) = token(&call, changed.account, family_id)?;
    answer(PasswordChanged {
        access_token,
        expires_in: Audience::Admin.lifetime().num_seconds(),
        account,
    })
}

/// An access token of the account as it now is.
fn token(
    call: &Call,
    account: Option<Account>,
    family_id: String,
) -> Result<(String, ShownAccount), Failure> {
    let version = account.as_ref().map(|account| account.version);
    let account = shown(account)?;
    let internal = |_| Failure::new(ErrorCode::Internal);
    let contractor = account.contractor_id.as_ref().map(|id| id.parse()).transpose();
    let claims = Claims {
        subject: Subject::Account(account.account_id.parse().map_err(internal)?),
        role: Some(account.role.parse().map_err(|_| Failure::new(ErrorCode::Internal))?),
        contractor: contractor.map_err(internal)?,
        session: some(family_id),
        version,
        audience: Audience::Admin,
    };
    Ok((call.gateway.tokens.issue(&claims, call.gateway.shell.system.now()), account))
}

/// What `directory` answers to a good sign-in.
struct Granted {
    account: Option<Account>,
    refresh_token: String,
    refresh_expires_at: Option<DateTime<Utc>>,
    family_id: String,
}

impl Granted {
    fn answer(self, call: &Call, token_in_body: bool) -> Result<Response, Failure> {
        let (access_token, account) = token(call, self.account, self.family_id)?;
        let now = call.gateway.shell.system.now();
        let signed_in = SignedIn {
            access_token,
            expires_in: Audience::Admin.lifetime().num_seconds(),
            account,
            refresh_token: token_in_body.then(|| self.refresh_token.clone()),
        };
        let mut response = Enveloped::new(signed_in).into_response();
        if !token_in_body {
            let age = self.refresh_expires_at.map_or(0, |end| (end - now).num_seconds().max(0));
            set_cookie(&mut response, &self.refresh_token, age, call.gateway.config.is_secure());
        }
        Ok(response)
    }
}

fn shown(account: Option<Account>) -> Result<ShownAccount, Failure> {
    let account = account.ok_or_else(|| Failure::new(ErrorCode::Internal))?;
    let role: Role = account.role.parse().map_err(|_| Failure::new(ErrorCode::Internal))?;
    Ok(ShownAccount {
        account_id: account.account_id,
        username: account.username,
        role: account.role,
        permissions: role.permissions().iter().map(|permission| permission.as_str()).collect(),
        site_ids: account.site_ids,
        contractor_id: some(account.contractor_id),
        must_change_password: account.must_change_password,
    })
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        values.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

/// Only this area of the API ever sees it, and no other site can make a browser send it.
fn set_cookie(response: &mut Response, token: &str, age_sec: i64, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={token}; Path=/api/admin/auth; Max-Age={age_sec}; HttpOnly; SameSite=Strict{secure}"
    );
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
