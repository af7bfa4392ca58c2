use types::{AccountId, WorkerId};

use super::*;
use crate::{Caller, CallerKeys};

const ROOT: &[u8] = b"a root secret of thirty-two bytes";

fn tokens() -> AccessTokens {
    AccessTokens::from_root(ROOT).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap()
}

fn administrator() -> Claims {
    Claims {
        subject: Subject::Account(AccountId::new()),
        role: Some(Role::ContractorAdmin),
        contractor: Some(ContractorId::new()),
        session: Some("family-1".to_owned()),
        version: Some(7),
        audience: Audience::Admin,
    }
}

fn worker() -> Claims {
    Claims {
        subject: Subject::Worker(WorkerId::new()),
        role: None,
        contractor: None,
        session: None,
        version: None,
        audience: Audience::MiniProgram,
    }
}

#[test]
fn claims_are_read_back_as_they_were_issued() {
    for claims in [administrator(), worker()] {
        let token = tokens().issue(&claims, now());
        assert_eq!(tokens().verify(&token, claims.audience, now()), Ok(claims));
    }
}

#[test]
fn a_token_of_one_edge_does_not_open_the_other() {
    let token = tokens().issue(&administrator(), now());
    assert_eq!(tokens().verify(&token, Audience::MiniProgram, now()), Err(TokenError::Invalid));
    let token = tokens().issue(&worker(), now());
    assert_eq!(tokens().verify(&token, Audience::Admin, now()), Err(TokenError::Invalid));
}

#[test]
fn an_administrators_token_lives_ten_minutes_and_a_workers_twelve_hours() {
    for (claims, lifetime) in
        [(administrator(), Duration::minutes(10)), (worker(), Duration::hours(12))]
    {
        let token = tokens().issue(&claims, now());
        let last = now() + lifetime - Duration::seconds(1);
        assert!(tokens().verify(&token, claims.audience, last).is_ok());
        assert_eq!(
            tokens().verify(&token, claims.audience, now() + lifetime),
            Err(TokenError::Expired)
        );
    }
}

#[test]
fn an_expired_token_that_was_altered_is_invalid_and_not_expired() {
    let token = tokens().issue(&worker(), now());
    let altered = format!("{}A", &token[..token.len() - 2]);
    let later = now() + Duration::days(1);
    assert_eq!(tokens().verify(&altered, Audience::MiniProgram, later), Err(TokenError::Invalid));
}

#[test]
fn a_token_of_another_type_issuer_or_key_id_is_invalid() {
    let tokens = tokens();
    let good = tokens.kind(Audience::Admin);
    let others = [
        Kind { typ: "caller+jwt", ..good },
        Kind { issuer: "gateway", ..good },
        Kind { kid: "access-0000000000000000", ..good },
    ];
    for (index, other) in others.into_iter().enumerate() {
        let own = Own {
            sub: Subject::Anonymous,
            role: None,
            contractor: None,
            session: None,
            version: None,
        };
        let token = keys::sign(&tokens.key, other, own, now(), Duration::minutes(1));
        assert_eq!(
            tokens.verify(&token, Audience::Admin, now()),
            Err(TokenError::Invalid),
            "{index}"
        );
    }
}

#[test]
fn a_token_between_services_is_no_access_token_even_from_the_same_root() {
    let token = CallerKeys::from_root(ROOT).unwrap().sign("gateway", &Caller::anonymous(), now());
    assert_eq!(tokens().verify(&token, Audience::Admin, now()), Err(TokenError::Invalid));
}

#[test]
fn another_root_is_another_key_and_another_key_id() {
    let others = AccessTokens::from_root(b"another secret of thirty-two bytes").unwrap();
    let token = others.issue(&administrator(), now());
    assert_eq!(tokens().verify(&token, Audience::Admin, now()), Err(TokenError::Invalid));
    assert_ne!(others.kid, tokens().kid);
}

#[test]
fn a_short_root_is_refused_and_the_key_never_printed() {
    assert_eq!(AccessTokens::from_root(&[7; 31]).unwrap_err(), RootTooShort);
    let printed = format!("{:?}", tokens());
    assert_eq!(printed, format!("AccessTokens {{ kid: \"{}\", .. }}", tokens().kid));
}

#[test]
fn an_extension_the_header_calls_critical_is_not_skipped_over() {
    let tokens = tokens();
    let header = jsonwebtoken::Header {
        typ: Some(TYP.to_owned()),
        kid: Some(tokens.kid.clone()),
        crit: Some(vec!["exp".to_owned()]),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA)
    };
    let claims = serde_json::json!({
        "iss": ISSUER, "aud": "sitepass-admin", "iat": now().timestamp(), "exp": now().timestamp() + 60,
        "sub": "anonymous", "sites": [],
    });
    let der = ed25519_dalek::pkcs8::EncodePrivateKey::to_pkcs8_der(&tokens.key).unwrap();
    let sign = |header: &jsonwebtoken::Header| {
        let key = jsonwebtoken::EncodingKey::from_ed_der(der.as_bytes());
        jsonwebtoken::encode(header, &claims, &key).unwrap()
    };
    assert_eq!(tokens.verify(&sign(&header), Audience::Admin, now()), Err(TokenError::Invalid));
    let without = jsonwebtoken::Header { crit: None, ..header };
    assert!(tokens.verify(&sign(&without), Audience::Admin, now()).is_ok());
}
