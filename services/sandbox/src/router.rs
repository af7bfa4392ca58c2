use axum::routing::any;
use axum::{Router, middleware};

use crate::sandbox::Sandbox;
use crate::{control, door, face, faults, realname, sms, wechat};

/// Every firm under its prefix, and the knobs under `/_control`, which no fault reaches.
pub fn router(sandbox: Sandbox) -> Router {
    // One host in the real world: a client of the face check gets its token from the same address.
    let weixin = wechat::router().merge(face::router());
    Router::new()
        .nest("/wechat", weixin.clone())
        .nest("/face", weixin)
        .merge(sms::router())
        .nest("/realname", realname::router())
        .nest("/door", door::router())
        .layer(middleware::from_fn_with_state(sandbox.clone(), faults::apply))
        .nest("/_control", control::router())
        .fallback(any(control::unknown))
        .with_state(sandbox)
}
