use std::sync::Arc;

use auth::{AccessTokens, RootTooShort};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use blobs::{Blobs, SecretTooShort, UrlSigner};
use service::{ListenError, Shell};
use tokio::sync::Semaphore;

use crate::bindings::Bindings;
use crate::call::{Gateway, Shared};
use crate::{Config, access, edge, routes};

pub(crate) const MAX_JSON_BYTES: usize = 1 << 20;
/// More than this at once would only wait for the services behind.
const MAX_REQUESTS: usize = 1024;
const MAX_UPLOADS: usize = 4;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("SITEPASS_TOKEN_SECRET is too short")]
    TokenSecret(#[from] RootTooShort),
    #[error("SITEPASS_BLOB_SECRET is too short")]
    BlobSecret(#[from] SecretTooShort),
    #[error("cannot open SITEPASS_BLOB_DIR")]
    Blobs(#[from] blobs::Error),
}

/// Opens the port and returns once requests are taken. Services behind may come later: until then they are
/// unavailable.
pub async fn serve(config: Config, shell: Shell) -> Result<(), StartError> {
    let listener = service::listen(config.listen).await?;
    let tasks = shell.tasks.clone();
    service::http::listen(&tasks, "gateway", listener, router(config, shell)?);
    Ok(())
}

/// The whole API, to be served with its clients' addresses.
pub fn router(config: Config, shell: Shell) -> Result<Router, StartError> {
    Ok(dressed(routes::router(), gateway(config, shell)?))
}

fn gateway(config: Config, shell: Shell) -> Result<Shared, StartError> {
    Ok(Arc::new(Gateway {
        tokens: AccessTokens::from_root(config.token_secret.expose())?,
        signer: UrlSigner::new(config.blob_secret.expose())?,
        blobs: Blobs::local(&config.blob_dir)?,
        room: Semaphore::new(MAX_REQUESTS),
        upload_room: Semaphore::new(MAX_UPLOADS),
        bindings: Bindings::default(),
        config,
        shell,
    }))
}

/// Routes with everything that happens to every request around them.
fn dressed(routes: Router<Shared>, gateway: Shared) -> Router {
    routes
        .fallback(edge::not_found)
        .layer(from_fn_with_state(Arc::clone(&gateway), access::admit))
        .layer(from_fn_with_state(Arc::clone(&gateway), edge::observe))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(gateway)
}

#[cfg(test)]
mod tests;
