use blobs::{Blobs, UrlSigner};
use chrono::Duration;
use reqwest::Method;

use crate::help::{BLOB_SECRET, Edge, edge, id};

async fn video(edge: &Edge) -> String {
    let id = id();
    let blobs = Blobs::local(edge.blobs.path()).unwrap();
    blobs.put(&format!("videos/{id}.mp4"), &b"0123456789"[..]).await.unwrap();
    format!("/api/media/videos/{id}")
}

fn signed(edge: &Edge, path: &str) -> String {
    let signer = UrlSigner::new(&BLOB_SECRET).unwrap();
    format!("{path}{}", signer.sign(path, edge.now() + Duration::minutes(5)))
}

#[tokio::test]
async fn a_signed_address_plays_whole_and_in_parts() {
    let edge = edge().await;
    let path = video(&edge).await;
    let address = signed(&edge, &path);
    let play = |range: Option<&'static str>| {
        let request = edge.request(Method::GET, &address);
        match range {
            Some(range) => request.header("range", range),
            None => request,
        }
    };
    let whole = play(None).send().await.unwrap();
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-type"]),
        (200, &"video/mp4".parse().unwrap())
    );
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");
    let part = play(Some("bytes=2-4")).send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 2-4/10".parse().unwrap())
    );
    assert_eq!(part.bytes().await.unwrap(), "234");
    let beyond = play(Some("bytes=99-")).send().await.unwrap();
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()["content-range"]),
        (416, &"bytes */10".parse().unwrap())
    );
}

#[tokio::test]
async fn an_address_opens_one_video_until_it_expires() {
    let edge = edge().await;
    let (path, other) = (video(&edge).await, video(&edge).await);
    let address = signed(&edge, &path);
    let elsewhere = address.replace(&path, &other);
    assert_eq!(edge.get("", &elsewhere).await.code(), 40105);
    let missing = edge.get("", &path).await;
    assert_eq!(missing.fields(), ["expires", "signature"]);
    edge.a_day_later();
    assert_eq!(edge.get("", &address).await.code(), 40105);
}

#[tokio::test]
async fn a_video_that_is_not_there_is_404() {
    let edge = edge().await;
    let address = signed(&edge, &format!("/api/media/videos/{}", id()));
    let missing = edge.get("", &address).await;
    assert_eq!((missing.status, missing.code()), (404, 40400));
}
