use std::fmt;

use auth::Caller;
use proto::directory::v1::SendSmsCodeResponse;
use service::{Scope, Tx};
use vault::Phone;

use super::{App, Error, personal};
use crate::domain::{Index, Limit, SentCode, SmsCode, WechatUserId, origin};
use crate::{sms, store};

const SCOPE: Scope = Scope::System("phones belong to no site");

pub(crate) struct SendSmsCode {
    pub phone: Phone,
    /// Whose session asks, where the caller knows it.
    pub user: Option<WechatUserId>,
}

impl fmt::Debug for SendSmsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSmsCode").field("user", &self.user).finish_non_exhaustive()
    }
}

impl App {
    /// Texts a new code; the one before no longer works. A second within a minute is refused, and one too many of a day:
    /// to the phone, for the user who asks, or from where they are.
    #[tracing::instrument(name = "sms_code.send", skip_all)]
    pub(crate) async fn send_sms_code(
        &self,
        caller: &Caller,
        cmd: SendSmsCode,
    ) -> Result<SendSmsCodeResponse, Error> {
        let SendSmsCode { phone, user } = &cmd;
        let user = user.map(|user| user.to_string());
        let origin = caller.address.as_deref().and_then(origin);
        let mut limits = vec![(Limit::TEXTS_TO, phone.as_str())];
        limits.extend(user.as_deref().map(|user| (Limit::TEXTS_BY, user)));
        limits.extend(origin.as_deref().map(|origin| (Limit::TEXTS_FROM, origin)));
        let now = self.system.now();
        let code = draw()?;
        let phone_index = personal::phone_index(&self.vault, phone);
        let code_index = self.code_index(phone, &code);
        // In force before it is sent, so that two calls at once send one text.
        let mut tx = self.store.begin(SCOPE).await?;
        if let Err(last) =
            store::sms_codes::replace(&mut tx, &phone_index, &code_index, now).await?
        {
            return Err(Error::TooManyRequests { retry_after: last.next_allowed_at() - now });
        }
        let attempt = self.count_attempt(&mut tx, &limits).await?;
        tx.commit().await?;
        match self.sms.send_code(phone, &code).await {
            Ok(()) => {}
            // It may be on its way: the code stays in force, and the minute is waited for.
            Err(sms::Error::Unknown) => return Err(Error::Upstream("sms")),
            Err(err) => {
                let mut tx = self.store.begin(SCOPE).await?;
                store::sms_codes::forget(&mut tx, &phone_index, &code_index).await?;
                store::attempts::take_back(&mut tx, attempt).await?;
                tx.commit().await?;
                return Err(match err {
                    sms::Error::Limited(retry_after) => Error::TooManyRequests { retry_after },
                    sms::Error::BadNumber => Error::field("phone", "gets no texts"),
                    sms::Error::NotSent | sms::Error::Unknown => Error::Upstream("sms"),
                });
            }
        }
        Ok(SendSmsCodeResponse {
            expires_at: Some(proto::timestamp(now + SmsCode::LIFETIME)),
            next_allowed_at: Some(proto::timestamp(SentCode { sent_at: now }.next_allowed_at())),
        })
    }

    /// Spends one of the code's five tries, whatever comes of the rest; answers what to use up.
    pub(super) async fn try_sms_code(&self, phone: &Phone, code: &SmsCode) -> Result<Index, Error> {
        let mut tx = self.store.begin(SCOPE).await?;
        let phone_index = personal::phone_index(&self.vault, phone);
        let in_force = store::sms_codes::take_try(&mut tx, &phone_index, self.system.now()).await?;
        tx.commit().await?;
        let index = self.code_index(phone, code);
        if in_force.as_ref() == Some(&index) { Ok(index) } else { Err(Error::SmsCodeWrong) }
    }

    /// A code works once.
    pub(super) async fn use_sms_code(
        &self,
        tx: &mut Tx,
        phone: &Phone,
        code: &Index,
    ) -> Result<(), Error> {
        let phone_index = personal::phone_index(&self.vault, phone);
        let used = store::sms_codes::mark_used(tx, &phone_index, code, self.system.now()).await?;
        if used { Ok(()) } else { Err(Error::SmsCodeWrong) }
    }

    /// What is kept of a code: bound to its phone and keyed.
    fn code_index(&self, phone: &Phone, code: &SmsCode) -> Index {
        self.vault
            .blind_index("sms.code", &format!("{} {}", phone.as_str(), code.as_str()))
            .to_vec()
    }
}

fn draw() -> Result<SmsCode, Error> {
    loop {
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|_| Error::Internal("the system gives no random bytes"))?;
        if let Some(code) = SmsCode::from_random(u32::from_le_bytes(random)) {
            return Ok(code);
        }
    }
}
