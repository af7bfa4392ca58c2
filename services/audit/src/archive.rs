//! Where checkpoints are kept: files outside the database that are made once and never replaced,
//! `audit/checkpoints/000000/000000017.json`. A number names one file, so two processes never write one twice.

mod proof;

use auth::{PublicKey, RootTooShort, Signer};
use blobs::Blobs;
use types::SiteId;

use crate::config::CheckpointConfig;
use crate::domain::{BadCheckpoint, Checkpoint, Signed, Trail, WrittenCheckpoint};

const FOLDER: &str = "audit/checkpoints";
/// How many files lie in a folder.
const FOLDER_SIZE: u64 = 1000;
/// Of the key that is derived from the secret.
const LABEL: &str = "sitepass audit checkpoint";

/// Why checkpoints were not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the folder of checkpoints cannot be used")]
    Blobs(#[from] blobs::Error),
    #[error("the secret of checkpoints is too short")]
    Secret(#[from] RootTooShort),
}

/// The files, the key that signs new ones and those that are believed. Clones share them.
#[derive(Debug, Clone)]
pub struct Archive {
    blobs: Blobs,
    signer: Signer,
    trusted: Vec<PublicKey>,
}

impl Archive {
    pub fn open(config: &CheckpointConfig) -> Result<Self, ArchiveError> {
        let signer = Signer::from_root(config.secret.expose(), LABEL)?;
        let mut trusted = vec![signer.public_key()];
        trusted.extend(&config.trusted);
        Ok(Self { blobs: Blobs::local(&config.dir)?, signer, trusted })
    }

    /// What new checkpoints and exports are signed with.
    pub fn public_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Signs and keeps a checkpoint; [`blobs::Error::Exists`] where its number is taken.
    pub(crate) async fn keep(&self, checkpoint: Checkpoint) -> Result<(), ArchiveError> {
        let key = key(checkpoint.number);
        let file = WrittenCheckpoint::from(&checkpoint.sign(&self.signer)).to_file();
        Ok(self.blobs.create(&key, file).await?)
    }

    /// Walks the last `count` checkpoints, or all there are.
    pub(crate) async fn trail(&self, count: Option<u64>) -> Result<Trail, ArchiveError> {
        let newest = self.newest().await?;
        let first = count.map_or(1, |count| newest.saturating_sub(count) + 1);
        self.walk(first, newest).await
    }

    /// Walks from the newest checkpoint in which every chain stands to the newest one: how all chains were seen last.
    pub(crate) async fn tail(&self) -> Result<Trail, ArchiveError> {
        let newest = self.newest().await?;
        let mut first = newest.max(1);
        while first > 1 && !self.read(first).await?.is_ok_and(|signed| signed.checkpoint.whole) {
            first -= 1;
        }
        self.walk(first, newest).await
    }

    /// The newest checkpoint that saw one of a chain's entries from `first` to `last`.
    pub(crate) async fn proof(
        &self,
        site: SiteId,
        first: u64,
        last: u64,
    ) -> Result<Option<Signed>, ArchiveError> {
        let newest = self.newest().await?;
        proof::newest_of(|number| self.good(number), newest, site, first..=last).await
    }

    /// One that proves what it says; `None` for any other.
    async fn good(&self, number: u64) -> Result<Option<Signed>, ArchiveError> {
        let signed = self.read(number).await?.ok();
        Ok(signed.filter(|signed| signed.check(&self.trusted).is_ok()))
    }

    async fn walk(&self, first: u64, newest: u64) -> Result<Trail, ArchiveError> {
        let mut trail = Trail::new(self.trusted.clone(), (first == 1).then_some(1));
        for number in first..=newest {
            match self.read(number).await? {
                Ok(signed) => trail.follow(&signed),
                Err(problem) => trail.fail(problem),
            }
        }
        Ok(trail)
    }

    async fn read(&self, number: u64) -> Result<Result<Signed, BadCheckpoint>, ArchiveError> {
        let text = match self.blobs.get(&key(number)).await {
            Err(blobs::Error::NotFound) => return Ok(Err(BadCheckpoint::Missing { number })),
            text => text?,
        };
        let signed = WrittenCheckpoint::from_file(&text).and_then(WrittenCheckpoint::read);
        let named = signed.ok().filter(|signed| signed.checkpoint.number == number);
        Ok(named.ok_or(BadCheckpoint::Unreadable { number }))
    }

    /// The greatest number there is; 0 without any.
    async fn newest(&self) -> Result<u64, ArchiveError> {
        let folders = self.blobs.list(FOLDER).await?.folders;
        for folder in folders.iter().rev() {
            let files = self.blobs.list(folder).await?.blobs;
            if let Some(number) = files.iter().filter_map(|file| number(file)).max() {
                return Ok(number);
            }
        }
        Ok(0)
    }
}

fn key(number: u64) -> String {
    format!("{FOLDER}/{:06}/{number:09}.json", number / FOLDER_SIZE)
}

fn number(key: &str) -> Option<u64> {
    key.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{key, number};

    #[test]
    fn a_number_has_one_key_and_keys_sort_as_their_numbers() {
        assert_eq!(key(17), "audit/checkpoints/000000/000000017.json");
        assert_eq!(key(1_051_200), "audit/checkpoints/001051/001051200.json");
        assert_eq!(number(&key(1_051_200)), Some(1_051_200));
        assert_eq!(number("audit/checkpoints/000000/notes.txt"), None);
    }
}
