use std::fmt;
use std::str::FromStr;

use types::{SiteId, VideoId};

/// A training video; its bytes are a blob under [`Video::blob_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    pub id: VideoId,
    pub site: SiteId,
    pub title: String,
    pub duration_sec: u32,
    pub status: Status,
    pub version: u64,
}

/// Only an active video can be put on a ticket; what is on one already stays watchable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Inactive,
}

/// Text that is no status of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status of a video")]
pub struct UnknownStatus;

impl Video {
    /// Where the blob store keeps a video's bytes.
    pub fn blob_key(id: VideoId) -> String {
        format!("videos/{id}.mp4")
    }

    /// The path a video is played at, as it is signed.
    pub fn play_path(id: VideoId) -> String {
        format!("/api/media/videos/{id}")
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            _ => Err(UnknownStatus),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
