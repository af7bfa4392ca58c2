//! WeChat's face check 2.0: a verification is begun by the server, done by the phone, and asked for
//! by the server. The phone's part is played by `/_control/face`. Lifetimes are system time.

use std::collections::{HashMap, HashSet};

use axum::extract::{Query, State};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::envelope::{Refused, control_body};
use crate::sandbox::Sandbox;
use crate::wechat::{Errcode, Presented, is_openid, parse};

const LIFETIME: TimeDelta = TimeDelta::seconds(3600);
const TIMED_OUT: i32 = 90017;

/// Verifications by `verify_id`, and the outcomes prepared for coming ones by identity number.
#[derive(Debug, Default)]
pub(crate) struct Verifications {
    begun: HashMap<String, Verification>,
    used_seq_nos: HashSet<String>,
    prepared: HashMap<String, Outcome>,
}

#[derive(Debug)]
struct Verification {
    out_seq_no: String,
    openid: String,
    cert_hash: String,
    expires_at: DateTime<Utc>,
    verify_ret: Option<i32>,
}

/// How the person before the camera fares.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Pass,
    Fail,
    Cancel,
    Unsure,
    Timeout,
}

impl Outcome {
    // WeChat's public pages list 10000 and the 9xxxx; 10003 and 10001 are read off the older flow.
    fn verify_ret(self) -> i32 {
        match self {
            Self::Pass => 10000,
            Self::Fail => 10003,
            Self::Unsure => 10001,
            Self::Cancel => 90002,
            Self::Timeout => TIMED_OUT,
        }
    }
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/cityservice/face/identify/getverifyid", post(get_verify_id))
        .route("/cityservice/face/identify/queryverifyinfo", post(query_verify_info))
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new().route("/face/verify", post(act)).route("/face/tokens", post(prepare))
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    out_seq_no: String,
    cert_info: Option<CertInfo>,
    #[serde(default)]
    openid: String,
}

#[derive(Deserialize)]
struct CertInfo {
    #[serde(default, rename = "cert_type")]
    kind: String,
    #[serde(default, rename = "cert_name")]
    name: String,
    #[serde(default, rename = "cert_no")]
    number: String,
}

async fn get_verify_id(
    State(sandbox): State<Sandbox>,
    presented: Query<Presented>,
    body: Bytes,
) -> Result<Json<Value>, Errcode> {
    Presented::check(&presented, &sandbox)?;
    let wanted: Begin = parse(&body)?;
    if !is_seq_no(&wanted.out_seq_no) {
        return Err(Errcode::new(40097, "invalid args: out_seq_no"));
    }
    let cert = wanted.cert_info.ok_or_else(|| Errcode::new(40097, "invalid args: cert_info"))?;
    if cert.kind != "IDENTITY_CARD" {
        return Err(Errcode::new(40097, "invalid args: cert_type"));
    }
    if cert.name.is_empty() || cert.number.is_empty() {
        return Err(Errcode::new(84006, "name or id number is empty"));
    }
    if !is_openid(&sandbox.config().wechat.appid, &wanted.openid) {
        return Err(Errcode::new(40003, "invalid openid"));
    }
    let expires_at = sandbox.system_now() + LIFETIME;
    let mut face = sandbox.face();
    if !face.used_seq_nos.insert(wanted.out_seq_no.clone()) {
        return Err(Errcode::new(40097, "invalid args: out_seq_no used"));
    }
    let verify_id = format!("fv_{}", uuid::Uuid::new_v4().simple());
    let prepared = face.prepared.remove(&cert.number);
    face.begun.insert(
        verify_id.clone(),
        Verification {
            out_seq_no: wanted.out_seq_no,
            openid: wanted.openid,
            cert_hash: cert_hash(&cert),
            expires_at,
            verify_ret: prepared.map(Outcome::verify_ret),
        },
    );
    Ok(Json(
        json!({"errcode": 0, "errmsg": "ok", "verify_id": verify_id, "expires_in": LIFETIME.num_seconds()}),
    ))
}

#[derive(Deserialize)]
struct Ask {
    #[serde(default)]
    verify_id: String,
    #[serde(default)]
    out_seq_no: String,
    #[serde(default)]
    cert_hash: String,
    #[serde(default)]
    openid: String,
}

async fn query_verify_info(
    State(sandbox): State<Sandbox>,
    presented: Query<Presented>,
    body: Bytes,
) -> Result<Json<Value>, Errcode> {
    Presented::check(&presented, &sandbox)?;
    let asked: Ask = parse(&body)?;
    let face = sandbox.face();
    let begun =
        face.begun.get(&asked.verify_id).ok_or_else(|| Errcode::new(84001, "invalid verify_id"))?;
    for (same, name) in [
        (begun.out_seq_no == asked.out_seq_no, "out_seq_no"),
        (begun.cert_hash == asked.cert_hash, "cert_hash"),
        (begun.openid == asked.openid, "openid"),
    ] {
        if !same {
            return Err(Errcode::new(40097, format!("invalid args: {name} mismatch")));
        }
    }
    let timed_out = (begun.expires_at <= sandbox.system_now()).then_some(TIMED_OUT);
    // Not done yet: no verify_ret at all. The public pages are silent on this case.
    Ok(Json(match begun.verify_ret.or(timed_out) {
        Some(verify_ret) => json!({"errcode": 0, "errmsg": "ok", "verify_ret": verify_ret}),
        None => json!({"errcode": 0, "errmsg": "ok"}),
    }))
}

fn is_seq_no(text: &str) -> bool {
    (5..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn cert_hash(cert: &CertInfo) -> String {
    let [kind, name, number] =
        [&cert.kind, &cert.name, &cert.number].map(|value| STANDARD.encode(value));
    hex::encode(Sha256::digest(format!("cert_type={kind}&cert_name={name}&cert_no={number}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    verify_id: String,
    outcome: Outcome,
}

// The first result is kept, as with the real one: a second try needs a new verify_id.
async fn act(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Refused> {
    let wanted: Act = control_body(&body)?;
    let now = sandbox.system_now();
    let mut face = sandbox.face();
    let begun = face
        .begun
        .get_mut(&wanted.verify_id)
        .ok_or_else(|| Refused::mistake("verify_id: unknown"))?;
    if begun.verify_ret.is_none() && begun.expires_at <= now {
        return Err(Refused::mistake("verify_id: expired"));
    }
    let kept = begun.verify_ret.is_some();
    let verify_ret = *begun.verify_ret.get_or_insert(wanted.outcome.verify_ret());
    Ok(Json(json!({"verify_id": wanted.verify_id, "verify_ret": verify_ret, "kept": kept})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepare {
    worker: String,
    outcome: Outcome,
}

async fn prepare(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Refused> {
    let wanted: Prepare = control_body(&body)?;
    sandbox.face().prepared.insert(wanted.worker, wanted.outcome);
    Ok(Json(json!({"prepared": true, "verify_ret": wanted.outcome.verify_ret()})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_cert_hash_comes_out() {
        let cert = CertInfo {
            kind: "IDENTITY_CARD".to_owned(),
            name: "张三".to_owned(),
            number: "310101199801011234".to_owned(),
        };
        assert_eq!(
            cert_hash(&cert),
            "3c241f7ff324977aeb91f173bb2a7b06569e6fd784d5573db34a636d8671108b"
        );
    }

    #[test]
    fn a_sequence_number_is_5_to_32_plain_characters() {
        assert!(is_seq_no("a-B_9"));
        assert!(is_seq_no(&"a".repeat(32)));
        for bad in ["abcd", &"a".repeat(33), "abc d", "流水号流水号"] {
            assert!(!is_seq_no(bad), "{bad}");
        }
    }
}
