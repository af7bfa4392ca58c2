use std::sync::Arc;
use std::time::Duration;

use blobs::{Blobs, SecretTooShort, UrlSigner};
use proto::training::v1::training_service_server::TrainingServiceServer;
use rand::Rng;
use service::http::Client;
use service::{ListenError, Shell, Store, StoreError};
use tonic::service::Routes;

use crate::announcer::Announcer;
use crate::app::App;
use crate::app::add_video::MAX_VIDEO_BYTES;
use crate::config::Config;
use crate::consumers::{KeepDays, KeepSites};
use crate::face::WechatFaces;
use crate::grpc::{Grpc, POLICY};

/// How long the face provider may take for one call.
const FACE_TIMEOUT: Duration = Duration::from_secs(4);
/// A video and what stands beside it in its message.
const MAX_MESSAGE_BYTES: usize = MAX_VIDEO_BYTES + (1 << 20);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database's address is no good")]
    Store(#[from] StoreError),
    #[error("the folder of videos cannot be used")]
    Blobs(#[from] blobs::Error),
    #[error("SITEPASS_BLOB_SECRET is no good")]
    BlobSecret(#[from] SecretTooShort),
    #[error("no HTTP client can be made")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Starts the service in this process; it runs until the shell's tasks are stopped.
pub async fn serve(config: Config, shell: Shell) -> Result<(), Error> {
    let store = Store::connect(&config.database, "training").await?;
    let blobs = Blobs::local(&config.blobs.directory)?;
    let signer = UrlSigner::new(config.blobs.secret.expose())?;
    let wechat =
        wechat::Client::new(config.faces, Client::new(FACE_TIMEOUT)?, shell.system.clone());
    let faces = Arc::new(WechatFaces::new(wechat));
    let pick = Arc::new(|range| rand::rng().random_range(range));
    let app = App::new(&shell, store.clone(), blobs, signer, faces, pick);
    let listener = service::listen_if(config.grpc_listen).await?;
    let server =
        TrainingServiceServer::new(Grpc::new(app)).max_decoding_message_size(MAX_MESSAGE_BYTES);
    service::grpc::serve(&shell, "training", Routes::new(server), POLICY, listener);
    events::relay(&shell, &store, "training");
    events::announce(&shell, &store, Announcer);
    events::run(&shell, &store, KeepSites);
    events::run(&shell, &store, KeepDays);
    let jobs = vec![schedule::forget_keys("training.forget-keys", &shell.system)];
    schedule::run(&shell, &store, jobs);
    shell.health.watch_database(&shell.tasks, "training", store);
    Ok(())
}
