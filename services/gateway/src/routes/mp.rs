//! For workers, from the mini-program.

mod binding;
mod records;
mod registrations;
mod tasks;
mod training;

use utoipa_axum::router::OpenApiRouter;

use crate::call::{Call, Shared};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(binding::router())
        .merge(tasks::router())
        .merge(training::router())
        .merge(records::router())
        .merge(registrations::router())
}

/// An address of ours as a player needs it: whole, where we know how clients reach us.
pub(super) fn public_url(call: &Call, path: String) -> String {
    match &call.gateway.config.public_url {
        Some(base) if path.starts_with('/') => {
            format!("{}{path}", base.as_str().trim_end_matches('/'))
        }
        _ => path,
    }
}
