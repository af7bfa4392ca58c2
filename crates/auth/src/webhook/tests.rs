use super::*;

struct Vector {
    secret: &'static str,
    id: &'static str,
    timestamp: i64,
    body: &'static [u8],
    signature: &'static str,
}

/// The vector of the reference library's own tests.
const FIRST: Vector = Vector {
    secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
    timestamp: 1_649_367_553,
    body: br#"{"email":"test@example.com","username":"test_user"}"#,
    signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
};
/// The reference vector of the specification's authors.
const SECOND: Vector = Vector {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: 1_614_265_330,
    body: br#"{"test": 2432232314}"#,
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

fn at(timestamp: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(timestamp, 0).unwrap()
}

/// Verifies the second vector with this header, on time.
fn verify_header(header: &str) -> Result<(), WebhookError> {
    verify(&[SECOND.secret], SECOND.id, "1614265330", header, SECOND.body, at(SECOND.timestamp))
}

#[test]
fn the_published_vectors_sign_and_verify() {
    for vector in [FIRST, SECOND] {
        let signature = sign(vector.secret, vector.id, vector.timestamp, vector.body);
        assert_eq!(signature.as_deref(), Ok(vector.signature));
        let timestamp = vector.timestamp.to_string();
        let now = at(vector.timestamp);
        assert_eq!(
            verify(&[vector.secret], vector.id, &timestamp, vector.signature, vector.body, now),
            Ok(())
        );
    }
}

#[test]
fn an_empty_signature_or_a_part_of_one_does_not_match() {
    for header in [
        "v1,",
        "",
        "v1",
        ",",
        "v1,g0hM9SsE",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
        "v1, v1,",
    ] {
        assert_eq!(verify_header(header), Err(WebhookError::NoMatch), "{header:?}");
    }
}

#[test]
fn a_longer_signature_does_not_match() {
    let tag = STANDARD.decode(&SECOND.signature[3..]).unwrap();
    let longer = STANDARD.encode([&tag[..], &[0]].concat());
    assert_eq!(verify_header(&format!("v1,{longer}")), Err(WebhookError::NoMatch));
}

#[test]
fn one_good_entry_among_others_is_enough() {
    assert_eq!(verify_header(&format!("v1a,AAAA v1,AAAA {} v2,BBBB", SECOND.signature)), Ok(()));
}

#[test]
fn the_right_signature_under_another_version_does_not_match() {
    let header = SECOND.signature.replace("v1,", "v1a,");
    assert_eq!(verify_header(&header), Err(WebhookError::NoMatch));
}

#[test]
fn while_secrets_rotate_each_live_one_verifies() {
    let secrets = [FIRST.secret, SECOND.secret];
    for vector in [FIRST, SECOND] {
        let timestamp = vector.timestamp.to_string();
        let now = at(vector.timestamp);
        assert_eq!(
            verify(&secrets, vector.id, &timestamp, vector.signature, vector.body, now),
            Ok(())
        );
    }
}

#[test]
fn another_secret_or_none_does_not_match() {
    let now = at(SECOND.timestamp);
    for secrets in [&[FIRST.secret][..], &[]] {
        let result = verify(secrets, SECOND.id, "1614265330", SECOND.signature, SECOND.body, now);
        assert_eq!(result, Err(WebhookError::NoMatch));
    }
}

#[test]
fn an_altered_body_id_or_timestamp_does_not_match() {
    let now = at(SECOND.timestamp);
    let verify = |id: &str, timestamp: &str, body: &[u8]| {
        verify(&[SECOND.secret], id, timestamp, SECOND.signature, body, now)
    };
    assert_eq!(verify(SECOND.id, "1614265330", b"{}"), Err(WebhookError::NoMatch));
    assert_eq!(verify("msg_other", "1614265330", SECOND.body), Err(WebhookError::NoMatch));
    assert_eq!(verify(SECOND.id, "1614265331", SECOND.body), Err(WebhookError::NoMatch));
    assert_eq!(verify(SECOND.id, "+1614265330", SECOND.body), Err(WebhookError::NoMatch));
}

#[test]
fn an_attempt_holds_for_five_minutes_either_way() {
    let verify_at = |seconds: i64| {
        verify(
            &[SECOND.secret],
            SECOND.id,
            "1614265330",
            SECOND.signature,
            SECOND.body,
            at(SECOND.timestamp + seconds),
        )
    };
    assert_eq!(verify_at(300), Ok(()));
    assert_eq!(verify_at(-300), Ok(()));
    assert_eq!(verify_at(301), Err(WebhookError::TooOld));
    assert_eq!(verify_at(-301), Err(WebhookError::TooNew));
}

#[test]
fn malformed_headers_are_named() {
    let now = at(SECOND.timestamp);
    let verify = |id: &str, timestamp: &str| {
        verify(&[SECOND.secret], id, timestamp, SECOND.signature, b"", now)
    };
    assert_eq!(verify("", "1614265330"), Err(WebhookError::BadId));
    assert_eq!(verify("a.b", "1614265330"), Err(WebhookError::BadId));
    assert_eq!(verify("a", ""), Err(WebhookError::BadTimestamp));
    assert_eq!(verify("a", "2021-02-25"), Err(WebhookError::BadTimestamp));
}

#[test]
fn a_secret_that_is_none_is_an_error_and_never_an_empty_key() {
    let now = at(SECOND.timestamp);
    for secret in ["", "whsec_", "whsec_!", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        assert_eq!(sign(secret, "a", 0, b""), Err(WebhookError::BadSecret), "{secret}");
        let result = verify(
            &[SECOND.secret, secret],
            SECOND.id,
            "1614265330",
            SECOND.signature,
            SECOND.body,
            now,
        );
        assert_eq!(result, Err(WebhookError::BadSecret), "{secret}");
    }
}
