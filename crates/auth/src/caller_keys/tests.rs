use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use types::{AccountId, DeviceId, Role, SiteId, WorkerId};

use super::*;

const ROOT: &[u8] = b"a root secret of thirty-two bytes";

fn keys() -> CallerKeys {
    CallerKeys::from_root(ROOT).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap()
}

fn account() -> Caller {
    Caller {
        on_behalf_request: Some("request-1".to_owned()),
        address: Some("192.0.2.7".to_owned()),
        ..Caller::account(AccountId::new(), Role::SysAdmin, vec![SiteId::new()], None)
    }
}

/// A token signed with the real key of `issuer`, of another kind than it should be.
fn forge(issuer: &str, kind: Kind<'_>) -> String {
    keys::sign(&keys().root.key(&label(issuer)), kind, Caller::service(issuer), now(), LIFETIME)
}

#[test]
fn a_signed_caller_arrives_as_they_were_with_the_token_they_came_with() {
    let site = SiteId::new();
    let callers = [
        account(),
        Caller::worker(WorkerId::new(), vec![site]),
        Caller::device(DeviceId::parse("gate-7").unwrap(), site),
        Caller::anonymous(),
    ];
    for caller in callers {
        let token = keys().sign("gateway", &caller, now());
        let arrived = keys().verify(&token, now()).unwrap();
        assert_eq!(arrived, Caller { token: Some(token), ..caller });
    }
}

#[test]
fn a_token_passed_on_is_not_signed_into_the_next_one() {
    let caller = Caller { token: Some("the.first.token".to_owned()), ..account() };
    let token = keys().sign("gateway", &caller, now());
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert!(!String::from_utf8(claims).unwrap().contains("the.first.token"));
}

#[test]
fn a_service_speaks_for_itself_on_every_site() {
    let token = keys().sign("ticket", &Caller::service("ticket"), now());
    let caller = keys().verify(&token, now()).unwrap();
    assert_eq!(caller.service_name(), Some("ticket"));
    assert_eq!(caller.sites, Sites::All);
}

#[test]
fn a_service_cannot_speak_for_an_account_a_worker_or_another_service() {
    for caller in [
        account(),
        Caller::worker(WorkerId::new(), vec![]),
        Caller::anonymous(),
        Caller::service("audit"),
    ] {
        let token = keys().sign("ticket", &caller, now());
        assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid), "{caller:?}");
    }
    let token = keys().sign("gateway", &Caller::service("ticket"), now());
    assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn nobody_but_a_service_has_every_site() {
    let caller = Caller { sites: Sites::All, ..account() };
    let token = keys().sign("gateway", &caller, now());
    assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn a_token_lives_for_sixty_seconds() {
    let token = keys().sign("gateway", &account(), now());
    assert!(keys().verify(&token, now() + Duration::seconds(59)).is_ok());
    assert_eq!(keys().verify(&token, now() + Duration::seconds(60)), Err(TokenError::Expired));
}

#[test]
fn a_token_from_the_future_is_invalid() {
    let token = keys().sign("gateway", &account(), now());
    assert!(keys().verify(&token, now() - Duration::seconds(60)).is_ok());
    assert_eq!(keys().verify(&token, now() - Duration::seconds(61)), Err(TokenError::Invalid));
}

#[test]
fn no_byte_of_a_token_can_be_altered() {
    let token = keys().sign("gateway", &account(), now());
    for index in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(keys().verify(&altered, now()), Err(TokenError::Invalid), "byte {index}");
    }
}

#[test]
fn another_kind_of_token_is_no_caller() {
    let good = kind("ticket");
    assert!(keys().verify(&forge("ticket", good), now()).is_ok());
    let others = [
        Kind { typ: "JWT", ..good },
        Kind { typ: "access+jwt", ..good },
        Kind { audience: "sitepass-admin", ..good },
        Kind { issuer: "audit", ..good },
        Kind { kid: "audit", ..good },
        Kind { kid: "", ..good },
        Kind { kid: "../ticket", ..good },
    ];
    for (index, other) in others.into_iter().enumerate() {
        assert_eq!(
            keys().verify(&forge("ticket", other), now()),
            Err(TokenError::Invalid),
            "{index}"
        );
    }
}

#[test]
fn one_service_cannot_sign_in_the_name_of_another() {
    // Signed with the key of `ticket`, claiming in everything to be `audit`.
    let token = keys::sign(
        &keys().root.key(&label("ticket")),
        kind("audit"),
        Caller::service("audit"),
        now(),
        LIFETIME,
    );
    assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn only_eddsa_is_believed() {
    let claims = keys().sign("ticket", &Caller::service("ticket"), now());
    let claims = claims.split('.').nth(1).unwrap();
    for algorithm in ["none", "None", "HS256", "RS256", "ES256", "eddsa"] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"{TYP}","kid":"ticket"}}"#);
        let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        for signature in ["", "AAAA"] {
            let token = format!("{message}.{signature}");
            assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid), "{algorithm}");
        }
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let public = keys().root.key(&label("ticket")).verifying_key();
    let header = jsonwebtoken::Header {
        typ: Some(TYP.to_owned()),
        kid: Some("ticket".to_owned()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let claims = serde_json::json!({
        "iss": "ticket", "aud": AUDIENCE, "iat": now().timestamp(), "exp": now().timestamp() + 60,
        "sub": "service:ticket", "sites": "all",
    });
    let secret = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
    assert_eq!(keys().verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn another_root_is_another_key() {
    let token = keys().sign("ticket", &Caller::service("ticket"), now());
    let others = CallerKeys::from_root(b"another secret of thirty-two bytes").unwrap();
    assert_eq!(others.verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn what_is_no_token_is_invalid() {
    for text in ["", ".", "..", "a.b.c", "a.b.c.d", "Bearer x"] {
        assert_eq!(keys().verify(text, now()), Err(TokenError::Invalid), "{text}");
    }
}

#[test]
fn a_short_root_is_refused_and_a_long_one_never_printed() {
    assert_eq!(CallerKeys::from_root(&ROOT[..31]).unwrap_err(), RootTooShort);
    assert_eq!(format!("{:?}", keys()), "CallerKeys { root: Root(***) }");
}
