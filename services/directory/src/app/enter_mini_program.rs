use proto::directory::v1::EnterMiniProgramResponse;
use service::{Scope, Tx};

use super::{App, Error, personal};
use crate::domain::{WechatUserId, Worker};
use crate::store;
use crate::store::wechat_users::NewUser;

impl App {
    /// Exchanges a WeChat code; who comes for the first time is kept, not yet bound to anyone. Who is bound no more is told
    /// why: after a takeover this is all that an old phone without a session hears.
    #[tracing::instrument(name = "mini_program.enter", skip_all)]
    pub(crate) async fn enter_mini_program(
        &self,
        mp_code: &str,
    ) -> Result<EnterMiniProgramResponse, Error> {
        let session = self.session(mp_code).await?;
        let mut tx =
            self.store.begin(Scope::System("a worker's engagements of every site")).await?;
        let user = self.keep_user(&mut tx, &session).await?;
        let binding = store::bindings::of_user(&mut tx, user).await?;
        let workers = match &binding {
            Some(binding) => store::workers::load(&mut tx, &[binding.worker]).await?,
            None => Vec::new(),
        };
        let ended = match &binding {
            Some(_) => None,
            None => store::bindings::last_ended(&mut tx, user).await?,
        };
        tx.commit().await?;
        let worker = workers.first();
        Ok(EnterMiniProgramResponse {
            wechat_user_id: user.to_string(),
            worker_id: worker.map(|worker| worker.id.to_string()).unwrap_or_default(),
            site_ids: worker
                .into_iter()
                .flat_map(Worker::sites)
                .map(|site| site.to_string())
                .collect(),
            ended_at: ended.as_ref().map(|ended| proto::timestamp(ended.at)),
            ended_because: ended.map(|ended| ended.because).unwrap_or_default(),
        })
    }

    pub(super) async fn session(&self, mp_code: &str) -> Result<wechat::Session, Error> {
        self.wechat.code_to_session(mp_code).await.map_err(|err| wechat_refused(err, "mp_code"))
    }

    pub(super) async fn keep_user(
        &self,
        tx: &mut Tx,
        session: &wechat::Session,
    ) -> Result<WechatUserId, Error> {
        let id = WechatUserId::new();
        let user = NewUser {
            id,
            openid_sealed: personal::seal_openid(&self.vault, id, &session.openid),
            openid_indexes: personal::openid_indexes(&self.vault, &session.openid),
            unionid_sealed: session
                .unionid
                .as_ref()
                .map(|unionid| personal::seal_unionid(&self.vault, id, unionid)),
        };
        let user = store::wechat_users::keep(tx, &user, self.clock.now()).await?;
        if let Some(unionid) = session.unionid.as_ref().filter(|_| user != id) {
            let sealed = personal::seal_unionid(&self.vault, user, unionid);
            store::wechat_users::keep_unionid(tx, user, &sealed).await?;
        }
        Ok(user)
    }
}

/// A bad code is the client's to mend; whatever else WeChat says is not.
pub(super) fn wechat_refused(err: wechat::Error, field: &str) -> Error {
    if err == wechat::Error::BadCode {
        return Error::field(field, "is used, expired or not of this mini-program");
    }
    tracing::warn!(error = %err, "WeChat did not exchange a code");
    Error::Upstream("wechat")
}
