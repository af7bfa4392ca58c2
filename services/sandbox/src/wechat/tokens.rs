//! `stable_token`: the same token while it lives, a new one in its last five minutes with both
//! valid, and `force_refresh`, which kills the old one at once but not too often. System time.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Errcode, check_app, parse};
use crate::sandbox::Sandbox;

const LIFETIME: TimeDelta = TimeDelta::seconds(7200);
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
const BETWEEN_FORCED: TimeDelta = TimeDelta::seconds(30);
const FORCED_A_DAY: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    current: Option<Token>,
    earlier: Vec<Token>,
    forced_at: Vec<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: String,
    expires_at: DateTime<Utc>,
    revoked: bool,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    #[serde(default)]
    force_refresh: bool,
}

pub(super) async fn stable_token(
    State(sandbox): State<Sandbox>,
    body: Bytes,
) -> Result<Json<Value>, Errcode> {
    let wanted: Wanted = parse(&body)?;
    if wanted.grant_type.as_deref() != Some("client_credential") {
        return Err(Errcode::new(40002, "invalid grant_type"));
    }
    check_app(&sandbox, wanted.appid.as_deref(), wanted.secret.as_deref())?;
    let now = sandbox.system_now();
    let token = sandbox.wechat().tokens.stable(now, wanted.force_refresh);
    let expires_in = (token.expires_at - now).num_seconds();
    Ok(Json(json!({"access_token": token.value, "expires_in": expires_in})))
}

impl Tokens {
    fn stable(&mut self, now: DateTime<Utc>, force: bool) -> Token {
        let force = force && self.may_force(now);
        if force {
            self.forced_at.push(now);
        }
        match self.current.take() {
            Some(token) if !force && token.expires_at - now > OVERLAP => {
                self.current = Some(token.clone());
                return token;
            }
            Some(token) => self.earlier.push(Token { revoked: force, ..token }),
            None => {}
        }
        let token = Token { value: random_value(), expires_at: now + LIFETIME, revoked: false };
        self.current = Some(token.clone());
        token
    }

    fn may_force(&mut self, now: DateTime<Utc>) -> bool {
        self.forced_at.retain(|at| now - at < TimeDelta::days(1));
        self.forced_at.len() < FORCED_A_DAY
            && self.forced_at.last().is_none_or(|last| now - last >= BETWEEN_FORCED)
    }

    pub(super) fn check(&self, presented: Option<&str>, now: DateTime<Utc>) -> Result<(), Errcode> {
        let presented = presented.unwrap_or_default();
        if presented.is_empty() {
            return Err(Errcode::new(41001, "access_token missing"));
        }
        if presented.len() < 32 {
            return Err(Errcode::new(40014, "invalid access_token"));
        }
        let known = self.current.iter().chain(&self.earlier).find(|token| token.value == presented);
        match known {
            Some(token) if token.revoked => Err(not_latest()),
            Some(token) if token.expires_at <= now => {
                Err(Errcode::new(42001, "access_token expired"))
            }
            Some(_) => Ok(()),
            None => Err(not_latest()),
        }
    }
}

fn not_latest() -> Errcode {
    Errcode::new(40001, "invalid credential, access_token is invalid or not latest")
}

fn random_value() -> String {
    let bytes: Vec<u8> = (0..102).map(|_| rand::random()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn number(result: Result<(), Errcode>) -> i32 {
        result.map_or_else(|refusal| refusal.number, |()| 0)
    }

    #[test]
    fn a_token_stays_the_same_until_its_last_five_minutes_and_then_both_work() {
        let mut tokens = Tokens::default();
        let first = tokens.stable(noon(), false);
        assert_eq!(tokens.stable(noon() + TimeDelta::seconds(6899), false).value, first.value);

        let late = noon() + TimeDelta::seconds(6900);
        let second = tokens.stable(late, false);
        assert_ne!(second.value, first.value);
        assert_eq!(number(tokens.check(Some(&first.value), late)), 0);
        assert_eq!(number(tokens.check(Some(&second.value), late)), 0);
        assert_eq!(number(tokens.check(Some(&first.value), noon() + LIFETIME)), 42001);
    }

    #[test]
    fn a_forced_refresh_kills_the_old_token_but_not_twice_in_thirty_seconds() {
        let mut tokens = Tokens::default();
        let first = tokens.stable(noon(), false);
        let second = tokens.stable(noon(), true);
        assert_eq!(number(tokens.check(Some(&first.value), noon())), 40001);
        assert_eq!(tokens.stable(noon() + TimeDelta::seconds(29), true).value, second.value);
        assert_ne!(tokens.stable(noon() + TimeDelta::seconds(30), true).value, second.value);
    }

    #[test]
    fn a_missing_a_short_and_an_unknown_token_are_told_apart() {
        let tokens = Tokens::default();
        assert_eq!(number(tokens.check(None, noon())), 41001);
        assert_eq!(number(tokens.check(Some("short"), noon())), 40014);
        assert_eq!(number(tokens.check(Some(&random_value()), noon())), 40001);
    }
}
