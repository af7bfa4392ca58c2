//! Who a phone belongs to.

use auth::{Audience, Claims, Subject};
use chrono::{DateTime, Utc};
use proto::directory::v1::{BindWorkerRequest, EnterMiniProgramRequest, SendSmsCodeRequest};
use proto::notification::v1::RecordConsentRequest;
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, answer, instant, some};
use crate::call::{Call, Shared};
use crate::failure::Failure;
use crate::request::Command;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(enter_mini_program))
        .routes(routes!(bind_worker))
        .routes(routes!(send_sms_code))
        .routes(routes!(record_consent))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Enter {
    /// Of wx.login.
    #[schema(min_length = 1)]
    mp_code: String,
}

#[derive(Serialize, ToSchema)]
struct Entered {
    mp_session_token: String,
    /// Seconds.
    expires_in: i64,
    bound: bool,
    worker_id: Option<String>,
    /// Of who was bound and is no more.
    binding_ended: Option<BindingEnded>,
}

#[derive(Serialize, ToSchema)]
struct BindingEnded {
    /// `REPLACED` or `BY_ADMIN`.
    reason: String,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Bind {
    #[schema(min_length = 1)]
    mp_code: String,
    /// With `sms_code`; or `phone_code` instead.
    phone: Option<String>,
    sms_code: Option<String>,
    /// Of getPhoneNumber.
    phone_code: Option<String>,
    /// The whole number; the last six characters where the site is content with them.
    #[schema(min_length = 1)]
    id_no: String,
    /// Helps where the roster has no identity number for this person.
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Bound {
    worker_id: String,
    mp_session_token: String,
    /// Whether this ended the binding of another phone.
    took_over: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SmsCode {
    #[schema(min_length = 1)]
    phone: String,
}

#[derive(Serialize, ToSchema)]
struct SentSmsCode {
    expires_at: Option<DateTime<Utc>>,
    next_allowed_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Consent {
    #[schema(min_length = 1)]
    template: String,
    accepted: Accepted,
}

/// How many messages the worker agreed to receive: a number, or yes for one.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(untagged)]
enum Accepted {
    Yes(bool),
    Times(u8),
}

#[derive(Serialize, ToSchema)]
struct Balance {
    /// Messages of this template that may still be sent.
    balance: u32,
}

/// Exchanges a WeChat code for a session.
#[utoipa::path(
    post,
    path = "/api/mp/login",
    tag = "mini-program",
    request_body = Enter,
    responses((status = 200, body = Enveloped<Entered>))
)]
async fn enter_mini_program(call: Call, Command(enter): Command<Enter>) -> Answer<Entered> {
    let message = EnterMiniProgramRequest { mp_code: enter.mp_code };
    let entered = call.directory().enter_mini_program(call.command(message)).await?.into_inner();
    let token = session(&call, &entered.worker_id, entered.wechat_user_id)?;
    let worker_id = some(entered.worker_id);
    let ended_at = instant(entered.ended_at);
    answer(Entered {
        mp_session_token: token,
        expires_in: Audience::MiniProgram.lifetime().num_seconds(),
        bound: worker_id.is_some(),
        worker_id,
        binding_ended: some(entered.ended_because).map(|reason| BindingEnded { reason, ended_at }),
    })
}

/// Binds a WeChat identity to a worker of the roster; a new binding ends the old one.
#[utoipa::path(
    post,
    path = "/api/mp/bind",
    tag = "mini-program",
    request_body = Bind,
    responses((status = 200, body = Enveloped<Bound>))
)]
async fn bind_worker(call: Call, Command(bind): Command<Bind>) -> Answer<Bound> {
    let message = BindWorkerRequest {
        mp_code: bind.mp_code,
        phone: bind.phone.unwrap_or_default(),
        sms_code: bind.sms_code.unwrap_or_default(),
        phone_code: bind.phone_code.unwrap_or_default(),
        id_no: bind.id_no,
        name: bind.name.unwrap_or_default(),
    };
    let bound = call.directory().bind_worker(call.command(message)).await?.into_inner();
    let mp_session_token = session(&call, &bound.worker_id, bound.wechat_user_id)?;
    answer(Bound { worker_id: bound.worker_id, mp_session_token, took_over: bound.took_over })
}

/// A token of the worker, or before binding of the WeChat user alone.
fn session(call: &Call, worker_id: &str, wechat_user_id: String) -> Result<String, Failure> {
    let internal = |_| Failure::new(ErrorCode::Internal);
    let subject = if worker_id.is_empty() {
        Subject::Anonymous
    } else {
        Subject::Worker(worker_id.parse().map_err(internal)?)
    };
    let claims = Claims {
        subject,
        role: None,
        contractor: None,
        session: some(wechat_user_id),
        version: None,
        audience: Audience::MiniProgram,
    };
    Ok(call.gateway.tokens.issue(&claims, call.gateway.shell.system.now()))
}

#[utoipa::path(
    post,
    path = "/api/mp/sms-codes",
    tag = "mini-program",
    request_body = SmsCode,
    responses((status = 200, body = Enveloped<SentSmsCode>))
)]
async fn send_sms_code(call: Call, Command(code): Command<SmsCode>) -> Answer<SentSmsCode> {
    let user = call.claims.as_ref().and_then(|claims| claims.session.clone());
    let message =
        SendSmsCodeRequest { phone: code.phone, wechat_user_id: user.unwrap_or_default() };
    let sent = call.directory().send_sms_code(call.command(message)).await?.into_inner();
    answer(SentSmsCode {
        expires_at: instant(sent.expires_at),
        next_allowed_at: instant(sent.next_allowed_at),
    })
}

/// Records what the worker agreed to receive: each acceptance is one message.
#[utoipa::path(
    post,
    path = "/api/mp/subscriptions",
    tag = "mini-program",
    request_body = Consent,
    responses((status = 200, body = Enveloped<Balance>))
)]
async fn record_consent(call: Call, Command(consent): Command<Consent>) -> Answer<Balance> {
    let message = RecordConsentRequest {
        worker_id: call.worker()?.to_string(),
        template: consent.template,
        accepted: match consent.accepted {
            Accepted::Yes(yes) => u32::from(yes),
            Accepted::Times(times) => u32::from(times),
        },
    };
    let recorded = call.notification().record_consent(call.command(message)).await?.into_inner();
    answer(Balance { balance: recorded.balance })
}
