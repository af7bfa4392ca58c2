//! Bad days on order, before any firm's own code: an error in the firm's own words, no answer at all,
//! a slow one, or the work done and the answer lost. Their length is system time.

use std::future::ready;
use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::{Refused, control_body};
use crate::sandbox::Sandbox;
use crate::sms;
use crate::wechat::Errcode;

const NO_ANSWER_FOR: Duration = Duration::from_secs(35);
const LARGEST_BODY: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firm {
    Wechat,
    Sms,
    Face,
    Realname,
    Door,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Error,
    Timeout,
    Slow,
    DropReply,
}

#[derive(Debug)]
struct Fault {
    /// As it was named: a firm, or `door:<access_group_id>`.
    target: String,
    firm: Firm,
    access_group_id: Option<String>,
    mode: Mode,
    rate: f64,
    delay: Duration,
    until: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct Faults {
    ordered: Vec<Fault>,
    dice: StdRng,
}

impl Faults {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { ordered: Vec::new(), dice: StdRng::seed_from_u64(seed) }
    }

    fn draw(
        &mut self,
        firm: Firm,
        access_group_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Option<(Mode, Duration)> {
        self.ordered.retain(|fault| fault.until > now);
        let aimed = |fault: &&Fault| {
            fault.firm == firm
                && fault
                    .access_group_id
                    .as_deref()
                    .is_none_or(|aimed_at| Some(aimed_at) == access_group_id)
        };
        let dice = &mut self.dice;
        let struck = self.ordered.iter().filter(aimed).find(|fault| dice.random_bool(fault.rate));
        struck.map(|fault| (fault.mode, fault.delay))
    }
}

impl Firm {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "wechat" => Self::Wechat,
            "sms" => Self::Sms,
            "face" => Self::Face,
            "realname" => Self::Realname,
            "door" => Self::Door,
            _ => return None,
        })
    }

    // WeChat's host serves the face check too.
    fn of(path: &str) -> Option<Self> {
        if path.contains("/cityservice/face/") {
            return Some(Self::Face);
        }
        Self::named(path.trim_start_matches('/').split('/').next()?)
    }

    fn internal_error(self) -> Response {
        match self {
            Self::Wechat | Self::Face => Errcode::busy().into_response(),
            Self::Sms => sms::internal_error().into_response(),
            Self::Realname | Self::Door => {
                Refused::new(StatusCode::INTERNAL_SERVER_ERROR, 50000, "INTERNAL", &json!({}))
                    .into_response()
            }
        }
    }
}

pub(crate) async fn apply(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let Some(firm) = Firm::of(request.uri().path()) else { return next.run(request).await };
    let (request, access_group_id) = match firm {
        Firm::Door => match door_of(&sandbox, request).await {
            Ok(found) => found,
            Err(status) => return status.into_response(),
        },
        _ => (request, None),
    };
    let struck = sandbox.faults().draw(firm, access_group_id.as_deref(), sandbox.system_now());
    match struck {
        None => next.run(request).await,
        Some((Mode::Error, _)) => firm.internal_error(),
        Some((Mode::Timeout, _)) => {
            sandbox.pause(NO_ANSWER_FOR).await;
            no_reply()
        }
        Some((Mode::Slow, delay)) => {
            sandbox.pause(delay).await;
            next.run(request).await
        }
        Some((Mode::DropReply, _)) => {
            drop(next.run(request).await);
            no_reply()
        }
    }
}

// A body that fails before its first byte makes the server close the connection unanswered.
fn no_reply() -> Response {
    let failure =
        stream::once(ready(Err::<Bytes, _>(io::Error::other("the reply is dropped on order"))));
    Response::new(Body::from_stream(failure))
}

/// The door a call is about: named in the query, in the body, or by the grant it removes.
async fn door_of(
    sandbox: &Sandbox,
    request: Request,
) -> Result<(Request, Option<String>), StatusCode> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let found = if parts.method == Method::GET {
        Query::<Named>::try_from_uri(&parts.uri).ok().and_then(|Query(named)| named.access_group_id)
    } else if parts.method == Method::DELETE {
        let grant_id = parts.uri.path().rsplit('/').next().unwrap_or_default();
        sandbox.doors().group_of(grant_id).map(str::to_owned)
    } else {
        let pushed: Value = serde_json::from_slice(&body).unwrap_or_default();
        pushed["area"]["access_group_id"].as_str().map(str::to_owned)
    };
    Ok((Request::from_parts(parts, Body::from(body)), found))
}

#[derive(Deserialize)]
struct Named {
    access_group_id: Option<String>,
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new().route("/faults", get(list).post(order).delete(clear))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    target: String,
    mode: Mode,
    #[serde(default = "always")]
    rate: f64,
    #[serde(default = "a_minute")]
    seconds: u32,
    /// Of `slow`.
    #[serde(default = "three_seconds")]
    delay_ms: u32,
}

fn always() -> f64 {
    1.0
}

fn a_minute() -> u32 {
    60
}

fn three_seconds() -> u32 {
    3000
}

/// The same target and mode again replaces the earlier order.
async fn order(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Refused> {
    let wanted: Order = control_body(&body)?;
    let (name, access_group_id) = match wanted.target.split_once(':') {
        Some((name, access_group_id)) => (name, Some(access_group_id.to_owned())),
        None => (wanted.target.as_str(), None),
    };
    let firm = Firm::named(name)
        .filter(|firm| access_group_id.is_none() || *firm == Firm::Door)
        .ok_or_else(|| {
            Refused::mistake(
                "target: must be wechat, sms, face, realname, door or door:<access_group_id>",
            )
        })?;
    if !(0.0..=1.0).contains(&wanted.rate) {
        return Err(Refused::mistake("rate: must be 0 to 1"));
    }
    let now = sandbox.system_now();
    {
        let mut faults = sandbox.faults();
        faults.ordered.retain(|fault| fault.target != wanted.target || fault.mode != wanted.mode);
        faults.ordered.push(Fault {
            firm,
            access_group_id,
            target: wanted.target,
            mode: wanted.mode,
            rate: wanted.rate,
            delay: Duration::from_millis(u64::from(wanted.delay_ms)),
            until: now + TimeDelta::seconds(i64::from(wanted.seconds)),
        });
    }
    Ok(list(State(sandbox)).await)
}

async fn list(State(sandbox): State<Sandbox>) -> Json<Value> {
    let now = sandbox.system_now();
    let mut faults = sandbox.faults();
    faults.ordered.retain(|fault| fault.until > now);
    let items: Vec<_> = faults
        .ordered
        .iter()
        .map(|fault| {
            let seconds = (fault.until - now).num_seconds();
            json!({"target": fault.target, "mode": fault.mode, "rate": fault.rate, "seconds": seconds})
        })
        .collect();
    Json(json!({"items": items}))
}

async fn clear(State(sandbox): State<Sandbox>) -> Json<Value> {
    sandbox.faults().ordered.clear();
    Json(json!({"items": []}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn faults(access_group_id: Option<&str>, rate: f64) -> Faults {
        let mut faults = Faults::seeded(1);
        faults.ordered.push(Fault {
            target: "door".to_owned(),
            firm: Firm::Door,
            access_group_id: access_group_id.map(str::to_owned),
            mode: Mode::Error,
            rate,
            delay: Duration::ZERO,
            until: noon() + TimeDelta::seconds(10),
        });
        faults
    }

    #[test]
    fn a_fault_strikes_its_target_alone_and_ends() {
        let mut one_door = faults(Some("acg_01"), 1.0);
        assert!(one_door.draw(Firm::Door, Some("acg_01"), noon()).is_some());
        assert!(one_door.draw(Firm::Door, Some("acg_02"), noon()).is_none());
        assert!(one_door.draw(Firm::Door, None, noon()).is_none());
        assert!(one_door.draw(Firm::Sms, None, noon()).is_none());
        assert!(
            one_door.draw(Firm::Door, Some("acg_01"), noon() + TimeDelta::seconds(10)).is_none()
        );
    }

    #[test]
    fn the_dice_fall_alike_for_one_seed_and_near_the_rate() {
        let strikes = || {
            let mut faults = faults(None, 0.3);
            (0..1000).map(|_| faults.draw(Firm::Door, None, noon()).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(), strikes());
        let struck = strikes().into_iter().filter(|struck| *struck).count();
        assert!((250..350).contains(&struck), "{struck} of 1000");
    }

    #[test]
    fn the_face_check_is_a_firm_of_its_own_on_wechats_host() {
        assert_eq!(Firm::of("/wechat/cityservice/face/identify/getverifyid"), Some(Firm::Face));
        assert_eq!(Firm::of("/wechat/sns/jscode2session"), Some(Firm::Wechat));
        assert_eq!(Firm::of("/sms"), Some(Firm::Sms));
        assert_eq!(Firm::of("/_control/faults"), None);
    }
}
