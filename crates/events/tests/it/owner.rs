//! An owner of videos, and a reader that keeps their newest version.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use events::{Announce, Announced, Delivery, Failure, Handler, Live, Rows, async_trait};
use proto::training::v1::{Video, VideoChanged};
use service::{Scope, StoreError, Tx};
use types::VideoId;

use crate::world::{CONTEXT, World, at};

/// Ids of videos, in their order.
pub(crate) fn ids(count: usize) -> Vec<String> {
    let mut ids: Vec<String> = (0..count).map(|_| VideoId::new().to_string()).collect();
    ids.sort();
    ids
}

pub(crate) fn fact(world: &World, video: &str, version: u64) -> VideoChanged {
    let (video_id, site_id) = (video.to_owned(), world.site.to_string());
    VideoChanged { video: Some(Video { video_id, site_id, version, ..Default::default() }) }
}

/// Writes a video's row at a version.
pub(crate) async fn write(tx: &mut Tx, world: &World, video: &str, version: u64) {
    sqlx::query(
        "INSERT INTO videos (video_id, site_id, title, duration_sec, size_bytes, status, version, created_at)
         VALUES ($1::uuid, $2, '', 1, 1, 'ACTIVE', $3, $4)
         ON CONFLICT (video_id) DO UPDATE SET version = excluded.version",
    )
    .bind(video)
    .bind(world.site.as_uuid())
    .bind(i64::try_from(version).unwrap())
    .bind(at())
    .execute(&mut **tx)
    .await
    .unwrap();
}

/// Changes a video and tells of it.
pub(crate) async fn change(world: &World, video: &str, version: u64) {
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    write(&mut tx, world, video, version).await;
    events::enqueue(&mut tx, &fact(world, video, version), at()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Puts a video there without a fact.
pub(crate) async fn enter(world: &World, video: &str, version: u64) {
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    write(&mut tx, world, video, version).await;
    tx.commit().await.unwrap();
}

/// What the reader knows, by id.
pub(crate) async fn newest(world: &World) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT subject, version FROM reader.newest ORDER BY subject")
        .fetch_all(&world.database.admin())
        .await
        .unwrap()
}

#[derive(Debug)]
pub(crate) struct Owner;

#[async_trait]
impl Announce for Owner {
    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn rows(&self, kind: &str) -> Rows {
        let (key, live): (&[_], _) = match kind {
            "Video" => (&[("video_id", "uuid"), ("site_id", "uuid")], "true"),
            _ => (&[("video_id", "uuid")], "false"),
        };
        Rows { table: "training.videos", key, live, since: "created_at" }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        _kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        let mut told = Vec::new();
        for Live { id, since } in live {
            let (id, site) = id.split_once('/').unwrap();
            let version: i64 =
                sqlx::query_scalar("SELECT version FROM videos WHERE video_id = $1::uuid")
                    .bind(id)
                    .fetch_one(&mut **tx)
                    .await?;
            let version = u64::try_from(version).unwrap();
            let (video_id, site_id) = (id.to_owned(), site.to_owned());
            let video = Video { video_id, site_id, version, ..Default::default() };
            told.push(Announced::of(&VideoChanged { video: Some(video) }, *since));
        }
        Ok(told)
    }
}

/// Writes a row for each call that is committed, and keeps the newest version of each video.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    calls: Arc<AtomicUsize>,
    replays: bool,
    /// A video it cannot take, and at how many attempts.
    fails: Option<(String, u32)>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { calls: Arc::default(), replays: true, fails: None }
    }
}

impl Keeper {
    /// One that follows facts alone, and none twice.
    pub(crate) fn doing_once() -> Self {
        Self { replays: false, ..Self::default() }
    }

    pub(crate) fn failing(video: &str, attempts: u32) -> Self {
        Self { fails: Some((video.to_owned(), attempts)), ..Self::default() }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Handler for Keeper {
    fn durable(&self) -> &'static str {
        "reader--keep"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["VideoChanged"]
    }

    fn states(&self) -> &'static [&'static str] {
        if self.replays { &["Video"] } else { &[] }
    }

    fn replays(&self) -> bool {
        self.replays
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        sqlx::query("INSERT INTO effects (event_id, subject) VALUES ($1, $2)")
            .bind(delivery.id.as_uuid())
            .bind(&delivery.subject_id)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO newest (subject, version) VALUES ($1, $2)
             ON CONFLICT (subject) DO UPDATE SET version = greatest(newest.version, excluded.version)",
        )
        .bind(&delivery.subject_id)
        .bind(delivery.row_version()?)
        .execute(&mut **tx)
        .await?;
        match &self.fails {
            Some((video, attempts))
                if *video == delivery.subject_id && delivery.attempt <= *attempts =>
            {
                Err(Failure::Retry("not now".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
