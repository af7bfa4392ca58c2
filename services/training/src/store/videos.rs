use chrono::{DateTime, Utc};
use types::{SiteId, VideoId};
use uuid::Uuid;

use super::{Error, Tx, column, count, long_column, version};
use crate::domain::Video;

struct Row {
    video_id: Uuid,
    site_id: Uuid,
    title: String,
    duration_sec: i32,
    status: String,
    version: i64,
}

pub async fn insert(
    tx: &mut Tx,
    video: &Video,
    size_bytes: u64,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO training.videos (video_id, site_id, title, duration_sec, size_bytes, status, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        video.id.as_uuid(),
        video.site.as_uuid(),
        video.title,
        column(video.duration_sec),
        long_column(size_bytes),
        video.status.as_str(),
        long_column(video.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub async fn get(tx: &mut Tx, video: VideoId) -> Result<Option<Video>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT video_id, site_id, title, duration_sec, status, version FROM training.videos WHERE video_id = $1",
        video.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Video::try_from).transpose()
}

/// A site's videos, the newest first.
pub async fn of_site(tx: &mut Tx, site: SiteId) -> Result<Vec<Video>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT video_id, site_id, title, duration_sec, status, version FROM training.videos
         WHERE site_id = $1 ORDER BY created_at DESC, video_id DESC",
        site.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Video::try_from).collect()
}

/// Those of `videos` that are of this site.
pub async fn named(tx: &mut Tx, site: SiteId, videos: &[VideoId]) -> Result<Vec<Video>, Error> {
    let ids: Vec<Uuid> = videos.iter().map(|video| video.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT video_id, site_id, title, duration_sec, status, version FROM training.videos
         WHERE site_id = $1 AND video_id = ANY ($2) ORDER BY video_id",
        site.as_uuid(),
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Video::try_from).collect()
}

impl TryFrom<Row> for Video {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let id = row.video_id;
        Ok(Self {
            id: id.into(),
            site: row.site_id.into(),
            duration_sec: count("videos", id, row.duration_sec)?,
            status: row.status.parse().map_err(|_| Error::corrupt("videos", id))?,
            version: version("videos", id, row.version)?,
            title: row.title,
        })
    }
}
