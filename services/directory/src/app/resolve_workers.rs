use std::str::FromStr;

use auth::Caller;
use proto::directory::v1::{ResolveWorkersResponse, ResolvedWorker};
use serde_json::json;
use service::{Scope, StoreError};
use types::WorkerId;

use super::{App, Error, fact, personal};
use crate::store;
use crate::store::people::Reachable;

/// What personal data is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    WechatNotice,
    DoorSync,
    FaceVerification,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::WechatNotice, Self::DoorSync, Self::FaceVerification];

    const fn as_str(self) -> &'static str {
        match self {
            Self::WechatNotice => "WECHAT_NOTICE",
            Self::DoorSync => "DOOR_SYNC",
            Self::FaceVerification => "FACE_VERIFICATION",
        }
    }
}

impl Purpose {
    const fn needs_a_face(self) -> bool {
        matches!(self, Self::DoorSync | Self::FaceVerification)
    }
}

impl FromStr for Purpose {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        found.ok_or("is no purpose we open personal data for")
    }
}

impl App {
    /// Personal data in clear, for a service's job. Each batch leaves a record of who asked, what for and how many;
    /// unknown ids are left out.
    #[tracing::instrument(name = "worker.resolve", skip_all, fields(purpose = purpose.as_str(), workers = workers.len()))]
    pub(crate) async fn resolve_workers(
        &self,
        caller: &Caller,
        workers: &[WorkerId],
        purpose: Purpose,
    ) -> Result<ResolveWorkersResponse, Error> {
        let mut tx = self.store.begin(Scope::System("people are of every site")).await?;
        let people = store::people::reachable(&mut tx, workers).await?;
        let opened = people.into_iter().map(|person| self.open(person, purpose));
        let workers = opened.collect::<Result<Vec<_>, _>>()?;
        let mut record = fact(
            caller,
            "worker.resolve",
            "worker_batch",
            purpose.as_str().to_owned(),
            self.clock.now(),
        );
        record.after = Some(json!({ "purpose": purpose.as_str(), "count": workers.len() }));
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(ResolveWorkersResponse { workers })
    }

    fn open(&self, person: Reachable, purpose: Purpose) -> Result<ResolvedWorker, StoreError> {
        let clear = personal::open_worker(
            &self.vault,
            person.worker_id,
            &person.name_sealed,
            person.id_no_sealed.as_deref(),
            person.phone_sealed.as_deref(),
        )?;
        let photo_url = person.photo_url_sealed.filter(|_| purpose.needs_a_face());
        let photo_url = photo_url
            .map(|sealed| personal::open_photo_url(&self.vault, person.worker_id, &sealed))
            .transpose()?;
        let user = person.wechat_user_id.zip(person.openid_sealed);
        let openid = user.map(|(user, sealed)| personal::open_openid(&self.vault, user, &sealed));
        Ok(ResolvedWorker {
            worker_id: person.worker_id.to_string(),
            name: clear.name,
            id_no: clear.id_no.unwrap_or_default(),
            phone: clear.phone.unwrap_or_default(),
            openid: openid.transpose()?.unwrap_or_default(),
            face_id: person.face_id.unwrap_or_default(),
            photo_url: photo_url.unwrap_or_default(),
        })
    }
}
