use auth::Caller;
use proto::training::v1::{
    AddVideoRequest, CheckVideosRequest, GetPlayUrlRequest, ListVideosRequest, VideoChanged,
};
use service::idempotency::METADATA;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response};
use types::{ErrorCode, SiteId, VideoId};

use crate::world::{DEMO, World, code, refused};

fn upload(site: SiteId, content: &[u8]) -> AddVideoRequest {
    AddVideoRequest {
        site_id: site.to_string(),
        title: "高处作业安全".to_owned(),
        content: content.to_vec(),
    }
}

fn under_a_key(world: &World, admin: &Caller) -> Request<AddVideoRequest> {
    let mut request = world.request(admin, upload(world.site, DEMO));
    request.metadata_mut().insert(METADATA, MetadataValue::from_static("one"));
    request
}

#[tokio::test]
async fn a_video_is_stored_told_and_audited() {
    let world = World::new().await;
    let video = world.add_video().await;
    assert_eq!((video.duration_sec, video.status.as_str(), video.version), (40, "ACTIVE", 1));
    let stored = world.blobs.get(&format!("videos/{}.mp4", video.video_id)).await.unwrap();
    assert_eq!(&stored[..], DEMO);
    assert_eq!(world.facts::<VideoChanged>().await, [VideoChanged { video: Some(video.clone()) }]);
    assert_eq!(world.audited().await, ["video.add"]);
    let listed = ListVideosRequest { site_id: world.site.to_string() };
    let listed = world.client().list_videos(world.request(&world.admin(), listed)).await.unwrap();
    assert_eq!(listed.into_inner().videos, [video]);
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_video() {
    let world = World::new().await;
    let admin = world.admin();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = world.client().add_video(under_a_key(&world, &admin)).await.unwrap();
        ids.push(answer.into_inner().video.unwrap().video_id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.facts::<VideoChanged>().await.len(), 1);
    assert!(world.blobs.get(&format!("videos/{}.mp4", ids[0])).await.is_ok());
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_makes_one_video_and_keeps_one_file() {
    let world = World::new().await;
    let admin = world.admin();
    let calls = (0..50).map(|_| async {
        world.client().add_video(under_a_key(&world, &admin)).await.map(Response::into_inner)
    });
    let answers: Vec<_> =
        futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.facts::<VideoChanged>().await.len(), 1);
    assert_eq!(world.audited().await, ["video.add"]);
    let kept = world.blobs.list("videos").await.unwrap();
    let named = format!("videos/{}.mp4", answers[0].video.as_ref().unwrap().video_id);
    assert_eq!(kept.blobs, [named]);
}

#[tokio::test]
async fn what_is_no_video_is_refused_and_nothing_is_kept() {
    let world = World::new().await;
    for (content, expected) in [
        (&b"MZ not a video at all"[..], ErrorCode::UnsupportedMedia),
        (&DEMO[..DEMO.len() / 2], ErrorCode::ValidationFailed),
        (&[][..], ErrorCode::ValidationFailed),
    ] {
        let answer = world
            .client()
            .add_video(world.request(&world.admin(), upload(world.site, content)))
            .await;
        assert_eq!(code(answer), expected);
    }
    assert!(world.facts::<VideoChanged>().await.is_empty());
}

#[tokio::test]
async fn a_video_above_fifty_megabytes_is_refused() {
    let world = World::new().await;
    let mut content = DEMO.to_vec();
    content.resize((50 << 20) + 1, 0);
    let answer =
        world.client().add_video(world.request(&world.admin(), upload(world.site, &content))).await;
    assert_eq!(code(answer), ErrorCode::TooLarge);
}

#[tokio::test]
async fn every_bad_field_of_a_video_is_named() {
    let world = World::new().await;
    let message =
        AddVideoRequest { site_id: "x".to_owned(), title: " ".to_owned(), content: vec![] };
    let refusal = refused(world.client().add_video(world.request(&world.admin(), message)).await);
    let fields: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["site_id", "title", "content"]);
}

#[tokio::test]
async fn another_site_is_not_found() {
    let world = World::new().await;
    let video = world.add_video().await;
    let stranger = world.harness.sysadmin(&[SiteId::new()]);
    let answer = world.client().add_video(world.request(&stranger, upload(world.site, DEMO))).await;
    assert_eq!(code(answer), ErrorCode::NotFound);
    let url = GetPlayUrlRequest { video_id: video.video_id };
    assert_eq!(
        code(world.client().get_play_url(world.request(&stranger, url)).await),
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn a_play_url_is_signed_for_this_video_and_ends() {
    let world = World::new().await;
    let video = world.add_video().await;
    let message = GetPlayUrlRequest { video_id: video.video_id.clone() };
    let answer = world
        .client()
        .get_play_url(world.request(&world.admin(), message))
        .await
        .unwrap()
        .into_inner();
    let path = format!("/api/media/videos/{}", video.video_id);
    let query = answer.play_url.strip_prefix(&format!("{path}?expires=")).unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    let signer = blobs::UrlSigner::new(&[7; 32]).unwrap();
    let (expires, now) = (expires.parse().unwrap(), world.harness.shell.system.now());
    assert!(signer.verify(&path, expires, signature, now).is_ok());
    assert!(
        signer.verify(&path, expires, signature, now + chrono::TimeDelta::minutes(15)).is_err()
    );
    assert!(signer.verify("/api/media/videos/other", expires, signature, now).is_err());
}

#[tokio::test]
async fn videos_of_other_sites_and_unknown_ones_are_told_apart_from_real_ones() {
    let world = World::new().await;
    let video = world.add_video().await;
    let unknown = VideoId::new().to_string();
    let message = CheckVideosRequest {
        site_id: world.site.to_string(),
        video_ids: vec![video.video_id.clone(), unknown.clone()],
    };
    let ticket = auth::Caller::service("ticket");
    let request = world.harness.shell.as_service("ticket", message.clone());
    assert!(ticket.may_touch(world.site));
    let answer = world.client().check_videos(request).await.unwrap().into_inner();
    assert_eq!((answer.videos, answer.unknown_video_ids), (vec![video.clone()], vec![unknown]));
    let elsewhere = CheckVideosRequest { site_id: SiteId::new().to_string(), ..message };
    let answer = world
        .client()
        .check_videos(world.harness.shell.as_service("ticket", elsewhere))
        .await
        .unwrap();
    assert_eq!(answer.into_inner().unknown_video_ids.len(), 2);
}
