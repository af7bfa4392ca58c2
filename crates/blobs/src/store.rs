use std::fmt;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart,
};

use crate::Error;

/// How much of a stream is held before it is written.
const CHUNK_BYTES: usize = 1 << 20;

/// Where videos and pictures are kept, under keys such as `videos/<id>.mp4`. Clones share the store.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<LocalFileSystem>,
}

/// A blob, or a part of one, while it is read.
pub struct Content {
    /// The whole blob's, in bytes.
    pub size: u64,
    /// The part that `stream` gives.
    pub range: Range<u64>,
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

/// What lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub blobs: Vec<String>,
    pub folders: Vec<String>,
}

impl Blobs {
    /// Keeps blobs as files in `directory`, which is made if it is not there. What was put is on the disk before the put
    /// returns.
    pub fn local(directory: impl AsRef<FilePath>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        std::fs::create_dir_all(directory).map_err(|err| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(err),
        })?;
        let store = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Stores `bytes` under `key`, in place of what was there. Readers see the old or the new, whole.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let bytes: Bytes = bytes.into();
        self.store.put(&path(key)?, bytes.into()).await?;
        Ok(())
    }

    /// Stores `bytes` under `key` if nothing is kept there; [`Error::Exists`] otherwise, and what is there stays. Of two
    /// who create the same key at once one succeeds.
    pub async fn create(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let bytes: Bytes = bytes.into();
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(&path(key)?, bytes.into(), options).await?;
        Ok(())
    }

    /// What lies right below a folder: whole keys of blobs, and of the folders in it; each sorted. A folder that is
    /// not there is empty.
    pub async fn list(&self, folder: &str) -> Result<Listing, Error> {
        let found = self.store.list_with_delimiter(Some(&path(folder)?)).await?;
        let mut blobs: Vec<String> =
            found.objects.into_iter().map(|blob| blob.location.to_string()).collect();
        let mut folders: Vec<String> =
            found.common_prefixes.into_iter().map(|folder| folder.to_string()).collect();
        blobs.sort_unstable();
        folders.sort_unstable();
        Ok(Listing { blobs, folders })
    }

    /// Stores a stream of at most `max_bytes` under `key` and returns its size in bytes. Nothing is kept, and what was
    /// there stays, unless the whole stream was read and written.
    pub async fn put_stream<S, E>(&self, key: &str, stream: S, max_bytes: u64) -> Result<u64, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let upload = self.store.put_multipart(&path(key)?).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
        match write(&mut upload, stream, max_bytes).await {
            Ok(size) => {
                upload.finish().await?;
                Ok(size)
            }
            Err(err) => {
                upload.abort().await?;
                Err(err)
            }
        }
    }

    /// The whole blob in memory; see [`Blobs::open`] for one that is large.
    pub async fn get(&self, key: &str) -> Result<Bytes, Error> {
        Ok(self.store.get(&path(key)?).await?.bytes().await?)
    }

    /// The whole blob, as a stream.
    pub async fn open(&self, key: &str) -> Result<Content, Error> {
        Ok(self.store.get(&path(key)?).await?.into())
    }

    /// The bytes of `range`, as a stream; an end past the blob's is cut to it.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Content, Error> {
        let size = self.size(key).await?;
        let range = range.start..range.end.min(size);
        if range.is_empty() {
            return Err(Error::OutOfRange { size });
        }
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        Ok(self.store.get_opts(&path(key)?, options).await?.into())
    }

    /// In bytes.
    pub async fn size(&self, key: &str) -> Result<u64, Error> {
        Ok(self.store.head(&path(key)?).await?.size)
    }

    /// Deleting what is not there succeeds.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.store.delete(&path(key)?).await.map_err(Error::from) {
            Err(Error::NotFound) | Ok(()) => Ok(()),
            Err(err) => Err(err),
        }
    }
}

impl Content {
    /// The rest of the stream in memory.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let bytes = self.stream.try_fold(BytesMut::new(), |mut bytes, chunk| async move {
            bytes.extend_from_slice(&chunk);
            Ok(bytes)
        });
        Ok(bytes.await?.freeze())
    }
}

impl From<GetResult> for Content {
    fn from(result: GetResult) -> Self {
        let (size, range) = (result.meta.size, result.range.clone());
        Self { size, range, stream: result.into_stream().map_err(Error::from).boxed() }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("size", &self.size)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

async fn write<S, E>(upload: &mut WriteMultipart, stream: S, max_bytes: u64) -> Result<u64, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut stream = std::pin::pin!(stream);
    let mut size: u64 = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|err| Error::Source(err.into()))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > max_bytes {
            return Err(Error::TooLarge { max_bytes });
        }
        upload.wait_for_capacity(1).await?;
        upload.put(chunk);
    }
    Ok(size)
}

/// Stricter than the store: no segment begins with a dot, so no key climbs out of the directory or hides in it.
fn path(key: &str) -> Result<Path, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_segment = |segment: &str| {
        !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(allowed)
    };
    if key.split('/').all(is_segment) { Ok(Path::from(key)) } else { Err(Error::InvalidKey) }
}

#[cfg(test)]
mod tests;
