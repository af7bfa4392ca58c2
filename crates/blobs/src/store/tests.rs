use std::io;

use futures::stream;
use tempfile::TempDir;

use super::*;

fn blobs() -> (Blobs, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Blobs::local(directory.path().join("made/here")).unwrap(), directory)
}

fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::iter((0..count).map(|_| Ok(Bytes::from(vec![7; 64 * 1024]))))
}

/// Every file below the directory, whatever its name.
fn files(directory: &FilePath) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn what_was_put_is_read_back() {
    let (blobs, _directory) = blobs();
    blobs.put("pictures/1.jpg", "first").await.unwrap();
    assert_eq!(blobs.get("pictures/1.jpg").await.unwrap(), "first");
    assert_eq!(blobs.size("pictures/1.jpg").await.unwrap(), 5);
}

#[tokio::test]
async fn a_second_put_replaces_the_first() {
    let (blobs, _directory) = blobs();
    blobs.put("pictures/1.jpg", "first").await.unwrap();
    blobs.put("pictures/1.jpg", "2").await.unwrap();
    assert_eq!(blobs.get("pictures/1.jpg").await.unwrap(), "2");
}

#[tokio::test]
async fn a_stream_of_many_chunks_is_stored_whole() {
    let (blobs, _directory) = blobs();
    let size = blobs.put_stream("videos/1.mp4", chunks(40), u64::MAX).await.unwrap();
    assert_eq!(size, 40 * 64 * 1024);
    let content = blobs.open("videos/1.mp4").await.unwrap();
    assert_eq!((content.size, content.range.clone()), (size, 0..size));
    assert_eq!(content.bytes().await.unwrap(), vec![7; 40 * 64 * 1024]);
}

#[tokio::test]
async fn a_stream_that_fails_leaves_nothing_behind() {
    let (blobs, directory) = blobs();
    let failing =
        chunks(40).chain(stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]));
    let err = blobs.put_stream("videos/1.mp4", failing, u64::MAX).await.unwrap_err();
    assert!(matches!(err, Error::Source(_)), "{err:?}");
    assert!(matches!(blobs.get("videos/1.mp4").await, Err(Error::NotFound)));
    assert_eq!(files(directory.path()), 0);
}

#[tokio::test]
async fn a_stream_that_is_too_large_leaves_what_was_there() {
    let (blobs, directory) = blobs();
    blobs.put("videos/1.mp4", "the first").await.unwrap();
    let err = blobs.put_stream("videos/1.mp4", chunks(40), 64 * 1024 * 39).await.unwrap_err();
    assert!(matches!(err, Error::TooLarge { .. }), "{err:?}");
    assert_eq!(blobs.get("videos/1.mp4").await.unwrap(), "the first");
    assert_eq!(files(directory.path()), 1);
}

#[tokio::test]
async fn a_range_gives_its_bytes_and_the_size_of_the_whole() {
    let (blobs, _directory) = blobs();
    blobs.put("a", "0123456789").await.unwrap();
    for (range, bytes) in [(0..1, "0"), (2..6, "2345"), (8..99, "89"), (0..10, "0123456789")] {
        let content = blobs.get_range("a", range).await.unwrap();
        assert_eq!(content.size, 10);
        assert_eq!(content.range.end - content.range.start, bytes.len() as u64);
        assert_eq!(content.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_range_past_the_end_says_how_large_the_blob_is() {
    let (blobs, _directory) = blobs();
    blobs.put("a", "0123456789").await.unwrap();
    for range in [10..11, 3..3, 99..100] {
        let err = blobs.get_range("a", range).await.unwrap_err();
        assert!(matches!(err, Error::OutOfRange { size: 10 }), "{err:?}");
    }
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let (blobs, _directory) = blobs();
    blobs.put("empty", Bytes::new()).await.unwrap();
    assert_eq!(blobs.open("empty").await.unwrap().bytes().await.unwrap(), "");
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_deleted_already() {
    let (blobs, _directory) = blobs();
    assert!(matches!(blobs.get("a/b").await, Err(Error::NotFound)));
    assert!(matches!(blobs.get_range("a/b", 0..1).await, Err(Error::NotFound)));
    blobs.put("a/b", "x").await.unwrap();
    assert!(matches!(blobs.get("a").await, Err(Error::NotFound)), "a directory is no blob");
    blobs.delete("a/b").await.unwrap();
    blobs.delete("a/b").await.unwrap();
    assert!(matches!(blobs.get("a/b").await, Err(Error::NotFound)));
}

#[tokio::test]
async fn no_key_leaves_the_directory() {
    let (blobs, _directory) = blobs();
    for key in [
        "",
        "/",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.b",
        "a\\b",
        "a%2e",
        "a b",
        "图",
    ] {
        assert!(matches!(blobs.put(key, "x").await, Err(Error::InvalidKey)), "{key}");
        assert!(matches!(blobs.get(key).await, Err(Error::InvalidKey)), "{key}");
        assert!(matches!(blobs.delete(key).await, Err(Error::InvalidKey)), "{key}");
    }
}

#[tokio::test]
async fn what_was_created_is_never_replaced() {
    let (blobs, _directory) = blobs();
    blobs.create("log/1.json", "first").await.unwrap();
    assert!(matches!(blobs.create("log/1.json", "second").await, Err(Error::Exists)));
    assert_eq!(blobs.get("log/1.json").await.unwrap(), "first");
    let both = tokio::join!(blobs.create("log/2.json", "a"), blobs.create("log/2.json", "b"));
    assert_ne!(both.0.is_ok(), both.1.is_ok());
}

#[tokio::test]
async fn a_folder_is_listed_one_level_deep() {
    let (blobs, _directory) = blobs();
    for key in ["log/2026/02/b.json", "log/2026/02/a.json", "log/2026/11/c.json", "log/d.json"] {
        blobs.put(key, "x").await.unwrap();
    }
    let listing = blobs.list("log/2026").await.unwrap();
    assert_eq!(
        (listing.blobs.len(), listing.folders),
        (0, vec!["log/2026/02".to_owned(), "log/2026/11".to_owned()])
    );
    assert_eq!(
        blobs.list("log/2026/02").await.unwrap().blobs,
        ["log/2026/02/a.json", "log/2026/02/b.json"]
    );
    assert_eq!(blobs.list("nothing").await.unwrap(), Listing::default());
}
