use auth::Caller;
use bytes::Bytes;
use prost::Message;
use proto::training::v1::AddVideoResponse;
use serde_json::json;
use service::Scope;
use service::idempotency::{self, Claim, Key};
use types::{SiteId, VideoId};

use super::{App, Error, audit_fact};
use crate::domain::{Status, Video, mp4};
use crate::{store, wire};

/// The largest video taken, in bytes.
pub const MAX_VIDEO_BYTES: usize = 50 << 20;

#[derive(Debug)]
pub struct AddVideo {
    pub caller: Caller,
    pub site: SiteId,
    pub title: String,
    pub content: Bytes,
    pub key: Option<Key>,
}

impl App {
    /// Stores a video. The same bytes twice make two videos; the same idempotency key makes one.
    #[tracing::instrument(name = "training.add_video", skip_all, fields(site.id = %cmd.site))]
    pub async fn add_video(&self, cmd: AddVideo) -> Result<AddVideoResponse, Error> {
        if !cmd.caller.may_touch(cmd.site) {
            return Err(Error::NotFound);
        }
        if cmd.content.len() > MAX_VIDEO_BYTES {
            return Err(Error::TooLarge { max_bytes: MAX_VIDEO_BYTES });
        }
        let duration_sec = mp4::duration_sec(&cmd.content)?;
        let id = VideoId::new();
        let title = cmd.title.clone();
        let video =
            Video { id, site: cmd.site, title, duration_sec, status: Status::Active, version: 1 };
        let blob_key = Video::blob_key(id);
        self.blobs.put(&blob_key, cmd.content.clone()).await?;
        let added = self.register(&cmd, &video).await;
        // A blob no row names: the transaction failed, or the key was used before.
        if !matches!(&added, Ok(response) if response.video.as_ref().is_some_and(|added| added.video_id == id.to_string()))
        {
            self.forget(&blob_key, &added).await;
        }
        added
    }

    async fn register(&self, cmd: &AddVideo, video: &Video) -> Result<AddVideoResponse, Error> {
        let at = self.clock.now();
        let mut tx = self.store.begin(Scope::Site(cmd.site)).await?;
        if let Claim::Replay(answer) =
            idempotency::claim(&mut tx, cmd.key.as_ref(), self.system.now()).await?
        {
            return AddVideoResponse::decode(answer.as_slice())
                .map_err(|_| store::Error::corrupt("idempotency_keys", "add_video").into());
        }
        let size_bytes = cmd.content.len() as u64;
        store::videos::insert(&mut tx, video, size_bytes, at).await?;
        events::enqueue(&mut tx, &wire::video_changed(video), at).await?;
        let after = json!({ "title": video.title, "duration_sec": video.duration_sec, "size_bytes": size_bytes });
        let target = ("video", video.id.to_string());
        events::audit(&mut tx, audit_fact(&cmd.caller, "video.add", target, cmd.site, after, at))
            .await?;
        let response = AddVideoResponse { video: Some(wire::video(video)) };
        idempotency::answer(&mut tx, cmd.key.as_ref(), &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Takes a blob away again. Not when the commit's outcome is unknown: a row may name it.
    async fn forget(&self, blob_key: &str, added: &Result<AddVideoResponse, Error>) {
        if matches!(added, Err(Error::Store(store::Error::Unavailable))) {
            return;
        }
        if let Err(err) = self.blobs.delete(blob_key).await {
            tracing::warn!(error = %err, "a blob without a video stays");
        }
    }
}
